"""duet-chat as a person uses it: in a terminal, beside others in theirs."""

import os
import shlex
import subprocess

import pytest

from conftest import BUILD, environment


class Terminal:
    """A terminal of tmux's in which duet-chat runs."""

    def __init__(self, socket, server, user, token_file, *options):
        self._tmux = ["tmux", "-S", str(socket), "-f", os.devnull]
        self._server = server
        command = shlex.join(
            [str(BUILD / "duet-chat"), "-s", server.url, "-t", str(token_file), *options, user]
        )
        self._run(
            *("new-session", "-d", "-x", "100", "-y", "40"),
            f'{command}; echo "ended with $?"; exec cat',
        )

    def _run(self, *arguments):
        done = subprocess.run(
            [*self._tmux, *arguments],
            env={**environment(), "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        return done.stdout

    @property
    def screen(self):
        """What stands there, without what was typed."""
        return self._run("capture-pane", "-p", "-J")

    def type(self, line):
        self._run("send-keys", "-l", line)
        self._run("send-keys", "Enter")

    def wait_for(self, text):
        self._server.wait_until(
            lambda: text in self.screen, 20, f"{text!r} in a terminal that shows\n{self.screen}"
        )

    def end(self):
        self.type("/quit")
        self.wait_for("ended with 0")
        self._run("kill-server")


@pytest.fixture
def terminal(server, tmp_path):
    """terminal(ann) opens one, in which duet-chat logs in."""
    made = []

    def start(user, *options):
        token_file = tmp_path / f"{user}.token"
        token_file.write_text(server.token(scope="user", sub=user) + "\n")
        one = Terminal(tmp_path / f"tmux-{len(made)}", server, user, token_file, *options)
        made.append(one)
        one.wait_for("* connected")
        return one

    yield start
    for one in made:
        one.end()


def test_two_chat_and_a_third_comes_later(terminal, user):
    ann, bob, zoe = user(nick="Ann"), user(nick="Bob"), user(nick="Zoe")
    at_ann, at_bob = terminal(ann), terminal(bob)

    at_ann.type(f"/open {bob}")
    at_ann.type("Tea at four?")
    at_ann.wait_for("you: Tea at four?")
    at_bob.wait_for(f"* {ann} has written to you")
    assert "has read it" not in at_ann.screen

    at_bob.type(f"/open {ann}")
    at_bob.wait_for("Ann: Tea at four?")
    at_ann.wait_for(f"* {bob} has read it")
    at_bob.type("Gladly. 🫖")
    at_ann.wait_for("Bob: Gladly. 🫖")
    at_bob.wait_for(f"* {ann} has read it")

    at_ann.type(f"/open {zoe}")
    at_ann.type("There will be cake.")
    at_ann.wait_for("you: There will be cake.")

    at_zoe = terminal(zoe)
    at_zoe.wait_for(f"* {ann} has written to you")
    at_zoe.wait_for(f"{ann} (Ann), 1 unread: There will be cake.")
    at_zoe.type(f"/open {ann}")
    at_zoe.wait_for("Ann: There will be cake.")
    at_ann.wait_for(f"* {zoe} has read it")
    at_zoe.type("On my way!")
    at_ann.wait_for("Zoe: On my way!")

    at_bob.type("/list")
    at_bob.wait_for(f"{ann} (Ann): Gladly.")


def test_what_others_write_cannot_steer_the_terminal(terminal, send, ann, bob):
    at_bob = terminal(bob)
    at_bob.type(f"/open {ann}")
    at_bob.wait_for(f"* {ann} is who you write to")
    send(ann, bob, "before\x1b[2J\x1b]0;title\x07\r\n\u009bmafter")
    at_bob.wait_for("before [2J ]0;title   mafter")


def test_older_messages_recall_and_refusals(terminal, send, ann, bob):
    send(ann, bob, *(f"message {i:02}" for i in range(1, 31)))
    at_bob = terminal(bob)
    at_bob.type("hello?")
    at_bob.wait_for("* to whom? /open SOMEBODY")
    at_bob.type("/what")
    at_bob.wait_for("* there is no such command")
    at_bob.type(f"/open {ann}")
    at_bob.wait_for("Ann: message 30")
    assert "Ann: message 11" in at_bob.screen and "Ann: message 10" not in at_bob.screen
    at_bob.type("/older")
    at_bob.wait_for("* there is nothing older")
    assert "Ann: message 01" in at_bob.screen
    at_bob.type("a slip")
    at_bob.wait_for("you: a slip")
    at_bob.type("/recall")
    at_bob.wait_for("you: (recalled)")
    at_bob.type("/open nobody-at-all")
    at_bob.type("hello?")
    at_bob.wait_for("* not sent: There is no such user or message.")


def test_what_a_script_sends_is_sent_when_the_script_ends(server, api, ann, bob, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text(server.token(scope="user", sub=ann))
    subprocess.run(
        [BUILD / "duet-chat", "-s", server.url, "-t", token_file, ann],
        input=f"/open {bob}\none\ntwo\n",
        env=environment(),
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
        timeout=60,
    )
    items = api.get(f"/v1/users/{bob}/messages").json["items"]
    assert [m["elements"][0]["text"] for m in items] == ["two", "one"]


@pytest.mark.parametrize(
    "options, claims, reason",
    [
        ([], {"exp": 1000000000}, None),
        ([], {"sub": "somebody-else"}, "the token belongs to another user"),
        (["-d", "my/phone"], {}, "the address has a slash or backslash inside a segment"),
    ],
    ids=["a token that has expired", "another's token", "a device whose name is none"],
)
@pytest.mark.parametrize("input_ends", [True, False])
def test_a_login_that_is_refused_ends_it(
    server, bob, tmp_path, options, claims, reason, input_ends
):
    token_file = tmp_path / "token"
    token_file.write_text(server.token(**{"scope": "user", "sub": bob, **claims}))
    with subprocess.Popen(
        [BUILD / "duet-chat", "-s", server.url, "-t", token_file, *options, bob],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as chat:
        if input_ends:
            chat.stdin.close()
        assert chat.wait(20) == 1
        said = chat.stdout.read()
    assert said.startswith("* cannot log in: ") and said.count("\n") == 1, said
    assert reason is None or reason in said


def test_a_server_that_is_away_is_no_reason_to_end(bob, server, tmp_path):
    token_file = tmp_path / "token"
    token_file.write_text(server.token(scope="user", sub=bob))
    done = subprocess.run(
        [BUILD / "duet-chat", "-s", "http://127.0.0.1:1", "-t", token_file, bob],
        input="",
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "* not connected, trying again: The server cannot be reached.\n"
