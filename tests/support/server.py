"""Runs duetd as its operators do: settings in the environment, logs on standard error."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time

from support import ROOT

STOP_SECONDS = 25
SANITIZER_REPORTS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "WARNING: ThreadSanitizer",
    "runtime error:",
)


def binary():
    if os.environ.get("DUETD"):
        return os.environ["DUETD"]
    for kind in ("sanitize", "release"):
        path = ROOT / "build" / kind / "duetd"
        if path.exists():
            return str(path)
    raise RuntimeError("duetd is not built: run ./dev build sanitize, or set DUETD to its path")


def environment(settings):
    """Ours without any DUET… variable of whoever runs the tests, and the settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DUET")}
    return {**inherited, **{name: str(value) for name, value in settings.items()}}


def run_duetd(*arguments, timeout=60, **settings):
    """A subcommand that ends by itself."""
    return subprocess.run(
        [binary(), *arguments],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=timeout,
        check=False,
    )


def migrate(cluster):
    done = run_duetd("migrate", DUET_DATABASE_URL=cluster.url())
    if done.returncode != 0:
        raise RuntimeError(f"duetd migrate: {done.stderr.strip()}")


class Server:
    """One duetd. `log` holds the log lines as dictionaries, `stderr` all lines as they came."""

    def __init__(self, keys, keys_file, database_url, settings=None, files=None):
        self.files = files  # how many it may have open, if not as many as this process
        self.keys = keys
        self.keys_file = str(keys_file)
        self.settings = {
            "DUET_LISTEN": "127.0.0.1:0",
            "DUET_DATABASE_URL": database_url,
            "DUET_KEYS_FILE": self.keys_file,
            **(settings or {}),
        }
        self.log = []
        self.stderr = []
        self.process = None
        self.host = None
        self.port = None
        self._grown = threading.Condition()
        self._ended = False
        self._reader = None

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def start(self, ready=True, timeout=30):
        # pylint: disable=consider-using-with; stop and kill wait for it
        self.process = subprocess.Popen(
            [*self._limits(), binary(), "serve"],
            env=environment(self.settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._ended = False
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        listening = self.wait_for_log("listening", timeout=timeout)
        self.host, _, port = listening["address"].rpartition(":")
        self.port = int(port)
        if ready:
            self.wait_ready(timeout)
        return self

    def _limits(self):
        return ["prlimit", f"--nofile={self.files}"] if self.files else []

    def _read(self, stream):
        for line in stream:
            with self._grown:
                self.stderr.append(line.rstrip("\n"))
                try:
                    entry = json.loads(line)
                except ValueError:
                    entry = None
                if isinstance(entry, dict):
                    self.log.append(entry)
                self._grown.notify_all()
        with self._grown:
            self._ended = True
            self._grown.notify_all()

    def wait_for_log(self, event, timeout=10, after=0, **members):
        """The first line of this event, and with these members, behind the first `after` lines."""

        def found():
            for entry in self.log[after:]:
                if entry.get("event") == event and members.items() <= entry.items():
                    return entry
            return None

        with self._grown:
            self._grown.wait_for(lambda: found() or self._ended, timeout)
            entry = found()
        if entry is None:
            raise AssertionError(f"no log line {event} {members}; the log:\n{self.tail()}")
        return entry

    def wait_until(self, condition, timeout=30, what="the condition"):
        """Asks again and again; for what neither a log line nor an answer announces."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come about in {timeout} s:\n{self.tail()}")
            time.sleep(0.02)

    def wait_ready(self, timeout=30):
        self.wait_until(lambda: self.probe("/readyz") == 200, timeout, "readiness")

    def probe(self, path, timeout=5):
        """The status of a GET without a token; 0 when there is no answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def token(self, scope="admin", sub="backend", **claims):
        """Signed with the server's HS256 key; kid="e1" or "r1" takes another."""
        for name, setting in (("iss", "DUET_ISSUER"), ("aud", "DUET_AUDIENCE")):
            if setting in self.settings:
                claims.setdefault(name, self.settings[setting])
        return self.keys.token(scope=scope, sub=sub, **claims)

    def signal(self, number):
        self.process.send_signal(number)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=STOP_SECONDS):
        """As an operator stops it: it must end by itself, in time, and without a complaint."""
        if self.process is None:
            return
        if self.running:
            self.signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"duetd was still there {timeout} s after SIGTERM:\n{self.tail()}")
        self._reader.join(5)
        self.process = None
        reports = [line for line in self.stderr if any(mark in line for mark in SANITIZER_REPORTS)]
        assert not reports, "a sanitizer reported:\n" + "\n".join(self.stderr[-200:])
        assert status == 0, f"duetd ended with status {status}:\n{self.tail()}"

    def kill(self):
        """kill -9, and nothing is asked."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        self.process = None

    def tail(self, lines=40):
        return "\n".join(self.stderr[-lines:])
