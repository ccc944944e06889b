"""Ways in which a database is there and yet does not answer."""

import contextlib
import os
import signal

import psycopg

from support.cluster import children_of


@contextlib.contextmanager
def held_up(cluster):
    """Somebody holds a lock that nearly every call needs; gives the connection that does."""
    with psycopg.connect(cluster.url()) as holder:
        holder.execute("lock table duet.mailbox_head in access exclusive mode")
        yield holder
        holder.rollback()


@contextlib.contextmanager
def frozen(cluster):
    """Its processes are there, and so are the connections; no answer ever comes."""
    postmaster = cluster.pid()
    processes = [postmaster, *children_of(postmaster)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
