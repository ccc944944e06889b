"""What clients know about the messages they sent, and how the database is held against it.

A client writes down what it is about to send before it sends it, and the answer when it has come.
Whatever was killed meanwhile: what was answered with 2xx must be there, in both mailboxes, once;
what was not answered may be there or not, but not twice and not by halves. The examination reads
this journal and the tables, never the server's word.
"""

import dataclasses
import json
import threading
import time

# What an examination can find.
LOST = "lost"
DOUBLE = "double"
HALF = "half"  # in one mailbox only, or its copies differ
HOLE = "hole"  # in the numbers of a mailbox
ORDER = "order"  # stored before a message that had been answered before it was sent
STRANGE = "strange"  # nobody sent it, or not to there
REFUSED = "refused"  # it was said not to be stored
CHANGED = "changed"  # the answers to repetitions differ


@dataclasses.dataclass
class Entry:
    key: str
    sender: str
    receiver: str
    intended_at: float
    acked_at: float | None = None
    ids: set = dataclasses.field(default_factory=set)  # of all answers; more than one is a fault
    unknown: bool = False  # some try had no answer, or one that did not know the outcome
    belied: bool = False  # replayed, though all earlier tries were answered as not applied

    @property
    def acked(self):
        return self.acked_at is not None


class Journal:
    """Kept in memory: it is the server and the database that get killed here, not the client."""

    def __init__(self):
        self._lock = threading.Lock()
        self.entries = {}

    def intend(self, key, sender, receiver):
        with self._lock:
            self.entries[key] = Entry(key, sender, receiver, time.monotonic())

    def acked(self, key, message_id, replayed=False):
        now = time.monotonic()
        with self._lock:
            entry = self.entries[key]
            entry.ids.add(message_id)
            entry.belied |= replayed and not entry.unknown and entry.acked_at is None
            if entry.acked_at is None:
                entry.acked_at = now

    def unknown(self, key):
        with self._lock:
            self.entries[key].unknown = True

    @property
    def n_acked(self):
        with self._lock:
            return sum(entry.acked for entry in self.entries.values())

    def unanswered(self):
        with self._lock:
            return [entry for entry in self.entries.values() if not entry.acked]


@dataclasses.dataclass
class Copy:
    """A row of a mailbox. `key` is the message's text: each carries its own."""

    owner: str
    seq: int
    peer: str
    peer_seq: int
    outgoing: bool
    twin: tuple  # what both copies have in common
    key: str

    @property
    def pair(self):
        return (self.owner, self.peer) if self.outgoing else (self.peer, self.owner)


def read_mailboxes(connection, users):
    rows = connection.execute(
        """
        select o.user_id, m.seq, p.user_id, m.peer_seq, m.outgoing,
               m.sent_at, m.nonce, m.client_id, m.sent_by, m.elements
        from duet.mailbox as m
        join duet.app_user as o on o.user_no = m.owner
        left join duet.app_user as p on p.user_no = m.peer
        where o.user_id = any (%s)
        order by o.user_id collate "C", m.seq
        """,
        [list(users)],
    ).fetchall()
    return [Copy(*row[:5], row[5:], json.loads(row[-1])[0]["text"]) for row in rows]


def read_heads(connection, users):
    return dict(
        connection.execute(
            """
            select u.user_id, h.last_seq
            from duet.mailbox_head as h join duet.app_user as u on u.user_no = h.owner
            where u.user_id = any (%s)
            """,
            [list(users)],
        ).fetchall()
    )


def examine(connection, journal):
    """All that is wrong, as (what, sentence). Empty: nothing was lost, nothing doubled."""
    users = {name for entry in journal.entries.values() for name in (entry.sender, entry.receiver)}
    copies = read_mailboxes(connection, users)
    by_key = {}
    by_owner = {user: [] for user in users}
    for copy in copies:
        by_key.setdefault(copy.key, []).append(copy)
        by_owner[copy.owner].append(copy)
    findings = []
    for key, entry in journal.entries.items():
        findings += _examine_message(entry, by_key.pop(key, []))
    for key, strangers in by_key.items():
        findings.append((STRANGE, f"{key!r} is in {strangers[0].owner}'s mailbox, sent by nobody"))
    heads = read_heads(connection, users)
    for owner, entries in by_owner.items():
        findings += _examine_numbers(owner, entries, heads.get(owner))
        findings += _examine_order(owner, entries, journal)
    return findings


def _examine_message(entry, copies):
    told = f"message {entry.key} from {entry.sender} to {entry.receiver}"
    outgoing = [copy for copy in copies if copy.outgoing]
    incoming = [copy for copy in copies if not copy.outgoing]
    if len(entry.ids) > 1:
        yield CHANGED, f"{told} was answered with different ids: {entry.ids}"
    if len(outgoing) > 1 or len(incoming) > 1:
        yield DOUBLE, f"{told} is there {len(outgoing)} and {len(incoming)} times"
    elif not copies and entry.acked:
        yield LOST, f"{told} was answered for and is in no mailbox"
    elif len(copies) == 1:
        what = LOST if entry.acked else HALF
        yield what, f"{told} is in the mailbox of {copies[0].owner} only"
    elif copies and not _is_pair(outgoing[0], incoming[0]):
        yield HALF, f"the copies of {told} do not fit: {outgoing[0]}, {incoming[0]}"
    if any(copy.pair != (entry.sender, entry.receiver) for copy in copies):
        yield STRANGE, f"{told} is in a mailbox of others: {copies}"
    if entry.belied or (copies and not entry.acked and not entry.unknown):
        yield REFUSED, f"{told} was always answered as not applied, and was stored"


def _is_pair(outgoing, incoming):
    return (
        (outgoing.peer, outgoing.peer_seq) == (incoming.owner, incoming.seq)
        and (incoming.peer, incoming.peer_seq) == (outgoing.owner, outgoing.seq)
        and outgoing.twin == incoming.twin
    )


def _examine_numbers(owner, entries, last_seq):
    numbers = [copy.seq for copy in entries]
    if numbers != list(range(1, len(numbers) + 1)) or last_seq != len(numbers):
        gaps = sorted(set(range(1, (last_seq or 0) + 1)) ^ set(numbers))[:10]
        yield HOLE, f"{owner} has {len(numbers)} entries up to {last_seq}; among the odd: {gaps}"


def _examine_order(owner, entries, journal):
    """Who sends after an answer has come must find himself behind what it answered for."""
    newest = None
    for copy in entries:
        entry = journal.entries.get(copy.key)
        if entry is None:
            continue
        if newest and entry.acked and entry.acked_at < newest.intended_at:
            yield ORDER, f"in {owner}'s mailbox {newest.key} stands before {entry.key}"
        if newest is None or entry.intended_at > newest.intended_at:
            newest = entry
