"""The disk that messages are on is full: they are refused, and nothing else is the worse for it."""

import contextlib
import os
import pathlib
import pwd
import secrets
import subprocess
import tempfile

import psycopg
import pytest

from support import text_message
from support.cluster import Cluster
from support.load import Load
from support.server import migrate

MESSAGES_MIB = 32
CLUSTER_MIB = 320
HEALED_SECONDS = 10


@pytest.fixture(name="disk")
def fixture_disk(request):
    """A small disk of its own, in memory, where PostgreSQL may write. The parameter is its size."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    owner = pwd.getpwnam("postgres")
    folder = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp", prefix="duet-disk."))
    folder.chmod(0o711)
    options = f"size={request.param}m,mode=700,uid={owner.pw_uid},gid={owner.pw_gid}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", folder],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    try:
        if mounted.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        yield folder
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


@pytest.fixture(name="messages_on")
def fixture_messages_on(start_cluster, look_into):
    """messages_on(folder): a cluster that has its messages, and nothing else, there."""

    def make(folder):
        cluster = start_cluster()
        connection = look_into(cluster)
        connection.execute(f"create tablespace small location '{folder}'")
        for (table,) in connection.execute(
            "select inhrelid::regclass::text from pg_inherits"
            " where inhparent = 'duet.mailbox'::regclass"
        ).fetchall():
            connection.execute(f"alter table {table} set tablespace small")
        return cluster

    return make


def fill(folder):
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            while True:
                try:
                    file.write(b"\0" * size)
                except OSError:
                    break
    return filler


@pytest.mark.parametrize("disk", [MESSAGES_MIB], indirect=True)
def test_a_full_disk_refuses_messages_and_keeps_what_there_is(
    disk, messages_on, start_on, look_into, client_of
):
    cluster = messages_on(disk)
    server = start_on(cluster)
    api = client_of(server)
    with Load(server) as load:
        ann, bob = load.users[:2]
        load.wait_for_acks(100)
        filler = fill(disk)
        # The last pages of table and indexes have room for a few more; for this one they have not.
        server.wait_until(
            lambda: any(document["code"] == "storage_full" for _, _, document in load.refusals),
            what="the first refusal",
        )
        reply = api.post("/v1/messages", text_message(ann, bob, secrets.token_hex(5000)))
        assert (reply.status, reply.code) == (503, "storage_full")
        assert reply.json["outcome"] == "not_applied"
        assert reply.headers["Retry-After"]
        assert api.get(f"/v1/users/{ann}/messages").status == 200
        assert api.get(f"/v1/users/{bob}/events?after=0").status == 200
        assert server.probe("/readyz") == 200
        filler.unlink()
        load.wait_for_acks(50, timeout=HEALED_SECONDS)
    load.check(look_into(cluster))


@pytest.mark.parametrize("disk", [CLUSTER_MIB], indirect=True)
def test_a_disk_too_full_for_the_write_ahead_log_ends_postgresql_and_loses_nothing(
    disk, start_on, look_into
):
    cluster = Cluster(disk / "cluster")
    cluster.start()
    try:
        migrate(cluster)
        server = start_on(cluster)
        with Load(server) as load:
            load.wait_for_acks(100)
            filler = fill(disk)
            with contextlib.suppress(psycopg.Error):
                look_into(cluster).execute("select pg_switch_wal()")
            server.wait_until(lambda: server.probe("/readyz") == 503, what="the end")
            assert server.probe("/healthz") == 200
            filler.unlink()
            cluster.start()
            load.wait_for_acks(50, timeout=HEALED_SECONDS)
        load.check(look_into(cluster))
        server.stop()
    finally:
        cluster.remove()
