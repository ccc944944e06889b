"""Users who write to each other at random, and a record of what was accepted. In the end the record, the
mailboxes and what every device was told must agree."""

import collections
import http.client
import itertools
import random
import threading
import time

from support import text_message
from support.client import Api

USERS = 8
WRITERS = 4
OFFLINE_PER_CONTACT = 1000  # as many as can be: so a device that logs in misses little
GIVE_UP_SECONDS = 60  # a call that is refused for so long although servers and database are there


class Message:
    """As it must be in the end. One writer alone changes it, so the order of its changes is known."""

    def __init__(self, sender, receiver, text):
        self.sender = sender
        self.receiver = receiver
        self.text = text
        self.id = None
        self.recalled = False
        self.removed_by = set()

    def in_mailbox_of(self, user):
        return user in (self.sender, self.receiver) and user not in self.removed_by


class Writer(threading.Thread):
    """Acts for the users whose pairs it was given: nobody else changes anything between these two."""

    def __init__(self, world, pairs, seed):
        super().__init__(daemon=True)
        self.world = world
        self.pairs = pairs
        self.random = random.Random(seed)
        self.sent = {pair: [] for pair in pairs}  # in the order in which they were accepted
        self.blocked = set()                      # (who, whom)
        self.calls = collections.Counter()
        self.complaints = []

    def run(self):
        acts = {
            self._send: 12,
            self._edit: 2,
            self._recall: 1,
            self._remove: 1,
            self._read: 3,
            self._block: 1,
            self._unblock: 2,
        }
        try:
            while not self.world.ending.is_set():
                act = self.random.choices(list(acts), list(acts.values()))[0]
                act(*self.random.choice(self.pairs))
        except Exception as fault:  # pylint: disable=broad-except; told, not swallowed
            self.complaints.append(f"a writer: {fault!r}")

    def _call(self, method, path, json=None, *, expected):
        """Until it has an answer; repeating is safe. None when the test ends meanwhile."""
        end = time.monotonic() + GIVE_UP_SECONDS
        while True:
            server = self.random.choice(self.world.servers)
            try:
                api = Api(server, self.world.contract, self.world.admin_token)
                reply = api.request(method, path, json=json)
            except (OSError, http.client.HTTPException):
                reply = None
            if reply is not None and reply.status != 503:
                break
            if time.monotonic() > end:
                self.complaints.append(f"{method} {path} got no answer for {GIVE_UP_SECONDS} s")
                return None
            time.sleep(0.05)  # as a client backs off
        self.calls[f"{method} {reply.status}"] += 1
        if reply.status not in expected:
            self.complaints.append(f"{method} {path} {json}: {reply}")
            return None
        return reply

    def _any_of(self, one, other):
        sent = [m for m in self.sent[one, other] if not m.recalled and len(m.removed_by) < 2]
        return self.random.choice(sent) if sent else None

    def _send(self, one, other):
        message = Message(one, other, f"{one} to {other}, {self.random.getrandbits(64):x}")
        reply = self._call(
            "POST",
            "/v1/messages",
            text_message(
                one,
                other,
                message.text,
                client_id=f"{self.random.getrandbits(128):x}",
                options={"enforce_policy": True},
            ),
            expected=(200, 201, 403),
        )
        if reply is None:
            return
        if (reply.status == 403) != ((other, one) in self.blocked):
            self.complaints.append(f"{one} to {other}: {reply.status}, blocked: {self.blocked}")
        if reply.status != 403:
            message.id = reply.json["id"]
            self.sent[one, other].append(message)

    def _edit(self, one, other):
        message = self._any_of(one, other)
        if message is None:
            return
        text = message.text + "'"
        body = {"elements": [{"type": "text", "text": text}]}
        if self._call("PATCH", f"/v1/messages/{message.id}", body, expected=(200,)):
            message.text = text

    def _recall(self, one, other):
        message = self._any_of(one, other)
        if message and self._call("DELETE", f"/v1/messages/{message.id}", expected=(200,)):
            message.recalled = True

    def _remove(self, one, other):
        message = self._any_of(one, other)
        if message is None:
            return
        user = self.random.choice((one, other))
        path = f"/v1/users/{user}/messages/{message.id}"
        if self._call("DELETE", path, expected=(204, 404)):
            message.removed_by.add(user)

    def _read(self, one, other):
        message = self._any_of(one, other)
        if message is None or message.removed_by:
            return
        path = f"/v1/users/{other}/conversations/{one}/read"
        self._call("PUT", path, {"up_to": message.id}, expected=(200,))

    def _block(self, one, other):
        if self._call("PUT", f"/v1/users/{one}/blocks/{other}", {}, expected=(200, 201)):
            self.blocked.add((one, other))

    def _unblock(self, one, other):
        if (one, other) not in self.blocked:
            return
        if self._call("DELETE", f"/v1/users/{one}/blocks/{other}", expected=(204, 404)):
            self.blocked.discard((one, other))


