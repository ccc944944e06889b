"""A thin HTTP client: it sends what it is told, byte by byte, and holds what comes back against the
OpenAPI file."""

import gzip
import http.client
import json as json_module
import urllib.parse

_DEFAULT = object()


class Reply:
    """`sent` is the body as it came over the wire, `body` what it was before any compression."""

    def __init__(self, status, headers, sent):
        self.status = status
        self.headers = headers
        self.sent = sent
        self.body = gzip.decompress(sent) if headers["Content-Encoding"] == "gzip" else sent

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json_module.loads(self.body)

    @property
    def lines(self):
        """Of a reply that is one JSON value a line."""
        return [json_module.loads(line) for line in self.body.splitlines()]

    @property
    def code(self):
        """Of a problem document."""
        return self.json["code"]

    @property
    def pointers(self):
        """The wrong fields that a problem document names."""
        return [error["pointer"] for error in self.json.get("errors", [])]

    def __repr__(self):
        return f"<{self.status} {self.body[:400]!r}>"


def quoted(segment):
    """A path segment that may hold any character."""
    return urllib.parse.quote(segment, safe="")


class Api:
    """`token` is the Authorization of every call unless the call names its own; None sends none."""

    def __init__(self, server, contract, token=None):
        self.server = server
        self.contract = contract
        self.token = token if token is not None else server.token()

    def with_token(self, token):
        return Api(self.server, self.contract, token)

    def as_user(self, user):
        """The same calls as the device of an app user makes them."""
        return self.with_token(self.server.token(scope="user", sub=user))

    def request(
        self,
        method,
        path,
        json=None,
        data=None,
        headers=None,
        token=_DEFAULT,
        params=None,
        timeout=30,
    ):
        """`json` is encoded; `data` goes out as it is: bytes, or an iterable of bytes in chunks."""
        sent = {}
        if json is not None:
            data = json_module.dumps(json).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        token = self.token if token is _DEFAULT else token
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        for name, value in (headers or {}).items():
            sent = {known: old for known, old in sent.items() if known.lower() != name.lower()}
            if value is not None:
                sent[name] = value
        target = path + ("?" + urllib.parse.urlencode(params) if params else "")

        connection = http.client.HTTPConnection(
            self.server.host, self.server.port, timeout=timeout
        )
        try:
            try:
                chunked = data is not None and not isinstance(data, (bytes, str))
                connection.request(method, target, data, sent, encode_chunked=chunked)
            except (BrokenPipeError, ConnectionResetError):
                if connection.sock is None:
                    raise
                # Refused before all of it was sent: the answer may be there already.
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read())
        finally:
            connection.close()
        if self.contract is not None:
            self.contract.check_reply(method, path.partition("?")[0], reply)
        return reply

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def put(self, path, json=None, **more):
        return self.request("PUT", path, json=json, **more)

    def post(self, path, json=None, **more):
        return self.request("POST", path, json=json, **more)

    def patch(self, path, json=None, **more):
        return self.request("PATCH", path, json=json, **more)

    def delete(self, path, **more):
        return self.request("DELETE", path, **more)
