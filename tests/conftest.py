"""Fixtures of all black-box tests: one cluster and one server a run, users for each test."""

import itertools
import os
import pathlib
import secrets

import psycopg
import pytest

from support.client import Api
from support.cluster import Cluster
from support.contract import Contract
from support.server import Server, migrate
from support.tokens import Keys


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """The run's cluster, migrated. DUET_TEST_CLUSTER names one that is running already."""
    given = os.environ.get("DUET_TEST_CLUSTER")
    one = Cluster(given or tmp_path_factory.mktemp("cluster"))
    if not given:
        one.start()
    try:
        migrate(one)
        yield one
    finally:
        if not given:
            one.remove()


@pytest.fixture
def start_cluster(tmp_path_factory):
    """Makes clusters that a test may stop and kill as it likes: start_cluster(), migrated."""
    made = []

    def start(migrated=True):
        one = Cluster(tmp_path_factory.mktemp("own-cluster"))
        made.append(one)
        one.start()
        if migrated:
            migrate(one)
        return one

    yield start
    for one in made:
        one.remove()


@pytest.fixture(scope="session")
def keys():
    return Keys()


@pytest.fixture(scope="session")
def keys_file(keys, tmp_path_factory):
    path = pathlib.Path(tmp_path_factory.mktemp("keys")) / "keys.json"
    keys.write(path)
    return path


@pytest.fixture(scope="session")
def contract():
    return Contract()


@pytest.fixture(scope="session")
def server(cluster, keys, keys_file):
    """The run's server. A test that stops it, or changes its keys, starts its own."""
    one = Server(keys, keys_file, cluster.url("duet_server"))
    try:
        one.start()
        yield one
        one.stop()
    finally:
        one.kill()


@pytest.fixture
def start_server(cluster, keys, keys_file):
    """Starts servers with settings of their own: start_server(DUET_SENDERS=1). `ready=False` does
    not wait for /readyz; files=300: it may open no more than these."""
    made = []

    def start(env=None, ready=True, keys=keys, keys_file=keys_file, files=None, **settings):
        settings = {**(env or {}), **settings}
        url = settings.pop("DUET_DATABASE_URL", None) or cluster.url("duet_server")
        one = Server(keys, keys_file, url, settings, files)
        made.append(one)
        return one.start(ready=ready)

    try:
        yield start
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.kill()


@pytest.fixture(scope="session")
def api(server, contract):
    """Calls with an administrator's token; api.as_user(ann) calls with a device's."""
    return Api(server, contract)


@pytest.fixture
def settings(api):
    """Changes settings for one test: settings(sessions="one"). Afterwards they have their defaults."""
    changed = set()

    def patch(**changes):
        changed.update(changes)
        reply = api.patch("/v1/settings", changes, headers={"If-Match": "*"})
        assert reply.status == 200, reply

    yield patch
    if changed:
        patch(**dict.fromkeys(changed))


@pytest.fixture
def client_of(contract):
    """An Api for another server: client_of(server)."""
    return lambda server: Api(server, contract)


@pytest.fixture
def db(cluster):
    """The database as its superuser sees it."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        yield connection


_numbers = itertools.count(1)


@pytest.fixture
def user(api):
    """Makes users that no other test knows: user() or user(nick="Ann")."""

    def make(**profile):
        name = f"user-{next(_numbers)}-{secrets.token_hex(4)}"
        reply = api.put(f"/v1/users/{name}", profile)
        assert reply.status == 201, reply
        return name

    return make


@pytest.fixture
def ann(user):
    return user(nick="Ann")


@pytest.fixture
def bob(user):
    return user(nick="Bob")
