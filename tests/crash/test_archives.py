"""Archives when the plug is pulled: while they are made, while they are fetched, and by the script of
docs/cron."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from support import ROOT
from support.archives import (
    HOUR,
    digest_of,
    hour_before,
    name_of,
    open_again,
    path_of,
    wait_closed,
)
from support.client import Api
from support.load import Load

SCRIPT = ROOT / "docs" / "cron" / "duet-archives"
HEALED_SECONDS = 10

FILL_SQL = """
insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, sent_by, elements)
select u.user_no, %(first)s + i, %(hour)s + i * interval '40 milliseconds', u.user_no, 0, i, 1, 14, false, 'backend',
       json_build_array(json_build_object('type', 'text', 'text', md5(i::text) || md5((-i)::text) || repeat('m', 200)))
from generate_series(1, %(n)s) as i, duet.app_user as u
where u.user_id = 'archive-user'
"""


def fill(api, db, hour, n):
    """Messages of an hour, all to one user."""
    assert api.put("/v1/users/archive-user", {}).status in (200, 201)
    (first,) = db.execute("select coalesce(max(seq), 0) from duet.mailbox").fetchone()
    db.execute(FILL_SQL, {"hour": hour, "n": n, "first": first})
    open_again(db, hour)


@pytest.fixture(name="hour")
def fixture_hour(victim, look_into):
    hour = hour_before(2)
    db = look_into(victim)
    db.execute("delete from duet.mailbox where sent_at >= %s and sent_at < %s", (hour, hour + HOUR))
    return hour


def fetch_from(server, hour, data, tag=None):
    """What comes until the connection ends, behind `data`: (data, tag, whether it was all)."""
    headers = {"Authorization": f"Bearer {server.token()}"}
    if data:
        headers.update({"Range": f"bytes={len(data)}-", "If-Range": tag})
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    try:
        connection.request("GET", path_of(hour), headers=headers)
        reply = connection.getresponse()
        assert reply.status == (206 if data else 200), reply.read()
        assert tag in (None, reply.headers["ETag"])
        tag = reply.headers["ETag"]
        while True:
            piece = reply.read(8192)
            if not piece:
                return data, tag, reply.length == 0
            data += piece
            yield_to(data)
    except (OSError, http.client.HTTPException):
        return data, tag, False
    finally:
        connection.close()


def yield_to(data):
    """A client that is not in a hurry: a kill shall meet it in the middle."""
    if len(data) % (1 << 17) < 8192:
        time.sleep(0.005)


def test_a_download_goes_on_where_a_kill_has_ended_it(victim, start_on, look_into, hour):
    server = start_on(victim)
    api = Api(server, None)
    db = look_into(victim)
    fill(api, db, hour, 60_000)
    wait_closed(api, hour)
    whole = api.get(path_of(hour))
    data, tag, n_broken = b"", None, 0
    for kill in range(6):
        if kill % 2:
            timer = threading.Timer(0.15, server.kill)
        else:
            timer = threading.Timer(0.15, victim.kill)
        timer.start()
        data, tag, all_there = fetch_from(server, hour, data, tag)
        timer.join()
        if kill % 2:
            server = start_on(victim)
        else:
            victim.start()
            server.wait_ready(HEALED_SECONDS)
        n_broken += not all_there
        if all_there:
            break
    if not all_there:
        data, tag, all_there = fetch_from(server, hour, data, tag)
    assert all_there and n_broken >= 2
    assert data == whole.sent
    assert f'"{digest_of(data)}"' == tag


@pytest.mark.parametrize("what", ["server", "database"])
def test_an_archive_that_is_being_made_is_made_anew(victim, start_on, look_into, hour, what):
    server = start_on(victim)
    api = Api(server, None)
    fill(api, look_into(victim), hour, 60_000)
    for delay in (0.05, 0.2, 0.4):
        time.sleep(delay)
        if what == "server":
            server.kill()
            server = start_on(victim)
        else:
            victim.kill()
            victim.start()
            server.wait_ready(HEALED_SECONDS)
    api = Api(server, None)
    wait_closed(api, hour)
    lines = api.get(path_of(hour)).lines
    assert lines[-1] == {"hour": name_of(hour), "messages": 60_000}
    assert len({line["id"] for line in lines[:-1]}) == 60_000


# -- under fire


def close_beneath(server, db, hour):
    """Closes the hour as a server would that finds it over, and gives the texts of the messages that its
    archive would hold."""

    def is_closed():
        return db.execute("select hour from duet.archive_next(%s)", (hour + HOUR,)).fetchone()[0]

    server.wait_until(is_closed, what="the end of those before the fence")
    with db.transaction():
        db.execute("set transaction isolation level repeatable read")
        assert db.execute("select * from duet.archive_begin(%s)", (hour,)).fetchone() == ("ok",)
        db.execute("select duet.archive_open(%s, %s)", (hour, hour + HOUR))
        rows = db.execute("select elements from duet.archive_fetch(1000000)").fetchall()
        db.execute("select duet.archive_close(%s, %s, 1, '', 1, '')", (hour, len(rows)))
    return texts_of(elements for elements, in rows)


def texts_of(messages):
    return sorted(json.loads(elements)[0]["text"] for elements in messages)


def stored(db, hour):
    return texts_of(
        elements
        for elements, in db.execute(
            "select elements from duet.mailbox where not outgoing and kind = 1"
            " and sent_at >= %s and sent_at < %s",
            (hour, hour + HOUR),
        )
    )


def test_nothing_comes_to_an_hour_that_is_closed_beneath_senders(victim, start_on, look_into):
    servers = [start_on(victim), start_on(victim)]
    db = look_into(victim)
    now = hour_before(0)
    db.execute("delete from duet.mailbox where sent_at >= %s", (now,))
    open_again(db, now)
    held = {}
    with Load(*servers) as load:
        for n in range(6):
            load.wait_for_acks(200)
            held[n] = close_beneath(servers[1], db, now + n * HOUR)
            if n == 2:
                servers[0].kill()
                servers[0] = load.servers[0] = start_on(victim)
        load.wait_for_acks(200)
    load.repeat_unanswered()
    for n, texts in held.items():
        assert texts == stored(db, now + n * HOUR)
        assert len(texts) >= 100
    sent = sorted(key for key, entry in load.journal.entries.items() if entry.acked)
    assert sorted(sum(held.values(), stored(db, now + 6 * HOUR))) == sent
    open_again(db, now)


def test_the_archive_holds_exactly_what_was_answered_with_2xx(victim, start_on, look_into, hour):
    server = start_on(victim)
    db = look_into(victim)
    with Load(server) as load:
        load.wait_for_acks(500)
        victim.kill()
        victim.start()
        server.wait_ready(HEALED_SECONDS)
        load.wait_for_acks(500)
    load.repeat_unanswered()
    db = look_into(victim)
    # It was two hours ago.
    db.execute(
        "update duet.mailbox as m set sent_at = %s + (m.sent_at - date_trunc('hour', m.sent_at))"
        " from duet.app_user as u where m.owner = u.user_no and u.user_id = any (%s)",
        (hour, load.users),
    )
    api = Api(server, None)
    open_again(db, hour)
    wait_closed(api, hour)
    *messages, last = api.get(path_of(hour)).lines
    sent = sorted(key for key, entry in load.journal.entries.items() if entry.acked)
    assert sorted(message["elements"][0]["text"] for message in messages) == sent
    assert last["messages"] == len(sent)


# -- the script


class Script:
    def __init__(self, server, folder):
        self.folder = folder / "archives"
        self._token = folder / "token"
        self._server = server
        self._token.write_text(server.token(scope="archives:read") + "\n", encoding="ascii")

    def start(self, **environment):
        return subprocess.Popen(
            ["/bin/sh", str(SCRIPT), str(self.folder)],
            env={
                **os.environ,
                "DUET_URL": self._server.url,
                "DUET_TOKEN_FILE": str(self._token),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, **environment):
        process = self.start(**environment)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def kill(self, process):
        """With its curl, as a machine that goes down."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=10)

    def files(self):
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("*.ndjson"))}

    def odd_ends(self):
        return sorted(path.name for path in self.folder.glob(".*"))


