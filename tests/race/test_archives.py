"""A sender that has taken its time before the hour's end and commits long after it."""

import psycopg
import pytest

from support.archives import HOUR, hour_before, open_again


@pytest.fixture(name="hour")
def fixture_hour(db):
    """The present one; the archives come to it next, and time is told to them."""
    hour = hour_before(0)
    open_again(db, hour)
    yield hour
    open_again(db, hour)


def next_of(db, hour):
    """What the next step tells. The server looks for hours that are over, too; it is waited for."""
    while True:
        closed, again, waiting = db.execute(
            "select hour is not null, again, waiting from duet.archive_next(%s)", (hour + HOUR,)
        ).fetchone()
        if waiting is not None:
            return closed, again


WAITS, AGAIN, CLOSED = (False, False), (False, True), (True, False)


def send(connection, api, ann, bob):
    """In a transaction that the caller ends; the time that the message has taken."""
    numbers = [
        connection.execute("select user_no from duet.app_user where user_id = %s", (who,)).fetchone()[0]
        for who in (ann, bob)
    ]
    return connection.execute(
        "select id_sent_at from duet.message_send_batch(%s, %s, '{1}', '{null}', '{[]}', '{null}', '{null}',"
        " '{604800}', '{15}', '{backend}', '{backend}', '{null}', '{null}')",
        ([numbers[0]], [numbers[1]]),
    ).fetchone()[0]


def test_an_hour_stays_open_for_a_sender_that_is_late(cluster, db, api, hour, ann, bob):
    with psycopg.connect(cluster.url()) as late:
        assert send(late, api, ann, bob) < hour + HOUR
        assert [next_of(db, hour) for _ in range(4)] == [AGAIN, AGAIN, WAITS, WAITS]
        late.commit()
    assert next_of(db, hour) == CLOSED


def test_who_begins_before_the_gate_is_moved_and_sends_after_it_is_not_in_the_hour(
    cluster, db, api, hour, ann, bob
):
    with psycopg.connect(cluster.url()) as late:
        late.execute("select 1")  # has begun, and has no number yet
        assert [next_of(db, hour) for _ in range(3)] == [AGAIN, AGAIN, CLOSED]
        assert send(late, api, ann, bob) == hour + HOUR
        late.commit()


def test_who_has_a_number_before_the_fence_is_waited_for_wherever_it_writes(
    cluster, db, api, hour, ann, bob
):
    with psycopg.connect(cluster.url()) as late:
        late.execute("select pg_current_xact_id()")
        assert next_of(db, hour) == AGAIN
        assert send(late, api, ann, bob) == hour + HOUR  # it sees the gate, and yet
        assert [next_of(db, hour) for _ in range(2)] == [AGAIN, WAITS]
        late.rollback()
    assert next_of(db, hour) == CLOSED


def test_archives_are_made_by_one_at_a_time(cluster, db, hour):
    with psycopg.connect(cluster.url()) as other:
        assert next_of(other, hour) == AGAIN
        assert db.execute("select waiting from duet.archive_next(%s)", (hour + HOUR,)).fetchone() == (None,)
        other.commit()
    assert next_of(db, hour) == AGAIN
