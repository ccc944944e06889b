"""Users who change, come and go on two servers while messages are sent to them."""

import concurrent.futures
import os
import random

import psycopg
import pytest

from support import text_message
from support.client import Api
from support.database import deadlocks, n_waiting

CLIENTS = 8
ROUNDS = int(os.environ.get("TEST_ROUNDS", "4"))
CALLS = 25 * ROUNDS  # of each client


@pytest.fixture(name="pair")
def fixture_pair(start_server):
    return [start_server(), start_server()]


def at_once(pair, work):
    """work(api, number) by each client; what it has given back."""
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        running = [
            pool.submit(work, Api(pair[number % 2], contract=None), number)
            for number in range(CLIENTS)
        ]
        return [one.result() for one in running]


def assert_no_gaps(db, users):
    """Their mailboxes hold the numbers up to their last_seq. Of users who are no more nothing is asked."""
    wrong = db.execute(
        "select h.owner, h.last_seq, count(m.seq), max(m.seq) from duet.mailbox_head h"
        " join duet.app_user u on u.user_no = h.owner and u.user_id = any (%s)"
        " left join duet.mailbox m on m.owner = h.owner group by h.owner, h.last_seq"
        " having h.last_seq <> count(m.seq) or h.last_seq <> coalesce(max(m.seq), 0)",
        (users,),
    ).fetchall()
    assert wrong == []


def wait_until_announced(api, server, db, users):
    """What imports have changed is told by a job, which this call or pg_cron runs."""

    def announced():
        api.post("/v1/jobs/profile_announce/run")
        return not db.execute(
            "select from duet.profile_change join duet.app_user using (user_no) where user_id = any (%s)",
            (users,),
        ).fetchall()

    server.wait_until(announced, timeout=60, what="the profiles to be told")


def test_friends_who_all_change_their_names_and_write_wait_for_each_other(pair, user, db, api):
    users = [user(nick="Start") for _ in range(4)]
    for one in users:
        for other in users:
            if one < other:
                assert api.put(f"/v1/users/{one}/friends/{other}", {}).status in (200, 201)

    def work(caller, number):
        statuses = []
        for call in range(CALLS):
            one, other = random.sample(users, 2)
            nick = f"{number}-{call}"
            statuses.append(
                random.choice(
                    (
                        lambda: caller.put(f"/v1/users/{one}", {"nick": nick}),
                        lambda: caller.patch(f"/v1/users/{one}", {"nick": nick}),
                        lambda: caller.post(
                            "/v1/users",
                            {"users": [{"id": one, "nick": nick}, {"id": other, "nick": nick}]},
                        ),
                        lambda: caller.post("/v1/messages", text_message(one, other, nick)),
                    )
                )().status
            )
        return statuses

    told = [status for statuses in at_once(pair, work) for status in statuses]
    assert set(told) <= {200, 201}
    wait_until_announced(api, pair[0], db, users)
    assert_no_gaps(db, users)
    for one in users:
        newest = db.execute(
            "select m.details::jsonb ->> 'nick' from duet.mailbox m"
            " join duet.app_user u on u.user_no = m.owner and u.user_no = m.peer"
            " where u.user_id = %s and m.kind = 28 order by m.seq desc limit 1",
            (one,),
        ).fetchone()
        assert newest == (api.get(f"/v1/users/{one}").json["nick"],)


def test_whatever_changes_users_takes_its_locks_in_one_order(pair, user, db):
    """Calls for several users, and calls that lock both a user's row and the mailbox."""
    users = [user() for _ in range(3)]
    before = deadlocks(db)

    def work(caller, number):
        statuses = []
        for call in range(CALLS):
            one, other = random.sample(users, 2)
            nick = f"{number}-{call}"
            statuses.append(
                random.choice(
                    (
                        lambda: caller.post(f"/v1/users/{one}/kick", {}),
                        lambda: caller.put(f"/v1/users/{one}", {"nick": nick}),
                        lambda: caller.patch(f"/v1/users/{one}", {"nick": nick}),
                        lambda: caller.delete(f"/v1/users/{one}"),
                        lambda: caller.post(
                            "/v1/users",
                            {"users": [{"id": one, "nick": nick}, {"id": other, "nick": nick}]},
                        ),
                        lambda: caller.post(
                            "/v1/tags",
                            {
                                "changes": [
                                    {"user": one, "add": ["x"], "remove": ["y"]},
                                    {"user": other, "add": ["y"], "remove": ["x"]},
                                ]
                            },
                        ),
                    )
                )().status
            )
        return statuses

    told = [status for statuses in at_once(pair, work) for status in statuses]
    assert set(told) <= {200, 201, 204, 404}
    assert deadlocks(db) == before
    assert_no_gaps(db, users)


