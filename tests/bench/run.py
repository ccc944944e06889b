"""Measures sending, from the bare database up to the server, and sets the pieces in proportion.

The figures of one machine, or of one minute on it, say little; the proportions say what the server
costs above the function, and the function above the database. So all pieces run on one database, in
rounds, each round in another order, and the median of the rounds is told. README.md says more.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import psycopg

HERE = pathlib.Path(__file__).resolve().parent
DEV = HERE.parent.parent / "dev"
PREFIX = "bench"
PRELOAD_DAYS = 8
TICKS = os.sysconf("SC_CLK_TCK")
SERVER_START_SECONDS = 30
SERVER_STOP_SECONDS = 30
SETTLE_SECONDS = 0.3

USERS_SQL = """
select count(*)
from unnest(%s::text[]) with ordinality as u(id, n),
     duet.user_put(
         p_user => u.id, p_nick => 'User ' || n, p_avatar_url => null,
         p_gender => null, p_birthday => null, p_language => null, p_location => null,
         p_signature => null, p_level => null, p_custom => null, p_friend_policy => null) as made
where made.outcome = 'ok'
"""

# A row of the size of a message, without anything that a message needs beside it.
SINGLE_ROW_SQL = """
drop schema if exists bench cascade;
create schema bench;
create table bench.single_row (
    id bigint generated always as identity primary key,
    sender bigint not null,
    receiver bigint not null,
    sent_at timestamptz not null default now(),
    body text not null
);
"""

SINGLE_ROW_SCRIPT = f"""\\set sender random(1, 100000)
\\set receiver random(1, 100000)
insert into bench.single_row (sender, receiver, body) values (:sender, :receiver, '{"m" * 200}');
"""

PIECES = {
    "single_row": "pgbench, one row a transaction, 16 clients",
    "function": "function, 2 connections, batches of 256",
    "function_one": "function, 1 connection, one message",
    "server_1": "server, 1 connection",
    "server_64": "server, 64 connections",
    "server_256": "server, 256 connections",
    "server_256_single": "server, 256 connections, batches of one",
    "v4_256": "server, 256 connections, POST /v4/openim/sendmsg",
    "healthz_256": "server, 256 connections, GET /healthz",
    "history_64": "server, 64 connections, 20 messages of history",
}

# Measured one after the other, because they are divided by each other and a machine may be faster in
# one minute than in the next.
TOGETHER = (("function_one", "server_1"), ("server_64", "function", "server_256"))

# name, which figure, of what, divided by that of what, the mark, whether it is to be above the mark
RATIOS = (
    ("function / single row", "rate", "function", "single_row", 0.60, True),
    ("server 256 / function", "rate", "server_256", "function", 0.65, True),
    ("server 64 / function", "rate", "server_64", "function", 0.50, True),
    ("p50 of one: server / function", "p50_us", "server_1", "function_one", 2, False),
    ("v4 256 / server 256", "rate", "v4_256", "server_256", 0.85, True),
    ("server 256: batches / of one", "rate", "server_256", "server_256_single", 2.5, True),
)


def say(text):
    print(text, file=sys.stderr, flush=True)


def run_json(*command):
    """A program's one line of JSON; its complaints go where ours go."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


# --- what processes use ---


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name, which may hold anything."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def process_cpu_seconds(pid):
    fields = stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def database_cpu_seconds(postmaster):
    """The postmaster, its children, and those of them that have ended."""
    own = stat_fields(postmaster)
    ticks = sum(int(field) for field in own[11:15])
    for entry in os.listdir("/proc"):
        fields = stat_fields(entry) if entry.isdigit() else None
        if fields and int(fields[1]) == postmaster:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def memory_mib(pid):
    """Resident now and at most, in MiB."""
    sizes = {}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            sizes[name] = int(value.split()[0]) / 1024
    return sizes["VmRSS"], sizes["VmHWM"]


# --- the database ---


