"""Measures what event streams cost, and how soon they are told.

Run by `./dev bench streams`: what idle streams take of memory and processor; how long it takes from the commit of a
message to the streams, at half of the rate that can be sent; and what sending loses beside streams, idle ones and such that
receive everything.
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

MEMORY_MARK_MIB = 150
DELAY_MARK_MS = 20
LOSS_MARK = 0.90  # sends a second beside idle streams / alone
IDLE_PREFIX = "idle"
IDLE_SECONDS = 20
BESIDE_IDLE = 1000
TALKERS = 1000  # users who all have a stream and write to each other
ROUNDS = 3


class Streams:
    """Open streams of the first users of a prefix, held by a program of its own."""

    def __init__(self, arguments, server, folder, prefix, count, *options):
        self.process = subprocess.Popen(
            [
                str(arguments.tools / "bench-streams"),
                *("--url", server.url, "--token-file", str(folder / "token")),
                *("--prefix", prefix, "--streams", str(count), *options),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{count} streams could not be opened")

    def close(self):
        """What has come out of them."""
        out, _ = self.process.communicate()
        return json.loads(out)


def sends(arguments, server, folder, users, *options):
    done = run.run_json(
        *(arguments.tools / "bench-load", "--url", server.url, "--token-file", folder / "token"),
        *("--connections", 64, "--prefix", run.PREFIX, "--users", users),
        *("--seconds", arguments.seconds, "--warm-up", 1, *options),
    )
    bad = {status: n for status, n in done["statuses"].items() if status != "201"}
    if bad:
        raise RuntimeError(f"sends were answered {bad}")
    return done


def measure_idle(arguments, server, folder, database):
    before_mib, _ = run.memory_mib(server.pid)
    begun = time.monotonic()
    streams = Streams(arguments, server, folder, IDLE_PREFIX, arguments.streams)
    opened = time.monotonic() - begun
    time.sleep(2)
    cpu, database_cpu = run.process_cpu_seconds(server.pid), run.database_cpu_seconds(database.postmaster)
    time.sleep(IDLE_SECONDS)
    after_mib, _ = run.memory_mib(server.pid)
    result = {
        "opened_per_second": arguments.streams / opened,
        "memory_mib_before": before_mib,
        "memory_mib": after_mib,
        "cpu_percent": (run.process_cpu_seconds(server.pid) - cpu) / IDLE_SECONDS * 100,
        "database_cpu_percent": (run.database_cpu_seconds(database.postmaster) - database_cpu)
        / IDLE_SECONDS * 100,
    }
    closed = streams.close()
    if closed["lost"]:
        raise RuntimeError(f"{closed['lost']} idle streams were lost")
    return result


def measure_beside(arguments, server, folder, prefix, count, users):
    """Sends a second: alone and beside streams, by turns; and what came out of those."""
    alone, beside, out = [], [], None
    for _ in range(ROUNDS):
        alone.append(sends(arguments, server, folder, users)["rate"])
        streams = Streams(arguments, server, folder, prefix, count)
        beside.append(sends(arguments, server, folder, users)["rate"])
        out = streams.close()
    return {
        "alone": statistics.median(alone),
        "beside": statistics.median(beside),
        "ratio": statistics.median(b / a for a, b in zip(alone, beside)),
        "out": out,
    }


# A commit's time is taken before it is flushed to disk.
DELAY_SQL = """
    select
        percentile_cont(array[0.5, 0.99]) within group (order by a.at_us - c.at_us),
        max(a.at_us - c.at_us), count(*)
    from arrival as a
    join duet.app_user as u on u.user_id = %s || lpad(a.stream::text, 6, '0')
    join duet.mailbox as m on m.owner = u.user_no and m.seq = a.seq and m.sent_at >= now() - interval '1 hour'
    cross join lateral (
        select extract(epoch from pg_xact_commit_timestamp(m.xmin)) * 1000000 as at_us
    ) as c
