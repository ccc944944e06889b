"""For tests that take the plug out: a cluster that only they use, and servers on it."""

import psycopg
import pytest

from support.cluster import Cluster
from support.server import migrate


@pytest.fixture(scope="module")
def victim(tmp_path_factory):
    """A cluster of the module's own, to be killed at will; whoever does starts it again."""
    one = Cluster(tmp_path_factory.mktemp("victim"))
    one.start()
    try:
        migrate(one)
        yield one
    finally:
        one.remove()


@pytest.fixture
def start_on(start_server):
    """start_on(cluster, DUET_SENDERS=1) starts a server on that cluster."""
    return lambda cluster, **settings: start_server(
        DUET_DATABASE_URL=cluster.url("duet_server"), **settings
    )


@pytest.fixture
def look_into():
    """look_into(cluster): a connection to the database, as its superuser sees it."""
    opened = []

    def connect(cluster):
        opened.append(psycopg.connect(cluster.url(), autocommit=True))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
