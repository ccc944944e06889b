"""A private PostgreSQL cluster, made and run by `./dev cluster`."""

import os
import pathlib
import signal
import subprocess
import time

from support import ROOT

DEV = str(ROOT / "dev")


def children_of(parent):
    children = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold blanks; the parent is the second word behind it.
            words = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == parent:
            children.append(int(stat.parent.name))
    return children


def has_place(pid):
    """Whether a process is more than a zombie, which has no folder to be in."""
    try:
        return bool(os.readlink(f"/proc/{pid}/cwd"))
    except OSError:
        return False


class Cluster:
    def __init__(self, directory):
        self.directory = str(directory)

    def _dev(self, *arguments):
        done = subprocess.run(
            [DEV, "cluster", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"dev cluster {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self):
        self._dev("start", self.directory)

    def stop(self, mode="fast"):
        self._dev("stop", self.directory, mode)

    def url(self, role="duet_admin"):
        return self._dev("url", self.directory, role)

    def pid(self):
        return int(self._dev("pid", self.directory))

    def remove(self):
        self._dev("remove", self.directory)

    def kill(self):
        """What a power cut leaves of the processes: nothing. The postmaster goes first, so that it
        cannot tell its children to finish what they do."""
        postmaster = self.pid()
        children = children_of(postmaster)
        for pid in [postmaster, *children]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        # On a busy machine they live on for a moment, in which `start` would find nothing to do.
        while any(has_place(pid) for pid in [postmaster, *children]):
            time.sleep(0.01)