"""


def delays(database, arrivals):
    """From commit to the stream."""
    with psycopg.connect(database.admin_url, autocommit=True) as connection:
        connection.execute("create temporary table arrival (stream integer, seq bigint, at_us bigint)")
        with connection.cursor().copy("copy arrival from stdin") as copy:
            copy.write(arrivals.read_bytes())
        connection.execute("analyze arrival")
        (p50, p99), longest, count = connection.execute(DELAY_SQL, (run.PREFIX,)).fetchone()
    return {"messages": count, "p50_ms": p50 / 1000, "p99_ms": p99 / 1000, "max_ms": float(longest) / 1000}


def measure_delay(arguments, server, folder, database, rate):
    arrivals = folder / "arrivals"
    streams = Streams(
        arguments, server, folder, run.PREFIX, TALKERS, "--arrivals", str(arrivals)
    )
    done = sends(arguments, server, folder, TALKERS, "--rate", int(rate))
    streams.close()
    return {**delays(database, arrivals), "rate": done["rate"]}


def told(what, value, mark=None, good=True):
    line = f"{what:62}{value:>12}"
    print(line + (f"   {mark}" if mark else "") + ("" if good else "   not reached"))


def main():
    parser = argparse.ArgumentParser(prog="./dev bench streams", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--cluster", required=True)
    add("--duetd", required=True)
    add("--streams", type=int, default=10_000, help="that are idle (10,000)")
    add("--seconds", type=float, default=5, help="of sending, each time (5)")
    add("--json", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    arguments.tools = pathlib.Path(arguments.duetd).resolve().parent
    database = run.Database(arguments.cluster)
    database.keep_commit_times()
    users = 100_000
    run.make_users(database, users)
    run.make_named_users(database, [f"{IDLE_PREFIX}{i:06}" for i in range(arguments.streams)])

    with tempfile.TemporaryDirectory(prefix="duet-bench.") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        run.make_token(arguments.duetd, folder)
        settings = {"DUET_MAX_STREAMS": str(arguments.streams + TALKERS)}
        server = run.Server(arguments.duetd, database, folder / "streams.log", settings)
        stack.callback(server.stop)
        run.say("idle streams")
        idle = measure_idle(arguments, server, folder, database)
        run.say("sending beside idle streams")
        beside_idle = measure_beside(arguments, server, folder, IDLE_PREFIX, BESIDE_IDLE, users)
        run.say("sending to streams")
        beside_all = measure_beside(arguments, server, folder, run.PREFIX, TALKERS, TALKERS)
        run.say("sending at half of the rate")
        delay = measure_delay(arguments, server, folder, database, beside_idle["alone"] / 2)

    n = arguments.streams
    told(f"{n:,} idle streams: MiB of duetd (before {idle['memory_mib_before']:.0f})",
         f"{idle['memory_mib']:.0f}", f"< {MEMORY_MARK_MIB}", idle["memory_mib"] < MEMORY_MARK_MIB)
    told(f"{n:,} idle streams: % of a processor, duetd", f"{idle['cpu_percent']:.1f}")
    told(f"{n:,} idle streams: % of a processor, PostgreSQL", f"{idle['database_cpu_percent']:.1f}")
    told("streams opened a second", f"{idle['opened_per_second']:,.0f}")
    told("sends a second, alone", f"{beside_idle['alone']:,.0f}")
    told(f"sends a second beside {BESIDE_IDLE:,} idle streams / alone", f"{beside_idle['ratio']:.2f}",
         f">= {LOSS_MARK}", beside_idle["ratio"] >= LOSS_MARK)
    told(f"sends a second among {TALKERS:,} users, alone", f"{beside_all['alone']:,.0f}")
    told("the same, each message to two streams / alone", f"{beside_all['ratio']:.2f}")
    told("  p99 of a message's age there, ms", f"{beside_all['out']['p99_us'] / 1000:.1f}")
    told(f"at {delay['rate']:,.0f} sends a second: messages out of streams", f"{delay['messages']:,}")
    told("  p50 from commit to stream, ms", f"{delay['p50_ms']:.1f}")
    told("  p99 from commit to stream, ms", f"{delay['p99_ms']:.1f}", f"< {DELAY_MARK_MS}",
         delay["p99_ms"] < DELAY_MARK_MS)
    told("  longest, ms", f"{delay['max_ms']:.1f}")
    if arguments.json:
        report = {"idle": idle, "beside_idle": beside_idle, "beside_all": beside_all, "delay": delay}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
