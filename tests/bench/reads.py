"""Measures that reads stay quick however much there is: a user with a million messages and one with
thousands of conversations beside a user with ten of each.

Run by `./dev bench reads`. The proportions count, not the figures.
"""

import argparse
import contextlib
import datetime
import json
import pathlib
import statistics
import tempfile

import run

# Who is read: name, messages with each of so many peers.
USERS = {
    "small": (10, 10),
    "long": (1_000_000, 1),
    "wide": (1, 5_000),
}

# A conversation of p_n messages between two users, an eighth on each of the last eight days.
FILL_SQL = """
create or replace procedure bench.fill(p_user text, p_peers text, p_n bigint)
language plpgsql as $$
declare
    v_owner constant bigint := (select user_no from duet.app_user where user_id = p_user);
    v_peers constant bigint[] :=
        array(select user_no from duet.app_user where user_id like p_peers order by user_no);
    v_batch constant integer := 1000;
    v_left bigint;
    v_now integer;
    v_peer bigint;
begin
    for v_day in reverse 7 .. 0 loop
        v_left := p_n * (8 - v_day) / 8 - p_n * (7 - v_day) / 8;
        while v_left > 0 loop
            v_now := least(v_left, v_batch);
            foreach v_peer in array v_peers loop
                perform from duet.message_send_batch(
                    case when v_left % 2 = 0 then array_fill(v_owner, array[v_now])
                         else array_fill(v_peer, array[v_now]) end,
                    case when v_left % 2 = 0 then array_fill(v_peer, array[v_now])
                         else array_fill(v_owner, array[v_now]) end,
                    array_fill(1::bigint, array[v_now]),
                    array_fill(null::text, array[v_now]),
                    array_fill('[{"type":"text","text":"' || repeat('m', 200) || '"}]', array[v_now]),
                    array_fill(null::text, array[v_now]),
                    array_fill(null::text, array[v_now]),
                    array_fill(604800::bigint, array[v_now]),
                    array_fill(15::bigint, array[v_now]),
                    array_fill('bench'::text, array[v_now]),
                    array_fill('bench'::text, array[v_now]),
                    array_fill(null::text, array[v_now]),
                    array_fill(null::bytea, array[v_now]),
                    now() - v_day * interval '23 hours'
                );
            end loop;
            v_left := v_left - v_now;
            commit;
        end loop;
    end loop;
end
$$;
"""

# What is asked of each user; {middle} is a time within what there is of the last days.
PATHS = {
    "newest messages with one peer": "/v1/users/reads-{user}/messages?peer=reads-{user}-peer0",
    "oldest messages with one peer": "/v1/users/reads-{user}/messages?peer=reads-{user}-peer0&order=oldest",
    "messages with one peer before a day":
        "/v1/users/reads-{user}/messages?peer=reads-{user}-peer0&until={middle}",
    "newest messages with all": "/v1/users/reads-{user}/messages",
    "recent contacts": "/v1/users/reads-{user}/conversations",
    "unread counts": "/v1/users/reads-{user}/unread",
    "events from the start": "/v1/users/reads-{user}/events?after=0",
}
# The largest may take so many times as long as the small one. What grows with the number of conversations by
# its nature is shown without a mark.
MARK = 5
UNMARKED = {"unread counts"}


def make_data(database):
    database.execute("create schema if not exists bench")
    database.execute(FILL_SQL)
    for name, (messages, peers) in USERS.items():
        run.say(f"{name}: {messages} messages with each of {peers}")
        run.make_named_users(database, [f"reads-{name}"])
        run.make_named_users(database, [f"reads-{name}-peer{n}" for n in range(peers)])
        database.execute(
            "call bench.fill(%s, %s, %s)", f"reads-{name}", f"reads-{name}-peer%", messages
        )
    database.execute("vacuum analyze")


def measure(tools, server, folder, path, seconds):
    done = run.run_json(
        *(tools / "bench-load", "--url", server.url, "--token-file", folder / "token"),
        *("--connections", 1, "--seconds", seconds, "--warm-up", 0.3),
        *("--target", "path", "--path", path),
    )
    bad = {status: n for status, n in done["statuses"].items() if status != "200"}
    if bad:
        raise RuntimeError(f"{path}: {bad}")
    return done["p50_us"] / 1000


def main():
    parser = argparse.ArgumentParser(prog="./dev bench reads", description=__doc__.splitlines()[0])
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--duetd", required=True)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    tools = pathlib.Path(arguments.duetd).resolve().parent
    database = run.Database(arguments.cluster)
    make_data(database)

    middle = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=3)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    figures = {what: {user: [] for user in USERS} for what in PATHS}
    with tempfile.TemporaryDirectory(prefix="duet-bench.") as name, contextlib.ExitStack() as stack:
        folder = pathlib.Path(name)
        run.make_token(arguments.duetd, folder)
        server = run.Server(arguments.duetd, database, folder / "reads.log", {})
        stack.callback(server.stop)
        for _ in range(arguments.rounds):
            for what, path in PATHS.items():
                for user in USERS:
                    took = measure(tools, server, folder, path.format(user=user, middle=middle), arguments.seconds)
                    figures[what][user].append(took)

    print(f"{'p50 in ms':36}" + "".join(f"{user:>10}" for user in USERS) + "  largest / small")
    report = {}
    for what, users in figures.items():
        p50 = {user: statistics.median(values) for user, values in users.items()}
        ratio = max(p50.values()) / p50["small"]
        mark = "" if what in UNMARKED else f" <= {MARK}" + ("" if ratio <= MARK else "   not reached")
        print(
            f"{what:36}"
            + "".join(f"{value:>10.2f}" for value in p50.values())
            + f"{ratio:>10.1f}{mark}"
        )
        report[what] = {**p50, "ratio": ratio}
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