class Database:
    def __init__(self, directory):
        self.directory = directory
        self.postmaster = int(self._dev("pid"))
        self.admin_url = self._dev("url")
        self.server_url = self._dev("url", "duet_server")

    def _dev(self, action, *arguments):
        command = [str(DEV), "cluster", action, self.directory, *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        return done.stdout.strip()

    def keep_commit_times(self):
        """From now on pg_xact_commit_timestamp tells them."""
        self.execute("alter system set track_commit_timestamp = on")
        self._dev("stop", "fast")
        self._dev("start")
        self.postmaster = int(self._dev("pid"))

    def execute(self, sql, *values):
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            cursor = connection.execute(sql, values or None)
            return cursor.fetchone() if cursor.description else None

    @contextlib.contextmanager
    def without_archiver(self):
        """The archive of an hour that ends meanwhile is made afterwards: it would take a processor for
        a minute from whatever is being measured then."""
        with psycopg.connect(self.admin_url) as connection:
            connection.execute("select duet.archive_lock()")
            yield


def make_users(database, users):
    (known,) = database.execute(
        "select count(*) from duet.app_user where user_id like %s", PREFIX + "%"
    )
    if known >= users:
        return
    say(f"making {users} users")
    make_named_users(database, [f"{PREFIX}{n:06}" for n in range(users)])
    database.execute("vacuum analyze duet.app_user, duet.mailbox_head")


def make_named_users(database, names):
    (made,) = database.execute(USERS_SQL, names)
    if made != len(names):
        raise RuntimeError(f"{len(names) - made} users could not be made")


def preload(database, tools, arguments):
    """Messages through the sending function itself, a part of them on each of the last days.

    Each day the users are shared out anew among the connections: two who were kept apart for good
    would never come to know each other.
    """
    (copies,) = database.execute("select count(*) from duet.mailbox")
    missing = arguments.messages - copies // 2
    if missing <= 0:
        return
    start = time.monotonic()
    for day in range(PRELOAD_DAYS - 1, -1, -1):
        (now,) = database.execute("select (now() - %s * interval '1 day')::text", day)
        say(f"storing {missing // PRELOAD_DAYS} messages of {now[:10]}")
        run_json(
            *(tools / "bench-function", "--database", database.server_url),
            *("--count", missing // PRELOAD_DAYS, "--batch", 1000),
            *("--split", day + 1, "--now", now, *crowd(arguments)),
        )
        if day == PRELOAD_DAYS - 1:
            database.execute("analyze")
    say(f"stored {missing} messages in {time.monotonic() - start:.0f} s")
    database.execute("vacuum analyze")
    database.execute("checkpoint")


def crowd(arguments):
    return (
        *("--prefix", PREFIX, "--users", arguments.users),
        *("--contacts", arguments.contacts, "--skew", arguments.skew),
    )


# --- the server ---


class Server:
    def __init__(self, duetd, database, log, settings):
        self.log = log
        inherited = {n: v for n, v in os.environ.items() if not n.startswith("DUET")}
        with log.open("wb") as file:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                [duetd, "serve"],
                env={
                    **inherited,
                    "DUET_LISTEN": "127.0.0.1:0",
                    "DUET_DATABASE_URL": database.server_url,
                    "DUET_KEYS_FILE": str(log.parent / "keys.json"),
                    **settings,
                },
                stdin=subprocess.DEVNULL,
                stderr=file,
            )
        self.url = f"http://{self._address()}"

    @property
    def pid(self):
        return self.process.pid

    def _address(self):
        end = time.monotonic() + SERVER_START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.log.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    entry = json.loads(line)
                    if entry.get("event") == "listening":
                        return entry["address"]
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"duetd did not start:\n{self.log.read_text(encoding='utf-8')}")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(SERVER_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def make_token(duetd, folder):
    """A key and a token of this run alone."""
    secret = secrets.token_urlsafe(32)
    keys = {"keys": [{"kid": "bench", "alg": "HS256", "secret": secret}]}
    (folder / "keys.json").write_text(json.dumps(keys), encoding="utf-8")
    (folder / "keys.json").chmod(0o600)
    inherited = {n: v for n, v in os.environ.items() if not n.startswith("DUET")}
    done = subprocess.run(
        [duetd, "token", "--subject", "bench", "--scope", "admin", "--expires-in", "86400"],
        env={**inherited, "DUET_KEYS_FILE": str(folder / "keys.json")},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    (folder / "token").write_text(done.stdout, encoding="utf-8")


V4 = {"DUET_V4_APP_ID": "1400000001", "DUET_V4_KEY": secrets.token_hex(32)}


def v4_path(duetd):
    """Where /v4 takes messages, with the signature of its administrator."""
    inherited = {n: v for n, v in os.environ.items() if not n.startswith("DUET")}
    done = subprocess.run(
        [duetd, "usersig", "--identifier", "administrator"],
        env={**inherited, **V4},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    query = f"sdkappid={V4['DUET_V4_APP_ID']}&identifier=administrator&usersig={done.stdout.strip()}"
    return f"/v4/openim/sendmsg?{query}&random=1&contenttype=json"


# --- the pieces ---


class Bench:
    def __init__(self, arguments, database, folder):
        self.arguments = arguments
        self.database = database
        self.folder = folder
        self.servers = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            server.stop()

    def start(self):
        wanted = {self._server_of(piece) for piece in self.arguments.only} - {None}
        if wanted:
            make_token(self.arguments.duetd, self.folder)
        for name in sorted(wanted):
            settings = {**V4, **dict(self.arguments.setting)}
            if name == "single":
                settings["DUET_SEND_BATCH"] = "1"
            self.servers[name] = Server(
                self.arguments.duetd, self.database, self.folder / f"{name}.log", settings
            )

    @staticmethod
    def _server_of(piece):
        if piece == "server_256_single":
            return "single"
        return "usual" if piece.startswith(("server", "v4", "healthz", "history")) else None

    def warm(self):
        """The server remembers its users; one that has run for a while has seen them all."""
        if "usual" in self.servers:
            self._load("usual", 256, "--once", "--seconds", 60)

    def measure(self, piece):
        server = self.servers.get(self._server_of(piece))
        before = database_cpu_seconds(self.database.postmaster)
        server_before = process_cpu_seconds(server.pid) if server else 0
        result = self._run(piece)
        done = result["finished_ever"]
        if not done:
            raise RuntimeError(f"{piece}: nothing was done")
        # Backends that are just ending would be seen neither as children nor as ended ones.
        time.sleep(SETTLE_SECONDS)
        # Over the warm-up too, as the count is.
        result["database_cpu_us"] = (
            (database_cpu_seconds(self.database.postmaster) - before) * 1e6 / done
        )
        if server:
            if server.process.poll() is not None:
                raise RuntimeError(f"{piece}: duetd has ended")
            result["server_cpu_us"] = (process_cpu_seconds(server.pid) - server_before) * 1e6 / done
            result["memory_mib"], result["memory_most_mib"] = memory_mib(server.pid)
        return result

    def _run(self, piece):
        if piece == "single_row":
            return self._pgbench()
        if piece == "function":
            return self._function(2, 256)
        if piece == "function_one":
            return self._function(1, 1)
        target, connections, *_ = piece.split("_")
        more = ("--path", v4_path(self.arguments.duetd)) if target == "v4" else ()
        return self._load(
            self._server_of(piece),
            connections,
            *("--target", {"server": "send"}.get(target, target), *more, *self._times()),
        )

    def _load(self, server, connections, *options):
        return run_json(
            *(self.arguments.tools / "bench-load", "--url", self.servers[server].url),
            *("--token-file", self.folder / "token", "--connections", connections),
            *crowd(self.arguments),
            *options,
        )

    def _times(self):
        return ("--seconds", self.arguments.seconds, "--warm-up", self.arguments.warm_up)

    def _function(self, connections, batch):
        return run_json(
            *(self.arguments.tools / "bench-function", "--database", self.database.server_url),
            *("--connections", connections, "--batch", batch),
            *self._times(),
            *crowd(self.arguments),
        )

    def _pgbench(self):
        script = self.folder / "single_row.sql"
        script.write_text(SINGLE_ROW_SCRIPT, encoding="utf-8")
        command = [
            *(pgbench_path(), "--no-vacuum", "--client=16", "--jobs=2", "--protocol=prepared"),
            *(f"--time={max(1, round(self.arguments.seconds))}", f"--file={script}"),
            self.database.admin_url,
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        values = {}
        for line in done.stdout.splitlines():
            name, _, value = line.replace("=", ":").partition(":")
            values[name.strip()] = value.split("(")[0].split("/")[0].strip()
        return {
            "rate": float(values["tps"]),
            "mean_us": float(values["latency average"].removesuffix("ms")) * 1000,
            "finished_ever": int(values["number of transactions actually processed"]),
        }


def pgbench_path():
    """Debian puts it beside the server, for the version in use."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("15/bin/pgbench"))
    return str(found[0]) if found else shutil.which("pgbench") or "pgbench"


# --- the report ---


def medians(rounds):
    """Of each number of each piece; of `statuses` the sums."""
    result = {}
    for piece in PIECES:
        runs = [done[piece] for done in rounds if piece in done]
        if not runs:
            continue
        result[piece] = {
            name: statistics.median(run[name] for run in runs)
            for name, value in runs[0].items()
            if isinstance(value, (int, float))
        }
        statuses = {}
        for run in runs:
            for status, count in run.get("statuses", {}).items():
                statuses[status] = statuses.get(status, 0) + count
        if statuses:
            result[piece]["statuses"] = statuses
    return result


def ratios(rounds):
    """Of each the median of the rounds: what is divided was measured within the same minutes."""
    found = []
    for name, figure, above, below, mark, is_least in RATIOS:
        values = [
            done[above][figure] / done[below][figure]
            for done in rounds
            if above in done and below in done
        ]
        if values:
            value = statistics.median(values)
            reached = value >= mark if is_least else value < mark
            found.append(
                {"name": name, "value": value, "mark": mark, "least": is_least, "reached": reached}
            )
    return found


def cell(values, name, divisor=1, digits=0):
    return f"{values[name] / divisor:,.{digits}f}" if name in values else "-"


def print_report(pieces, found):
    heads = ("per second", "p50 ms", "p99 ms", "max ms", "CPU µs srv", "CPU µs db", "MiB")
    print(f"{'':48}" + "".join(f"{head:>12}" for head in heads))
    for piece, values in pieces.items():
        cells = (
            cell(values, "rate"),
            cell(values, "p50_us", 1000, 2)
            if "p50_us" in values
            else "~" + cell(values, "mean_us", 1000, 2),
            cell(values, "p99_us", 1000, 2),
            cell(values, "max_us", 1000, 1),
            cell(values, "server_cpu_us", digits=1),
            cell(values, "database_cpu_us", digits=1),
            cell(values, "memory_mib", digits=1),
        )
        print(f"{PIECES[piece]:48}" + "".join(f"{text:>12}" for text in cells))
        bad = {s: n for s, n in values.get("statuses", {}).items() if s not in ("200", "201")}
        if bad or values.get("lost") or values.get("refused"):
            lost, refused = (round(values.get(name, 0)) for name in ("lost", "refused"))
            print(f"    not as it should be: statuses {bad}, lost {lost}, refused {refused}")
    print()
    for ratio in found:
        sign = ">=" if ratio["least"] else "<"
        verdict = "" if ratio["reached"] else "   not reached"
        print(f"{ratio['name']:48}{ratio['value']:>12.2f}   {sign} {ratio['mark']}{verdict}")


# --- the command ---


def parse_setting(text):
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("DUET_"):
        raise argparse.ArgumentTypeError("wants DUET_NAME=VALUE")
    return name, value


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("only", nargs="*", metavar="PIECE", help="the pieces to measure: " + ", ".join(PIECES))
    add("--quick", action="store_true", help="a short look: few messages, one round of 3 s each")
    add("--rounds", type=int, help="rounds over all pieces (3)")
    add("--seconds", type=float, help="how long each piece is measured in each round (10)")
    add("--warm-up", type=float, help="seconds before that which do not count (2)")
    add("--messages", type=int, help="messages stored beforehand (2,000,000)")
    add("--users", type=int, default=100000, help="users who write to each other (100,000)")
    add("--contacts", type=int, default=20, help="others to whom each of them writes (20)")
    add("--skew", type=int, default=3, help="1: all alike; more: a few of them busier (3)")
    add("--setting", type=parse_setting, action="append", default=[], metavar="DUET_NAME=VALUE",
        help="a setting of the server, else as it comes")
    add("--json", type=pathlib.Path, metavar="FILE", help="write all figures there too")
    add("--cluster", required=True, metavar="DIR", help="as ./dev cluster start made it")
    add("--duetd", help="the server; without it the database alone is measured")
    add("--tools", type=pathlib.Path, help="where bench-load and bench-function are (beside duetd)")
    arguments = parser.parse_args()

    usual = (1, 3.0, 1.0, 100_000) if arguments.quick else (3, 10.0, 2.0, 2_000_000)
    for name, value in zip(("rounds", "seconds", "warm_up", "messages"), usual):
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if unknown := set(arguments.only) - set(PIECES):
        parser.error(f"no such piece: {', '.join(sorted(unknown))}")
    if not arguments.tools:
        if not arguments.duetd:
            parser.error("--tools is needed where there is no --duetd")
        arguments.tools = pathlib.Path(arguments.duetd).resolve().parent
    local = ("single_row", "function", "function_one")
    arguments.only = [
        piece
        for piece in PIECES
        if piece in (arguments.only or PIECES) and (arguments.duetd or piece in local)
    ]
    return arguments


def shuffled(pieces):
    """Another order each time, forwards or backwards for those that stay together."""
    groups = [[piece for piece in group if piece in pieces] for group in TOGETHER]
    groups += [[piece] for piece in pieces if not any(piece in group for group in TOGETHER)]
    turned = [random.choice((group, group[::-1])) for group in groups]
    return [piece for group in random.sample(turned, len(turned)) for piece in group]


def measure_rounds(arguments, database, folder):
    rounds = []
    with database.without_archiver(), Bench(arguments, database, folder) as bench:
        bench.start()
        bench.warm()
        for number in range(arguments.rounds):
            done = {}
            for piece in shuffled(arguments.only):
                done[piece] = bench.measure(piece)
                say(f"round {number + 1}: {PIECES[piece]}: {done[piece]['rate']:,.0f}/s")
            rounds.append(done)
    return rounds


def main():
    arguments = parse_arguments()
    database = Database(arguments.cluster)
    make_users(database, arguments.users)
    preload(database, arguments.tools, arguments)
    database.execute(SINGLE_ROW_SQL)
    with tempfile.TemporaryDirectory(prefix="duet-bench.") as folder:
        rounds = measure_rounds(arguments, database, pathlib.Path(folder))
    pieces = medians(rounds)
    found = ratios(rounds)
    print_report(pieces, found)
    if arguments.json:
        report = {"pieces": pieces, "ratios": found, "rounds": rounds}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
