"""Measures how fast a notification fills mailboxes, and what single sends beside it notice.

Run by `./dev bench notifications`. The proportions count, and the rate: 100,000 users a minute.
"""

import argparse
import contextlib
import json
import pathlib
import statistics
import tempfile
import time
import urllib.request

import run

RATE_MARK = 100_000  # users a minute
WAIT_MARK = 3  # p99 of sends beside a notification / their usual one
BURST_SECONDS = 3
POLL_SECONDS = 0.1


class Client:
    def __init__(self, server, folder):
        self._server = server
        self._token = (folder / "token").read_text(encoding="utf-8").strip()

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            self._server.url + path,
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)

    def notify(self):
        body = {"to": {"all": True}, "text": "m" * 200}
        return "/v1/notifications/" + self.ask("POST", "/v1/notifications", body)["id"]

    def finish(self, path):
        while (one := self.ask("GET", path))["state"] == "running":
            time.sleep(POLL_SECONDS)
        return one


def sends(arguments, server, folder):
    """Single sends for a while: p50 and p99 in ms, and how many a second."""
    done = run.run_json(
        *(arguments.tools / "bench-load", "--url", server.url, "--token-file", folder / "token"),
        *("--connections", arguments.connections, "--prefix", run.PREFIX),
        *("--users", min(arguments.users, 100_000), "--seconds", BURST_SECONDS, "--warm-up", 0.3),
    )
    bad = {status: n for status, n in done["statuses"].items() if status != "201"}
    if bad:
        raise RuntimeError(f"sends were answered {bad}")
    return done


def measure_beside(arguments, client, server, folder):
    """Sends for as long as one notification runs."""
    path, bursts = client.notify(), []
    begun = time.monotonic()
    before = client.ask("GET", path)
    while (one := client.ask("GET", path))["state"] == "running":
        bursts.append(sends(arguments, server, folder))
    took = time.monotonic() - begun
    if one["finished_at"] and len(bursts) > 1:
        bursts.pop()  # the notification came to its end in it
        took = None
    rate = one["rate"] * 60 if took is None else (one["delivered"] - before["delivered"]) / took * 60
    return rate, bursts


def main():
    parser = argparse.ArgumentParser(
        prog="./dev bench notifications", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("--cluster", required=True)
    add("--duetd", required=True)
    add("--users", type=int, default=1_000_000, help="mailboxes to fill (1,000,000)")
    add("--connections", type=int, default=8, help="that send beside it (8)")
    add("--json", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    arguments.tools = pathlib.Path(arguments.duetd).resolve().parent
    database = run.Database(arguments.cluster)
    run.make_users(database, arguments.users)

    with tempfile.TemporaryDirectory(prefix="duet-bench.") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        run.make_token(arguments.duetd, folder)
        server = run.Server(arguments.duetd, database, folder / "notifications.log", {})
        stack.callback(server.stop)
        client = Client(server, folder)
        sends(arguments, server, folder)
        usual = [sends(arguments, server, folder) for _ in range(3)]
        rate, beside = measure_beside(arguments, client, server, folder)
        run.say("once more, with nothing beside it")
        begun = time.monotonic()
        alone = client.finish(client.notify())
        rate_alone = alone["delivered"] / (time.monotonic() - begun) * 60

    def middle(bursts, figure):
        return statistics.median(burst[figure] for burst in bursts)

    p99 = {what: middle(bursts, "p99_us") / 1000 for what, bursts in (("usual", usual), ("beside", beside))}
    report = {
        "users": arguments.users,
        "rate_per_minute": rate,
        "rate_per_minute_alone": rate_alone,
        "sends_per_second": middle(usual, "rate"),
        "sends_per_second_beside": middle(beside, "rate"),
        "p50_ms": middle(usual, "p50_us") / 1000,
        "p50_ms_beside": middle(beside, "p50_us") / 1000,
        "p99_ms": p99["usual"],
        "p99_ms_beside": p99["beside"],
        "max_ms": max(burst["max_us"] for burst in usual) / 1000,
        "max_ms_beside": max(burst["max_us"] for burst in beside) / 1000,
    }
    print(f"{'':48}{'usual':>12}{'beside':>12}")
    for what, figure in (("sends a second", "sends_per_second"), ("p50 ms", "p50_ms"),
                         ("p99 ms", "p99_ms"), ("max ms", "max_ms")):
        print(f"{what:48}{report[figure]:>12,.2f}{report[figure + '_beside']:>12,.2f}")
    print(f"{'users a minute, with nothing beside it':48}{rate_alone:>12,.0f}")
    print(f"{'users a minute, beside sends':48}{rate:>12,.0f}   >= {RATE_MARK:,}"
          + ("" if rate >= RATE_MARK else "   not reached"))
    ratio = p99["beside"] / p99["usual"]
    print(f"{'p99 of sends: beside / usual':48}{ratio:>12.2f}   < {WAIT_MARK}"
          + ("" if ratio < WAIT_MARK else "   not reached"))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
