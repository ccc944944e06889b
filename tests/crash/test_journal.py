"""Does the examination see what it is there for? Each fault is made by hand and must be found."""

import dataclasses

import pytest

from support.journal import (
    CHANGED,
    DOUBLE,
    HALF,
    HOLE,
    LOST,
    ORDER,
    REFUSED,
    STRANGE,
    Journal,
    examine,
)
from support.load import Load

SENDER, RECEIVER = 0, 1  # whose copy


@pytest.fixture(name="journal", scope="module")
def fixture_journal(server):
    with Load(server, n_users=4, n_connections=4) as load:
        load.wait_for_acks(40)
    load.repeat_unanswered()
    return load.journal


@pytest.fixture(name="entry")
def fixture_entry(journal):
    """An early message, behind which there are others."""
    return next(iter(journal.entries.values()))


@pytest.fixture(name="sandbox")
def fixture_sandbox(db):
    """A connection whose changes nobody else will see."""
    with db.transaction(force_rollback=True):
        yield db


def whats(connection, journal):
    return {what for what, _ in examine(connection, journal)}


def altered(journal, entry, **changes):
    """The journal of clients who have seen something else."""
    other = Journal()
    other.entries = {**journal.entries, entry.key: dataclasses.replace(entry, **changes)}
    return other


def copies_of(connection, entry):
    """(owner, seq) of the sender's and the receiver's copy."""
    return connection.execute(
        """
        select owner, seq from duet.mailbox
        where elements::jsonb #>> '{0,text}' = %s order by outgoing desc
        """,
        [entry.key],
    ).fetchall()


def delete(connection, copies):
    for copy in copies:
        connection.execute("delete from duet.mailbox where (owner, seq) = (%s, %s)", copy)


def repeat(connection, copies):
    """At the end of the mailbox, with a number of its own: all is in order but the row itself."""
    for owner, seq in copies:
        connection.execute(
            """
            with head as (
                update duet.mailbox_head set last_seq = last_seq + 1 where owner = %s
                returning owner, last_seq
            )
            insert into duet.mailbox
            select (jsonb_populate_record(m, jsonb_build_object('seq', head.last_seq))).*
            from head join duet.mailbox as m on m.owner = head.owner
            where m.seq = %s
            """,
            [owner, seq],
        )


def test_a_sound_database_is_found_to_be_sound(db, journal):
    assert journal.n_acked >= 40
    assert examine(db, journal) == []


def test_a_message_that_was_answered_for_and_is_gone_is_found(sandbox, journal, entry):
    delete(sandbox, copies_of(sandbox, entry))
    assert whats(sandbox, journal) == {LOST, HOLE}


@pytest.mark.parametrize("whose", [SENDER, RECEIVER])
def test_a_copy_that_is_gone_is_found(sandbox, journal, entry, whose):
    delete(sandbox, [copies_of(sandbox, entry)[whose]])
    assert whats(sandbox, journal) == {LOST, HOLE}


def test_half_of_a_message_that_was_not_answered_is_found(sandbox, journal, entry):
    delete(sandbox, [copies_of(sandbox, entry)[RECEIVER]])
    unanswered = altered(journal, entry, acked_at=None, ids=set(), unknown=True)
    assert whats(sandbox, unanswered) == {HALF, HOLE}


def test_a_message_that_is_there_twice_is_found(sandbox, journal, entry):
    repeat(sandbox, copies_of(sandbox, entry))
    assert DOUBLE in whats(sandbox, journal)


@pytest.mark.parametrize("whose", [SENDER, RECEIVER])
def test_a_copy_that_is_there_twice_is_found(sandbox, journal, entry, whose):
    repeat(sandbox, [copies_of(sandbox, entry)[whose]])
    assert DOUBLE in whats(sandbox, journal)


@pytest.mark.parametrize("column", ["peer_seq", "nonce"])
def test_copies_that_do_not_fit_are_found(sandbox, journal, entry, column):
    sandbox.execute(
        f"update duet.mailbox set {column} = {column} + 1 where (owner, seq) = (%s, %s)",
        copies_of(sandbox, entry)[RECEIVER],
    )
    assert whats(sandbox, journal) == {HALF}


def test_a_number_that_was_given_out_and_not_used_is_found(sandbox, journal, entry):
    sandbox.execute(
        "update duet.mailbox_head set last_seq = last_seq + 1 where owner = %s",
        copies_of(sandbox, entry)[SENDER][:1],
    )
    assert whats(sandbox, journal) == {HOLE}


def test_a_message_before_one_that_was_stored_earlier_is_found(db, journal, entry):
    too_late = max(other.acked_at for other in journal.entries.values()) + 1
    assert ORDER in whats(db, altered(journal, entry, intended_at=too_late, acked_at=too_late))


def test_a_message_that_nobody_sent_is_found(db, journal, entry):
    other = altered(journal, entry)
    del other.entries[entry.key]
    assert whats(db, other) == {STRANGE}


def test_a_message_that_was_refused_and_is_there_is_found(db, journal, entry):
    assert whats(db, altered(journal, entry, acked_at=None, ids=set())) == {REFUSED}


def test_different_answers_to_one_message_are_found(db, journal, entry):
    assert whats(db, altered(journal, entry, ids={"a", "b"})) == {CHANGED}