def test_users_who_are_deleted_and_made_again_leave_nothing_behind(pair, user, db):
    users = [user() for _ in range(3)]

    def work(caller, number):
        statuses = []
        for call in range(CALLS):
            one, other = random.sample(users, 2)
            statuses.append(
                random.choice(
                    (
                        lambda: caller.delete(f"/v1/users/{one}"),
                        lambda: caller.put(f"/v1/users/{one}", {"nick": f"{call}"}),
                        lambda: caller.put(f"/v1/users/{one}/tags/t{call}"),
                        lambda: caller.put(f"/v1/users/{one}/friends/{other}", {}),
                        lambda: caller.post(
                            "/v1/messages", text_message(one, other, f"{number}-{call}")
                        ),
                    )
                )().status
            )
        return statuses

    told = [status for statuses in at_once(pair, work) for status in statuses]
    assert set(told) <= {200, 201, 204, 404}
    assert_no_gaps(db, users)
    (unfinished,) = db.execute(
        "select count(*) from duet.erasure where finished_at is null"
    ).fetchone()
    assert unfinished == 0
    for table in ("mailbox", "mailbox_head", "contact", "friend_request", "user_tag"):
        left = db.execute(
            f"select count(*) from duet.{table}"
            " where owner in (select user_no from duet.erasure)"
        ).fetchone()
        assert left == (0,), table


def test_a_profile_that_is_imported_while_the_last_one_is_told_is_told_too(cluster, server, api, user, db):
    ann = user(nick="Start")
    imported = "select from duet.user_import(json_build_array(json_build_object('id', %s::text, 'nick', %s::text)))"
    with psycopg.connect(cluster.url()) as late:
        db.execute(imported, (ann, "first"))
        late.execute(imported, (ann, "second"))
        while db.execute("select more from duet.job_profile_announce(now(), false)").fetchone()[0]:
            pass
        late.commit()
    wait_until_announced(api, server, db, [ann])
    told = db.execute(
        "select m.details::jsonb ->> 'nick' from duet.mailbox m"
        " join duet.app_user u on u.user_no = m.owner and u.user_no = m.peer"
        " where u.user_id = %s and m.kind = 28 order by m.seq desc limit 1",
        (ann,),
    ).fetchone()
    assert told == ("second",)


def test_whatever_is_left_of_a_user_is_removed_with_mailboxes_locked_in_order(
    cluster, server, user, api, db
):
    """Who is waited for is the first of all: nobody whose number is greater is locked meanwhile."""
    asked, written_to, gone = user(friend_policy="approval"), user(), user()
    assert api.post(f"/v1/users/{gone}/friend-requests", {"to": asked}).status in (201, 202)
    assert api.post("/v1/messages", text_message(gone, written_to, "x")).status == 201
    head = (
        "select from duet.mailbox_head h join duet.app_user u on u.user_no = h.owner"
        " where u.user_id = %s for update of h"
    )
    with (
        psycopg.connect(cluster.url()) as first,
        psycopg.connect(cluster.url()) as second,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        first.execute(head, (asked,))
        deleting = pool.submit(api.delete, f"/v1/users/{gone}")
        server.wait_until(lambda: n_waiting(db) == 1, what="the erasure to wait")
        second.execute(f"{head} nowait", (written_to,))
        second.rollback()
        first.rollback()
        assert deleting.result().json["finished_at"] is not None