def assert_is_all(api, script, hours):
    files = script.files()
    assert sorted(files) == [f"{name_of(hour)}.ndjson" for hour in hours]
    for hour in hours:
        assert files[f"{name_of(hour)}.ndjson"] == api.get(path_of(hour)).sent
    assert script.odd_ends() == [".last"]


def hours_since(hour):
    hours = []
    while hour < hour_before(0):
        hours.append(hour)
        hour += HOUR
    return hours


@pytest.fixture(name="scene")
def fixture_scene(victim, start_on, look_into, hour, tmp_path):
    """A server with a great archive and a small one, and the script."""
    server = start_on(victim)
    api = Api(server, None)
    db = look_into(victim)
    fill(api, db, hour, 60_000)
    wait_closed(api, hour_before(1))
    return server, api, db, Script(server, tmp_path)


def test_the_script_fetches_what_is_new(scene, hour):
    _, api, db, script = scene
    assert script.run() == (0, "")
    assert_is_all(api, script, hours_since(hour))
    (script.folder / f"{name_of(hour)}.ndjson").unlink()
    assert script.run() == (0, "")
    assert f"{name_of(hour)}.ndjson" not in script.files()
    open_again(db, hour_before(1))
    wait_closed(api, hour_before(1))


def test_the_script_goes_on_where_it_was_killed(scene, hour):
    _, api, _, script = scene
    n_parts = 0
    for _ in range(4):
        process = script.start()
        end = time.monotonic() + 5
        while process.poll() is None and time.monotonic() < end:
            if any(path.stat().st_size > 0 for path in script.folder.glob(".*.part.*")):
                break
        if process.poll() is None:
            script.kill(process)
        n_parts += bool(list(script.folder.glob(".*.part.*")))
    assert n_parts >= 1
    assert script.run() == (0, "")
    assert_is_all(api, script, hours_since(hour))


