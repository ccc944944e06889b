"""A server with /v4 on, and a client that speaks to it as SDKs do."""

import http.client
import json as json_module
import random
import urllib.parse

import pytest

from support.client import Api
from support.server import Server

from given import World
from usersig import APP_ID, KEY, usersig


class V4:
    """`post` sends what it is told to /v4/{path}, and gives the answer's JSON."""

    def __init__(self, server):
        self.server = server
        self.signature = usersig("administrator")

    def query(self, identifier="administrator", signature=None):
        return {
            "sdkappid": APP_ID,
            "identifier": identifier,
            "usersig": self.signature if signature is None else signature,
            "random": random.randrange(2**32),
            "contenttype": "json",
        }

    def send(self, path, data, query=None, headers=None):
        """The whole response: (status, headers, body)."""
        query = self.query() if query is None else query
        text = query if isinstance(query, str) else urllib.parse.urlencode(query)
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=30)
        try:
            sent = {"Content-Type": "application/json", **(headers or {})}
            try:
                connection.request("POST", f"/v4/{path}?{text.removeprefix('?')}", data, sent)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was sent: the answer may be there already
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def post(self, path, request=None, query=None, raw=None):
        data = raw.encode() if raw is not None else json_module.dumps(request or {}).encode()
        status, headers, body = self.send(path, data, query)
        assert status == 200, (status, body)
        assert headers["Content-Type"].startswith("application/json")
        answer = json_module.loads(body)
        assert isinstance(answer["ErrorCode"], int) and isinstance(answer["ErrorInfo"], str)
        assert answer["ActionStatus"] in ("OK", "FAIL", "SomeError"), answer
        return answer

    def ok(self, path, request=None):
        answer = self.post(path, request)
        assert answer["ErrorCode"] == 0, answer
        return answer

    def code(self, path, request=None, **more):
        return self.post(path, request, **more)["ErrorCode"]


@pytest.fixture(scope="session")
def v4_settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("v4") / "key"
    path.write_text(KEY + "\n")
    return {"DUET_V4_APP_ID": APP_ID, "DUET_V4_KEY_FILE": path}


@pytest.fixture(scope="session")
def v4_server(cluster, keys, keys_file, v4_settings):
    one = Server(keys, keys_file, cluster.url("duet_server"), v4_settings)
    try:
        one.start()
        yield one
        one.stop()
    finally:
        one.kill()


@pytest.fixture
def v4(v4_server):
    return V4(v4_server)


@pytest.fixture
def v4_of():
    return V4


@pytest.fixture
def api(v4_server, contract):
    """The same world through /v1."""
    return Api(v4_server, contract)


@pytest.fixture
def pair(api):
    """Two users about whom nothing is known yet."""
    names = ("eve", "finn")
    for name in names:
        api.delete(f"/v1/users/{name}")
        assert api.put(f"/v1/users/{name}", {}).status == 201
    return names


@pytest.fixture
def world(v4, api, v4_of, start_server, v4_settings, db, request):
    import test_vectors  # pylint: disable=import-outside-toplevel

    one = World(v4, api, test_vectors.THEN + test_vectors.SHIFT, db)
    request.addfinalizer(
        lambda: db.execute("update duet.setting set friends_per_user = default, blocks_per_user = default, attributes = default")
    )
    one.own_server = lambda settings: v4_of(start_server(env={**v4_settings, **settings}))
    return one
