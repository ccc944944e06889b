"""duetd's subcommands, and when it refuses to start."""

import json
import os
import subprocess

import psycopg
import pytest

from support.server import binary, environment, run_duetd
from support.tokens import Keys, base64url


@pytest.fixture
def settings(cluster, keys_file):
    """With which `serve` starts."""
    return {
        "DUET_LISTEN": "127.0.0.1:0",
        "DUET_DATABASE_URL": cluster.url("duet_server"),
        "DUET_KEYS_FILE": str(keys_file),
    }


def refusal(*arguments, **settings):
    """The sentence with which duetd refuses."""
    done = run_duetd(*(arguments or ("serve",)), **settings)
    assert done.returncode in (1, 2), done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("duetd: "), done.stderr
    return last


def test_version_and_help_need_no_settings():
    version = run_duetd("--version")
    assert (version.returncode, version.stdout.split()[0]) == (0, "duetd")
    shown = run_duetd("--help")
    assert shown.returncode == 0
    for command in ("serve", "migrate", "token", "routes", "doctor"):
        assert command in shown.stdout


@pytest.mark.parametrize("arguments", [(), ("dance",), ("--verbose",)])
def test_an_unknown_command_shows_the_help(arguments):
    done = run_duetd(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: duetd" in done.stderr


def test_an_unknown_setting_is_refused(settings):
    told = refusal(**settings, DUET_LISTENN="127.0.0.1:0")
    assert "DUET_LISTENN" in told


def test_a_mistyped_setting_is_told_and_the_list_is_printed_all_the_same():
    told = refusal(DUET_LISTNE="127.0.0.1:0")
    assert "DUET_LISTEN is" in told
    assert "duetd serve --print-settings" in told
    shown = run_duetd("serve", "--print-settings", DUET_LISTNE="127.0.0.1:0")
    assert shown.returncode == 1
    assert "DUET_LISTEN=127.0.0.1:8080 " in shown.stdout
    assert shown.stderr == f"{told}\n"


def test_a_shell_with_the_variables_of_clients_starts_servers():
    shown = run_duetd(
        "serve",
        "--print-settings",
        DUET_URL="https://duet.example",
        DUET_TOKEN_FILE="/etc/duet/token",
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "DUET_TOKEN_FILE" not in shown.stdout


@pytest.mark.parametrize(
    "name, value",
    [
        ("DUET_SENDERS", "0"),
        ("DUET_SENDERS", "two"),
        ("DUET_SENDERS", "2 "),
        ("DUET_SENDERS", "99999999999999999999"),
        ("DUET_HTTP_THREADS", "0"),
        ("DUET_LOG_LEVEL", "loud"),
        ("DUET_LISTEN", "127.0.0.1"),
        ("DUET_LISTEN", "nowhere:80"),
        ("DUET_LISTEN", "127.0.0.1:65536"),
        ("DUET_KEYS_FILE", ""),
        ("DUET_KEYS_FILE", "/nonexistent"),
        ("DUET_DATABASE_URL", ""),
    ],
)
def test_a_wrong_setting_is_refused_by_name(settings, name, value):
    assert name in refusal(**{**settings, name: value})


def test_a_setting_may_come_from_a_file(settings, tmp_path):
    file = tmp_path / "senders"
    file.write_text("7\n", encoding="utf-8")
    shown = run_duetd("serve", "--print-settings", DUET_SENDERS_FILE=file)
    assert "DUET_SENDERS=7 " in shown.stdout
    assert "DUET_SENDERS" in refusal(**settings, DUET_SENDERS_FILE=tmp_path / "missing")
    assert "DUET_SENDERS" in refusal(**settings, DUET_SENDERS_FILE=file, DUET_SENDERS="7")


def test_printed_settings_hide_secrets(settings):
    settings["DUET_DATABASE_URL"] = "postgresql://duet:hunter2@db/duet"
    shown = run_duetd("serve", "--print-settings", **settings)
    assert shown.returncode == 0
    assert "hunter2" not in shown.stdout
    assert f"DUET_KEYS_FILE={settings['DUET_KEYS_FILE']}" in shown.stdout


@pytest.mark.parametrize(
    "change, word",
    [
        pytest.param({"secret": base64url(b"x" * 31)}, "32", id="a secret of 31 bytes"),
        pytest.param({"alg": "none"}, "alg", id="an algorithm that is none"),
        pytest.param({"kid": "a b"}, "kid", id="a kid with a blank"),
        pytest.param({"public_key": "x"}, "h1", id="a public key beside a secret"),
    ],
)
def test_a_wrong_key_file_is_refused(settings, keys, tmp_path, change, word):
    document = keys.document()
    document["keys"][0].update(change)
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert word in refusal(**{**settings, "DUET_KEYS_FILE": file})


def test_a_database_that_is_away_is_told(settings):
    settings["DUET_DATABASE_URL"] = "postgresql:///duet?host=/nonexistent"
    told = refusal(**settings, DUET_START_TIMEOUT_SECONDS=0)
    assert "DUET_DATABASE_URL" in told


def test_a_schema_of_another_version_is_refused(start_cluster, settings):
    own = start_cluster(migrated=False)
    settings["DUET_DATABASE_URL"] = own.url()
    unmigrated = refusal(**settings, DUET_DATABASE_ROLE="duet_admin")
    assert "duetd migrate" in unmigrated
    assert run_duetd("migrate", "--check", **settings).returncode == 1
    assert run_duetd("migrate", **settings).returncode == 0
    assert run_duetd("migrate", "--check", **settings).returncode == 0
    assert run_duetd("migrate", **settings).returncode == 0

    with psycopg.connect(own.url(), autocommit=True) as db:
        db.execute(
            "insert into duet.schema_version (version, name, checksum, applied_at)"
            " values (9999, '9999_future.sql', '', now())"
        )
    settings["DUET_DATABASE_URL"] = own.url("duet_server")
    assert "newer" in refusal(**settings)
    assert "newer" in refusal("migrate", DUET_DATABASE_URL=own.url())


def test_two_programs_may_migrate_at_once(start_cluster):
    own = start_cluster(migrated=False)
    both = [
        subprocess.Popen(
            [binary(), "migrate"],
            env=environment({"DUET_DATABASE_URL": own.url()}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [one.communicate(timeout=60)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], outputs


def test_a_signed_token_opens_what_its_scope_names(api, keys_file, ann):
    def signed(scope, *more):
        done = run_duetd(
            "token",
            *("--subject", ann, "--scope", scope, "--expires-in", "60"),
            *more,
            DUET_KEYS_FILE=keys_file,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert api.get(f"/v1/users/{ann}", token=signed("admin")).status == 200
    assert api.get(f"/v1/users/{ann}", token=signed("user")).status == 200
    assert api.get(f"/v1/users/{ann}", token=signed("messages:read")).status == 403


@pytest.mark.parametrize(
    "arguments",
    [
        ("--subject", "x", "--scope", "everything", "--expires-in", "60"),
        ("--subject", "x", "--scope", "user admin", "--expires-in", "60"),
        ("--subject", "x", "--scope", "admin", "--expires-in", "0"),
        ("--subject", "x" * 65, "--scope", "admin", "--expires-in", "60"),
        ("--subject", "", "--scope", "admin", "--expires-in", "60"),
        ("--scope", "admin", "--expires-in", "60"),
        ("--subject", "x", "--scope", "admin"),
    ],
)
def test_a_token_that_no_server_would_take_is_not_signed(keys_file, arguments):
    refusal("token", *arguments, DUET_KEYS_FILE=keys_file)


def test_a_token_is_not_signed_without_a_secret(tmp_path):
    document = Keys().document()
    document["keys"] = [key for key in document["keys"] if key["alg"] != "HS256"]
    del document["signing_kid"]
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    arguments = ("--subject", "x", "--scope", "admin", "--expires-in", "60")
    refusal("token", *arguments, DUET_KEYS_FILE=file)


def test_doctor_finds_nothing_wrong(cluster, keys_file):
    done = run_duetd("doctor", DUET_DATABASE_URL=cluster.url(), DUET_KEYS_FILE=keys_file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any(line.startswith("bad") for line in done.stdout.splitlines())


def test_doctor_says_what_is_wrong(keys_file):
    done = run_duetd(
        "doctor", DUET_DATABASE_URL="postgresql:///duet?host=/nonexistent", DUET_KEYS_FILE=keys_file
    )
    assert done.returncode == 1
    assert any(line.startswith("bad  database") for line in done.stdout.splitlines())


def test_a_server_stops_at_sigint_as_at_sigterm(start_server):
    one = start_server()
    one.process.send_signal(2)
    assert one.process.wait(25) == 0


def test_an_address_in_use_is_told(server, settings):
    told = refusal(**{**settings, "DUET_LISTEN": f"{server.host}:{server.port}"})
    assert "DUET_LISTEN" in told


def test_secrets_do_not_reach_the_log(start_server, keys, keys_file):
    one = start_server()
    one.stop()
    written = "\n".join(one.stderr)
    assert base64url(keys.secret) not in written
    assert os.path.exists(keys_file)