def test_the_script_outlives_the_server(victim, scene, hour, start_on):
    server, api, _, script = scene
    port = server.port
    process = script.start()
    server.wait_until(
        lambda: any(path.stat().st_size > 0 for path in script.folder.glob(".*.part.*"))
        or process.poll() is not None,
        what="the first bytes",
    )
    server.kill()
    again = start_on(victim, DUET_LISTEN=f"127.0.0.1:{port}")
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "")
    assert_is_all(Api(again, None), script, hours_since(hour))


def test_two_runs_do_not_disturb_each_other(scene, hour):
    _, api, _, script = scene
    for process in [script.start() for _ in range(3)]:
        output, _ = process.communicate(timeout=120)
        assert (process.returncode, output) == (0, "")
    assert script.run() == (0, "")
    assert_is_all(api, script, hours_since(hour))


def test_a_part_that_is_damaged_is_fetched_anew(scene, hour):
    _, api, _, script = scene
    script.folder.mkdir()
    # The number of a run that has ended.
    ended = subprocess.Popen(["true"])
    ended.wait()
    for n_bytes in (1000, 100_000_000):
        part = script.folder / f".{name_of(hour)}.part.{ended.pid}"
        part.write_bytes(b"x" * n_bytes)
        assert script.run() == (0, "")
        assert_is_all(api, script, hours_since(hour))
        for path in [*script.folder.glob("*.ndjson"), script.folder / ".last"]:
            path.unlink()


def test_the_script_fills_a_gap_and_tells_what_is_lost(scene, hour):
    _, api, db, script = scene
    open_again(db, hour_before(30))
    wait_closed(api, hour_before(1))
    script.folder.mkdir()
    last = script.folder / ".last"
    last.write_text(name_of(hour_before(20)) + "\n", encoding="ascii")
    assert script.run() == (0, "")
    assert_is_all(api, script, hours_since(hour_before(19)))

    last.write_text(name_of(hour_before(33)) + "\n", encoding="ascii")
    status, output = script.run()
    assert status == 1
    assert output == (
        "duet-archives: hours are missing that the server does not keep any more: "
        f"between {name_of(hour_before(33))} and {name_of(hour_before(30))}\n"
    )
    assert_is_all(api, script, hours_since(hour_before(30)))
    assert script.run() == (0, "")


def test_the_script_tells_trouble_in_one_line(scene, tmp_path):
    server, _, _, script = scene

    def fails(message, **environment):
        status, output = script.run(**environment)
        assert (status, output.count("\n")) == (1, 1), output
        assert output.startswith("duet-archives: ") and message in output
        assert not script.files()

    fails("DUET_URL", DUET_URL="")
    fails("DUET_TOKEN_FILE", DUET_TOKEN_FILE=str(tmp_path / "nothing"))
    wrong = tmp_path / "wrong"
    wrong.write_text(server.token(scope="messages:read"), encoding="ascii")
    fails("403", DUET_TOKEN_FILE=str(wrong))
    wrong.write_text("x", encoding="ascii")
    fails("401", DUET_TOKEN_FILE=str(wrong))
    fails("curl: (7)", DUET_URL="http://127.0.0.1:9")
    script.folder.rmdir()
    script.folder.write_text("no folder", encoding="ascii")
    fails("cannot be written")


def test_the_units_name_the_script():
    for name in ("crontab", "duet-archives.service"):
        text = (SCRIPT.parent / name).read_text(encoding="utf-8")
        assert "/usr/local/bin/duet-archives /var/lib/duet-archives" in text
