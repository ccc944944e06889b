"""Measures how fast an archive comes, beside `psql \\copy` of the same rows, and what memory that takes.

Run by `./dev bench archives`. The proportion counts, not the figures.
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import psycopg

import run

PSQL = "/usr/lib/postgresql/15/bin/psql"
RATE_MARK = 0.5  # of what \copy gives
MEMORY_MARK = 16  # MiB
DAY_HOURS = 26  # so long ago: its day is over, and nobody writes there

# Messages of an hour among all users, as they are stored: both copies, in the order of time.
FILL_SQL = """
with pair as (
    select
        i,
        1 + (hashint8(i) & 2147483647) %% %(users)s as sender,
        1 + (hashint8(i + %(messages)s) & 2147483647) %% %(users)s as receiver,
        %(hour)s::timestamptz + i * interval '3600 seconds' / %(messages)s as sent_at
    from generate_series(0, %(messages)s - 1) as i
),
text as (
    select p.*, json_build_array(json_build_object('type', 'text', 'text', left(
        md5(i::text) || md5((-i)::text) || repeat(md5((i %% 7)::text), 5), 200)))::text as elements
    from pair as p
    where p.sender <> p.receiver
)
insert into duet.mailbox (
    owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, sent_by, client_id, elements
)
select
    u.user_no, 1000000000 + t.i * 2 + o.n, t.sent_at, w.user_no, 1000000000 + t.i * 2 + 1 - o.n, t.i, 1, 15,
    o.n = 0, 'bench', t.i::text, t.elements
from text as t
cross join (values (0), (1)) as o(n)
join pg_temp.numbered as u on u.n = case o.n when 0 then t.sender else t.receiver end
join pg_temp.numbered as w on w.n = case o.n when 0 then t.receiver else t.sender end
order by t.i, o.n
"""

COPY_SQL = (
    "\\copy (select m.* from duet.mailbox as m"
    " where m.sent_at >= '{hour}' and m.sent_at < timestamptz '{hour}' + interval '1 hour' and not m.outgoing)"
    " to '{file}'"
)


def make_hour(database, arguments):
    run.say(f"storing {arguments.messages} messages in an hour")
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        (hour,) = connection.execute(
            "select date_trunc('hour', now(), 'UTC') - %s * interval '1 hour'", (DAY_HOURS,)
        ).fetchone()
        connection.execute(
            "create temporary table numbered as"
            " select row_number() over (order by user_no) as n, user_no from duet.app_user"
            " where user_id like %s",
            (run.PREFIX + "%",),
        )
        connection.execute("create unique index on numbered (n)")
        connection.execute("analyze numbered")
        values = {"users": arguments.users, "messages": arguments.messages, "hour": hour}
        connection.execute(FILL_SQL, values)
        connection.execute("vacuum analyze duet.mailbox")
        connection.execute("checkpoint")
        # The archives come to this hour first.
        connection.execute("delete from duet.archive")
        connection.execute("update duet.archive_gate set closed_until = %s", (hour,))
    return hour


class Client:
    def __init__(self, server, folder, hour):
        self._server = server
        self._token = folder / "token"
        self.path = hour.strftime("/v1/archives/%Y-%m-%dT%H")

    def fetch(self, *options, path=None):
        """(seconds, bytes, status) of curl."""
        command = [
            *("curl", "-sS", "-o", "/dev/null", "-w", "%{time_total} %{size_download} %{http_code}"),
            *("-H", "Authorization: Bearer " + self._token.read_text(encoding="ascii").strip()),
            *options,
            self._server.url + (path or self.path),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        seconds, size, status = done.stdout.split()
        return float(seconds), int(size), int(status)

    def wait_made(self):
        while self.fetch("--head")[2] != 200:
            time.sleep(0.1)


def copy(database, hour, file):
    begun = time.monotonic()
    statement = COPY_SQL.format(hour=hour.isoformat(), file=file)
    subprocess.run(
        [PSQL, "-qX", "-d", database.admin_url, "-c", statement], check=True, stdout=subprocess.DEVNULL
    )
    return time.monotonic() - begun


def made_line(log):
    for line in log.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry.get("event") == "archive_made":
            return entry
    raise RuntimeError("the log has no archive_made")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench archives", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--cluster", required=True)
    add("--duetd", required=True)
    add("--messages", type=int, default=1_000_000, help="of the hour (1,000,000)")
    add("--users", type=int, default=100_000, help="who write to each other (100,000)")
    add("--rounds", type=int, default=5)
    add("--json", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    database = run.Database(arguments.cluster)
    run.make_users(database, arguments.users)
    hour = make_hour(database, arguments)

    with tempfile.TemporaryDirectory(prefix="duet-bench.") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        run.make_token(arguments.duetd, folder)
        log = folder / "archives.log"
        server = run.Server(arguments.duetd, database, log, {})
        stack.callback(server.stop)
        client = Client(server, folder, hour)
        client.fetch(path="/v1/archives")
        fresh, _ = run.memory_mib(server.process.pid)
        run.say("making the archive")
        client.wait_made()
        made = made_line(log)
        _, most_making = run.memory_mib(server.process.pid)
        before, _ = run.memory_mib(server.process.pid)
        figures = {"identity": [], "gzip": [], "copy": []}
        for _ in range(arguments.rounds):
            figures["copy"].append(copy(database, hour, "/dev/null"))
            seconds, size, _ = client.fetch()
            figures["identity"].append(seconds)
            seconds, packed, _ = client.fetch("-H", "Accept-Encoding: gzip")
            figures["gzip"].append(seconds)
        after, most = run.memory_mib(server.process.pid)

    n = made["messages"]
    rate = {what: n / statistics.median(values) for what, values in figures.items()}
    report = {
        "messages": n,
        "bytes": size,
        "gzip_bytes": packed,
        "made_per_second": n / (made["us"] / 1e6),
        **{f"{what}_per_second": value for what, value in rate.items()},
        "ratio": rate["identity"] / rate["copy"],
        "memory_mib": {"fresh": fresh, "making": most_making - fresh, "streaming": max(most, after) - before},
    }
    print(f"{'messages of the hour':44}{n:>14,}")
    print(f"{'bytes, and as a gzip file':44}{size:>14,}{packed:>14,}")
    print(f"{'made, messages a second':44}{report['made_per_second']:>14,.0f}")
    print(f"{'psql copy of the same rows, rows a second':44}{rate['copy']:>14,.0f}")
    print(f"{'the archive, messages a second':44}{rate['identity']:>14,.0f}")
    print(f"{'the archive as gzip, messages a second':44}{rate['gzip']:>14,.0f}")
    print(
        f"{'the archive / psql copy':44}{report['ratio']:>14.2f}   >= {RATE_MARK}"
        + ("" if report["ratio"] >= RATE_MARK else "   not reached")
    )
    for what in ("making", "streaming"):
        grown = report["memory_mib"][what]
        print(
            f"{'memory of the server, ' + what + ', MiB more':44}{grown:>14.1f}   < {MEMORY_MARK}"
            + ("" if grown < MEMORY_MARK else "   not reached")
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
