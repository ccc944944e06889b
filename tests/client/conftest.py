"""Devices that run libduet, each in a process of its own, driven through its input and output."""

import itertools
import json
import os
import pathlib
import subprocess
import threading

import pytest

from between import Between
from support.server import SANITIZER_REPORTS, binary

WAIT_SECONDS = 20
BUILD = pathlib.Path(binary()).parent


def environment():
    """What finds servers is what a test says, not a proxy of whoever runs it."""
    return {
        name: value
        for name, value in os.environ.items()
        if "proxy" not in name.lower() and not name.startswith("DUET")
    }


class Device:
    """`heard` has all callbacks so far, `told` the new messages among them (not those that are recent
    contacts' last ones)."""

    def __init__(self, url, user, token, store, name="phone", timeout_ms=20000, ca_file=None):
        self.user = user
        self.heard = []
        self._answers = []
        self._grown = threading.Condition()
        self._errors = []
        # pylint: disable=consider-using-with; end and kill wait for it
        self.process = subprocess.Popen(
            [
                *(BUILD / "client-driver", url, user, name, token, str(store), str(timeout_ms)),
                *([ca_file] if ca_file else []),
            ],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.login_error = self._answer("login")["error"]

    def _read(self):
        for line in self.process.stdout:
            item = json.loads(line)
            with self._grown:
                (self.heard if "on" in item else self._answers).append(item)
                self._grown.notify_all()

    def _read_errors(self):
        for line in self.process.stderr:
            self._errors.append(line)

    def _answer(self, name=None, timeout=WAIT_SECONDS + 30):
        with self._grown:
            assert self._grown.wait_for(lambda: self._answers, timeout), self._what_was_heard(name)
            answer = self._answers.pop(0)
        assert name in (None, answer["call"])
        return answer

    def _what_was_heard(self, missing):
        last = "\n".join(map(str, self.heard[-20:]))
        return f"{self.user} waits for {missing}; heard last:\n{last}\n{''.join(self._errors)}"

    # -- calls

    def ask(self, name, *arguments):
        """The call's whole answer, also of one that fails."""
        self.process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self.process.stdin.flush()
        return self._answer(name)

    def ask_at_once(self, *calls):
        """The answers, in any order."""
        self.process.stdin.write(json.dumps(calls) + "\n")
        self.process.stdin.flush()
        return [self._answer() for _ in calls]

    def call(self, name, *arguments):
        answer = self.ask(name, *arguments)
        assert answer["error"] == "It is done.", answer
        return answer

    def send(self, peer, text):
        """The message's client id."""
        return self.call("send", peer, text)["client_id"]

    def texts(self, peer, limit=200, before=None):
        """From duet_get_messages, which must be complete; oldest first."""
        answer = self.call("get_messages", peer, before, limit)
        assert answer["complete"], answer["why"]
        return [message["text"] for message in reversed(answer["items"])]

    # -- callbacks

    def wait(self, condition, what="the condition", timeout=WAIT_SECONDS):
        """Until condition() is true; looks again whenever something is heard."""
        with self._grown:
            assert self._grown.wait_for(condition, timeout), self._what_was_heard(what)

    def find(self, on, after=0, **members):
        for item in self.heard[after:]:
            if item["on"] == on and members.items() <= item.items():
                return item
        return None

    def wait_for(self, on, after=0, **members):
        """The callback of this name with these members, behind the first `after` ones."""
        self.wait(lambda: self.find(on, after, **members), f"{on} {members}")
        return self.find(on, after, **members)

    def wait_refreshed(self):
        self.wait_for("refresh")
        return self

    @property
    def told(self):
        return [
            item["message"]
            for item in list(self.heard)
            if item["on"] == "new_message" and item["source"] != "recent"
        ]

    def told_from(self, peer):
        return [m["text"] for m in self.told if m["from"] == peer]

    def wait_told(self, peer, texts):
        """All of these, in this order, and nothing else from this peer."""
        self.wait(lambda: len(self.told_from(peer)) >= len(texts), f"{len(texts)} from {peer}")
        assert self.told_from(peer) == list(texts)

    # -- ending

    def end(self):
        """As an app ends: logout, without a leak or any other complaint."""
        if self.process.poll() is None:
            self.process.stdin.close()
        status = self.process.wait(WAIT_SECONDS + 30)
        for reader in self._readers:
            reader.join()
        errors = "".join(self._errors)
        assert not any(mark in errors for mark in SANITIZER_REPORTS), errors
        assert status == 0 or self.login_error != "It is done.", (status, errors)

    def kill(self):
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()


@pytest.fixture
def device(server, tmp_path):
    """Starts devices: device(ann), device(ann, name="tablet"), device(ann, on=another_server). One that
    is started again has its store again."""
    made = []

    def start(user, on=server, name="phone", store=None, token=None, url=None, **more):
        store = store or tmp_path / f"{user}-{name}.duet"
        token = token or server.token(scope="user", sub=user)
        one = Device(url or on.url, user, token, store, name=name, **more)
        made.append(one)
        return one

    yield start
    for one in made:
        if one.process.poll() is None:
            one.end()


@pytest.fixture
def between(server):
    """In front of the run's server."""
    one = Between(server)
    yield one
    one.close()


@pytest.fixture
def send(api):
    """Sends as a back end does: send(ann, bob, "hi", "there") gives the messages."""
    numbers = itertools.count()

    def messages(sender, receiver, *texts, **more):
        sent = []
        for text in texts:
            body = {"from": sender, "to": receiver, "text": text, **more}
            reply = api.post(
                "/v1/messages", body, headers={"Idempotency-Key": f"{sender[-40:]}-{next(numbers)}"}
            )
            assert reply.status == 201, reply
            sent.append(reply.json)
        return sent

    return messages