class World:
    """The servers, the users and their writers. `servers` changes while chaos is at work."""

    def __init__(self, servers, contract, seed):
        self.servers = servers
        self.contract = contract
        self.admin_token = servers[0].token()
        self.users = [f"user-{n}" for n in range(USERS)]
        self._tokens = {user: servers[0].token(scope="user", sub=user) for user in self.users}
        self.ending = threading.Event()
        # Both directions of a pair belong to one writer: a block of the one concerns sends of the other.
        couples = list(itertools.combinations(self.users, 2))
        self.writers = [
            Writer(
                self,
                [pair for couple in couples[n::WRITERS] for pair in (couple, couple[::-1])],
                f"{seed} writer {n}",
            )
            for n in range(WRITERS)
        ]

    @property
    def api(self):
        return Api(self.servers[0], self.contract, self.admin_token)

    def token_of(self, user):
        return self._tokens[user]

    def make_users(self):
        for user in self.users:
            reply = self.api.put(f"/v1/users/{user}", {"nick": user})
            assert reply.status in (200, 201), reply
        changed = self.api.patch(
            "/v1/settings",
            {"offline_per_contact": OFFLINE_PER_CONTACT},
            headers={"If-Match": "*"},
        )
        assert changed.status == 200, changed

    @property
    def messages(self):
        return [m for writer in self.writers for sent in writer.sent.values() for m in sent]

    def entries_of(self, user):
        """The whole mailbox, read page by page: entries by seq, and the seq of the last one."""
        entries, after = {}, 0
        while True:
            page = self.api.get(f"/v1/users/{user}/events?after={after}&limit=200").json
            entries.update((item["seq"], item) for item in page["items"])
            if not page["items"]:
                return entries, page["last_seq"]
            after = page["items"][-1]["seq"]

    def history_of(self, user):
        """Every message that the user can read, by id."""
        found, query = {}, ""
        while True:
            page = self.api.get(f"/v1/users/{user}/messages?limit=200{query}").json
            found.update((message["id"], message) for message in page["items"])
            if page["next_cursor"] is None:
                return found
            query = f"&cursor={page['next_cursor']}"


# ---- what must be true in the end ----


def named(entry):
    """What an entry is about, whatever has become of it since."""
    message = entry.get("message", {}).get("id") or entry.get("message_id")
    return (entry["kind"], message or entry.get("peer"))


def faults_of_history(world, user, history):
    """Between what was accepted and what the user can read."""
    expected = {m.id: m for m in world.messages if m.in_mailbox_of(user)}
    for missing in expected.keys() - history.keys():
        yield f"{user}: {missing} was accepted and is not in the history"
    for extra in history.keys() - expected.keys():
        yield f"{user}: {extra} is in the history and should not be: {history[extra]}"
    for name in expected.keys() & history.keys():
        message, shown = expected[name], history[name]
        if (shown["from"], shown["to"]) != (message.sender, message.receiver):
            yield f"{user}: {name} is from {shown['from']} to {shown['to']}"
        if (shown["state"] == "recalled") != message.recalled:
            yield f"{user}: {name} is {shown['state']}"
        if not message.recalled and shown["elements"] != [{"type": "text", "text": message.text}]:
            yield f"{user}: {name} says {shown['elements']} and not {message.text}"


def faults_of_order(world, user, entries):
    """Within a pair messages stand in the order in which they were accepted."""
    seq_of = {
        entry["message"]["id"]: seq
        for seq, entry in entries.items()
        if entry["kind"] == "message" and "message" in entry
    }
    for writer in world.writers:
        for sent in writer.sent.values():
            seqs = [seq_of[m.id] for m in sent if m.id in seq_of]
            if seqs != sorted(seqs):
                yield f"{user}: the order of {[m.id for m in sent]} is {seqs}"


def faults_of_device(device, entries, last_seq):
    """Between what a device was told and what the mailbox holds."""
    if device.position != last_seq:
        yield f"{device.name} has come to {device.position} of {last_seq}"
    newer = collections.Counter()
    for seq in sorted(entries, reverse=True):
        entry, told = entries[seq], device.entries.get(seq)
        peer = peer_of(device.user, entry)
        newer[peer] += entry["kind"] == "message"
        if told is not None and named(told) != named(entry):
            yield f"{device.name} was told {told} and the mailbox holds {entry}"
        if told is None and (seq not in device.skipped or newer[peer] < OFFLINE_PER_CONTACT):
            yield f"{device.name} was never told of {seq}: {entry}"
    for told in device.entries.values():
        message = told.get("message")
        if message and device.user not in (message["from"], message["to"]):
            yield f"{device.name} was told of another user's message: {told}"


def peer_of(user, entry):
    message = entry.get("message")
    return entry.get("peer") or message and (
        message["to"] if message["from"] == user else message["from"]
    )
