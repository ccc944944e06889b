"""What is refused before anything looks at a request, and what a refusal must not let slip through.

Every hostile request tries to make one user itself and carries a second request, which makes
another, where a lenient reader would look for it. Neither may exist afterwards."""

import secrets

import pytest

import raw

HOST = b"Host: duet.test\r\n"
TOKEN = b"Authorization: Bearer {token}\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
PUT = b"PUT /v1/users/{victim} HTTP/1.1\r\n"
SMUGGLED = (
    b"PUT /v1/users/{smuggled} HTTP/1.1\r\n" + HOST + TOKEN + JSON + b"Content-Length: 2\r\n\r\n{}"
)


def put(headers, body=b"", line=PUT):
    """A PUT that lacks nothing but what `headers` adds."""
    return line + HOST + TOKEN + JSON + headers + b"\r\n" + body


def put_to(target):
    return put(b"Content-Length: 2\r\n", b"{}", b"PUT " + target + b" HTTP/1.1\r\n")


def put_chunked(body):
    return put(CHUNKED, body)


def in_one_chunk(body):
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.fixture(name="names")
def fixture_names():
    """Users that are not there, and must not come to be."""
    mark = secrets.token_hex(4)
    return {"victim": f"victim-{mark}", "smuggled": f"smuggled-{mark}"}


@pytest.fixture(name="attack")
def fixture_attack(server, api, names):
    """attack(bytes, statuses): refused with one of them, the connection closed, nothing written."""

    def attack(data, statuses, code=None, silent=False):
        answer = raw.send(server, fill(data, server, names))
        assert answer.closed, answer
        assert set(answer.statuses) <= set(statuses), answer
        assert answer.statuses or silent, answer
        if code:
            assert len(answer.statuses) == 1, answer
            assert answer.problem and answer.problem["code"] == code, answer
            assert answer.problem["status"] == answer.statuses[0]
            assert answer.problem["retryable"] is False
        for name in names.values():
            assert api.get(f"/v1/users/{name}").status == 404
        return answer

    return attack


def fill(data, server, names):
    for name, value in {**names, "token": server.token()}.items():
        data = data.replace(b"{%s}" % name.encode(), value.encode())
    return data


def test_the_second_request_is_seen_when_it_is_an_honest_one(server, api, names):
    """The control: what the other tests look for would be found."""
    honest = put(b"Content-Length: 2\r\n", b"{}") + SMUGGLED
    with raw.connect(server) as connection:
        connection.sendall(fill(honest, server, names))
        assert [status for status, _, _ in raw.read_replies(connection, 2)] == [201, 201]
    for name in names.values():
        assert api.get(f"/v1/users/{name}").status == 200


MALFORMED = {
    "chunked and a length": put(b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n" + SMUGGLED),
    "a length and chunked": put(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n" + SMUGGLED),
    "chunked and length 0": put(CHUNKED + b"Content-Length: 0\r\n", in_one_chunk(SMUGGLED)),
    "chunked twice": put(CHUNKED + CHUNKED, in_one_chunk(b"{}") + SMUGGLED),
    "chunked and identity": put(CHUNKED + b"Transfer-Encoding: identity\r\n", SMUGGLED),
    "gzip, chunked": put(b"Transfer-Encoding: gzip, chunked\r\n", in_one_chunk(b"{}") + SMUGGLED),
    "chunked, identity": put(b"Transfer-Encoding: chunked, identity\r\n", SMUGGLED),
    "xchunked": put(b"Transfer-Encoding: xchunked\r\n", in_one_chunk(b"{}") + SMUGGLED),
    "chunked behind a tab": put(b"Transfer-Encoding: \x0bchunked\r\n", SMUGGLED),
    "Transfer-Encoding with a blank": put(b"Transfer-Encoding : chunked\r\n", SMUGGLED),
    "two lengths": put(b"Content-Length: 2\r\nContent-Length: 500\r\n", b"{}" + SMUGGLED),
    "the same length twice": put(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"{}" + SMUGGLED),
    "a blank before the colon": put(b"Content-Length : %d\r\n" % len(SMUGGLED), SMUGGLED),
    "a tab before the colon": put(b"Content-Length\t: %d\r\n" % len(SMUGGLED), SMUGGLED),
    "a line of a name with a blank": put(b"X-A b: c\r\n"),
    "a name that is empty": put(b": c\r\n"),
    "a name that is quoted": put(b'"X-A": c\r\n'),
    "a folded value": put(b"X-A: b\r\n c\r\n"),
    "a folded value with a tab": put(b"X-A: b\r\n\tContent-Length: 2\r\n", b"{}"),
    "a header folded from two": put(b"X-Forward: 6.6.6.6\r\n ed-For\r\n"),
    "a folded encoding": put(b"Transfer-Enc: chunked\r\n oding\r\n", in_one_chunk(SMUGGLED)),
    "a folded first header": PUT + b" " + HOST + TOKEN + JSON + b"\r\n",
    "a bare line feed behind the request line": PUT.replace(b"\r", b"") + HOST + b"\r\n",
    "a bare line feed behind a header": put(b"X-A: b\nContent-Length: 2\r\n", b"{}"),
    "a bare line feed at the end": PUT + HOST + b"Content-Length: 0\r\n\n" + SMUGGLED,
    "bare line feeds everywhere": (PUT + HOST + TOKEN + b"\r\n").replace(b"\r", b"") + SMUGGLED,
    "a bare carriage return": put(b"X-A: b\rContent-Length: 2\r\n", b"{}"),
    "NUL in a value": put(b"X-A: b\0c\r\n"),
    "NUL in the last value": PUT + HOST + b"Content-Length: 0\0" + b"500\r\n\r\n" + SMUGGLED,
    "an escape character in a value": put(b"X-A: \x1b[0m\r\n"),
    "HTTP/1.9": put(b"", line=b"PUT /v1/users/{victim} HTTP/1.9\r\n"),
    "chunked in HTTP/1.0": put(CHUNKED, b"0\r\n\r\n", b"PUT /v1/users/{victim} HTTP/1.0\r\n"),
    "two blanks in the request line": put(b"", line=b"PUT  /v1/users/{victim} HTTP/1.1\r\n"),
    "OPTIONS": put(b"", line=b"OPTIONS /v1/users/{victim} HTTP/1.1\r\n"),
    "TRACE": put(b"", line=b"TRACE /v1/users/{victim} HTTP/1.1\r\n"),
    "CONNECT": put(b"", line=b"CONNECT 127.0.0.1:5432 HTTP/1.1\r\n"),
    "put": put(b"", line=b"put /v1/users/{victim} HTTP/1.1\r\n"),
    "an unknown method": put(b"", line=b"BREW /v1/users/{victim} HTTP/1.1\r\n"),
    "GET with a body": put(
        b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED, b"GET /healthz HTTP/1.1\r\n"
    ),
    "GET with chunks": put(CHUNKED, in_one_chunk(SMUGGLED), b"GET /healthz HTTP/1.1\r\n"),
    "DELETE with a body": put(
        b"Content-Length: 2\r\n", b"{}", b"DELETE /v1/users/{victim} HTTP/1.1\r\n"
    ),
    "two Authorization": put(b"Authorization: Bearer x\r\n"),
    "two Host": put(b"Host: other.test\r\n"),
    "two Content-Type": put(JSON),
    "two Idempotency-Key": put(b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n"),
    "two Last-Event-ID": put(b"Last-Event-ID: 1\r\nLast-Event-ID: 2\r\n"),
    "no Host": PUT + TOKEN + JSON + b"\r\n",
    "an empty Host": PUT + b"Host:\r\n" + TOKEN + JSON + b"\r\n",
    "a Host with a user": PUT + b"Host: me@duet.test\r\n" + TOKEN + JSON + b"\r\n",
    "two in one Host": PUT + b"Host: a, b\r\n" + TOKEN + JSON + b"\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_two_readers_could_read_differently_is_malformed(attack, data):
    attack(data, {400}, code="malformed_request")


def test_head_with_a_body_is_malformed(attack):
    data = put(b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED, b"HEAD /healthz HTTP/1.1\r\n")
    answer = attack(data, {400})
    assert answer.data.endswith(b"\r\n\r\n"), "a reply to HEAD has no body"


TARGETS = {
    "absolute": b"http://duet.test/v1/users/{victim}",
    "an asterisk": b"*",
    "without a slash": b"v1/users/{victim}",
    "NUL": b"/v1/users/{victim}\0/x",
    "%00": b"/v1/users/{victim}%00x",
    "%2F": b"/v1/users%2F{victim}",
    "%2f": b"/v1/users/x%2f..%2f{victim}",
    "%5C": b"/v1/users%5C{victim}",
    "a backslash": b"/v1/users\\{victim}",
    "two dots": b"/v1/messages/../users/{victim}",
    "encoded dots": b"/v1/messages/%2e%2E/users/{victim}",
    "one dot": b"/v1/./users/{victim}",
    "an empty segment": b"/v1//users/{victim}",
    "a slash at the end": b"/v1/users/{victim}/",
    "two slashes in front": b"//v1/users/{victim}",
    "a fragment": b"/v1/users/{victim}#x",
    "a bad escape": b"/v1/users/{victim}%zz",
    "half an escape": b"/v1/users/{victim}%4",
    "a blank": b"/v1/users/{victim} x",
    "a tab": b"/v1/users/{victim}\tx",
    "UTF-8 as it is": "/v1/users/{victim}é".encode(),
    "a bad escape in the query": b"/v1/users/{victim}?a=%",
    "NUL in the query": b"/v1/users/{victim}?a=%00",
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_a_target_with_two_readings_is_malformed(attack, target):
    attack(put_to(target), {400}, code="malformed_request")


def test_a_long_target_is_too_long(attack):
    attack(put_to(b"/v1/users/{victim}?x=" + b"a" * 2048), {414}, code="uri_too_long")


@pytest.mark.parametrize(
    "headers, status, code",
    [
        (b"X-A: b\r\n" * 65, 431, "headers_too_large"),
        (b"X-A: " + b"b" * 14336 + b"\r\n", 431, "headers_too_large"),
        (b"Expect: 200-maybe\r\n", 417, "expectation_failed"),
        (b"Content-Length: 1048577\r\n", 413, "body_too_large"),
        (b"Content-Length: 10737418240\r\n", 413, "body_too_large"),
        (b"Content-Length: 1099511627776\r\nExpect: 100-continue\r\n", 413, "body_too_large"),
    ],
    ids=["65 headers", "a head of 14 KiB", "an expectation", "a byte over 1 MiB", "10 GB", "1 TB"],
)
def test_what_is_too_much_is_refused_at_once(attack, headers, status, code):
    answer = attack(put(headers), {status}, code=code)
    if status == 413:
        assert "1048576" in answer.problem["detail"]


@pytest.mark.parametrize(
    "media_type",
    [b"", b"text/plain", b"application/json; charset=latin1"],
    ids=["none", "text", "latin1"],
)
def test_a_body_that_is_no_json_is_refused(attack, media_type):
    header = b"Content-Type: " + media_type + b"\r\n" if media_type else b""
    data = PUT + HOST + TOKEN + header + b"Content-Length: 2\r\n\r\n{}"
    attack(data, {415}, code="unsupported_media_type")


# What libmicrohttpd refuses itself, in its own words and before the gate is asked.
LIBRARY = {
    "Content-Length +3": put(b"Content-Length: +3\r\n", b"{} " + SMUGGLED),
    "Content-Length 3, 3": put(b"Content-Length: 3, 3\r\n", b"{} " + SMUGGLED),
    "Content-Length -1": put(b"Content-Length: -1\r\n", SMUGGLED),
    "Content-Length 0x2": put(b"Content-Length: 0x2\r\n", b"{}" + SMUGGLED),
    "Content-Length 2 2": put(b"Content-Length: 2 2\r\n", b"{}" + SMUGGLED),
    "Content-Length 2**64": put(b"Content-Length: 18446744073709551616\r\n", SMUGGLED),
    "Content-Length is empty": put(b"Content-Length:\r\n", SMUGGLED),
    "a folded Content-Length": put(b"Content-Length: 2\r\n 500\r\n", b"{}" + SMUGGLED),
    "a Content-Length folded from two": put(b"Content-Le: 2\r\n ngth\r\n", b"{}" + SMUGGLED),
    "NUL in a name": put(b"X\0A: b\r\n"),
    "a header without a colon": put(b"no colon\r\n"),
    "HTTP/0.9": b"PUT /v1/users/{victim}\r\n\r\n",
    "a blank behind the version": put(b"", line=b"PUT /v1/users/{victim} HTTP/1.1 \r\n"),
    "HTTP/2.0": put(b"", line=b"PUT /v1/users/{victim} HTTP/2.0\r\n"),
    "http/1.1": put(b"", line=b"PUT /v1/users/{victim} http/1.1\r\n"),
    "a header of 60 KB": put(b"X-A: " + b"a" * 60000 + b"\r\n"),
    "a target of 60 KB": put_to(b"/v1/users/{victim}?" + b"a" * 60000),
    "a chunk size that is no number": put_chunked(b"zz\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    "a chunk size below zero": put_chunked(b"-2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    "a chunk size with 0x": put_chunked(b"0x2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    "a chunk size with a blank": put_chunked(b"2 \r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    "a chunk size that is empty": put_chunked(b"\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    "a chunk size over 2**64": put_chunked(b"10000000000000002\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    "a chunk longer than its size": put_chunked(b"2\r\n{} \r\n0\r\n\r\n" + SMUGGLED),
    "a chunk extension of 10 MB": put_chunked(b"2;" + b"a" * 10_000_000 + b"\r\n{}\r\n0\r\n\r\n"),
    "trailers without end": put_chunked(b"2\r\n{}\r\n0\r\n" + b"X-T: aaaaaaaaaaaaaa\r\n" * 100_000),
}


@pytest.mark.parametrize("data", LIBRARY.values(), ids=LIBRARY.keys())
def test_what_the_library_refuses_leaves_nothing_behind(attack, data):
    # 500 is what it says of a chunk's first line that does not fit into its memory.
    attack(data, {400, 411, 413, 414, 431, 500, 501, 505}, silent=True)


def test_a_chunked_body_that_is_too_large_is_refused_at_its_end(attack):
    answer = attack(put(CHUNKED + b"Connection: close\r\n", in_one_chunk(b" " * 1_048_577)), {413})
    assert answer.problem["code"] == "body_too_large"


def test_a_chunked_body_without_measure_is_cut_off(attack):
    attack(put_chunked((b"10000\r\n" + b" " * 0x10000 + b"\r\n") * 200), {413}, silent=True)


def test_an_early_refusal_reaches_a_client_that_goes_on_sending(server, names):
    body = b" " * 4_000_000
    for _ in range(10):
        data = fill(put(b"Content-Length: %d\r\n" % len(body), body), server, names)
        with raw.connect(server) as connection:
            head_end = data.index(b"\r\n\r\n") + 4
            connection.sendall(data[: head_end + 1000])
            assert raw.read_to_end(connection).statuses == [413]


def test_a_refused_head_is_not_answered_with_100_continue(server, names):
    head = put(b"Content-Length: 2\r\nExpect: 100-continue\r\n").replace(TOKEN, b"")
    answer = raw.send(server, fill(head, server, names))
    assert answer.statuses == [401]


def test_an_expectation_is_answered_before_the_body(server, names):
    head = put(b"Content-Length: 2\r\nExpect: 100-continue\r\n")
    with raw.connect(server) as connection:
        connection.sendall(fill(head, server, names))
        assert raw.read_replies(connection, 1)[0][0] == 100
        connection.sendall(b"{}")
        assert raw.read_replies(connection, 1)[0][0] == 201


def test_a_method_that_the_resource_does_not_know_is_told_the_others(server, names):
    data = fill(put(b"", line=b"POST /v1/users/{victim} HTTP/1.1\r\n"), server, names)
    with raw.connect(server) as connection:
        connection.sendall(data)
        status, headers, _ = raw.read_replies(connection, 1)[0]
    assert (status, headers["allow"]) == (405, "GET, PUT, PATCH, DELETE, HEAD")


def test_head_is_answered_without_a_body(server):
    with raw.connect(server) as connection:
        request = b" /healthz HTTP/1.1\r\n" + HOST
        connection.sendall(b"HEAD" + request + b"\r\nGET" + request + b"Connection: close\r\n\r\n")
        answer = raw.read_to_end(connection)
    assert answer.statuses == [200, 200]
    first, _, rest = answer.data.partition(b"\r\n\r\n")
    assert b"content-length:" in first.lower()
    assert rest.startswith(b"HTTP/1.1 ")


def test_a_head_may_come_byte_by_byte(server):
    data = b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A:  b \r\nX-B:\r\nConnection: close\r\n\r\n"
    with raw.connect(server) as connection:
        for position in range(len(data)):
            connection.sendall(data[position : position + 1])
        assert raw.read_to_end(connection).statuses == [200]


def test_pipelined_requests_are_answered_in_order(server, user):
    """Some wait for the database, some do not, and a refusal does not end the connection."""
    name = user().encode()
    lines = [
        b"GET /healthz HTTP/1.1\r\n",
        b"GET /v1/users/" + name + b" HTTP/1.1\r\n",
        b"GET /v1/nothing HTTP/1.1\r\n",
        b"GET /v1/users/nobody-" + name + b" HTTP/1.1\r\n",
        b"PUT /v1/users/" + name + b" HTTP/1.1\r\nContent-Length: 2\r\n" + JSON,
    ]
    expected = [200, 200, 404, 404, 200]
    requests = []
    for number in range(100):
        line = lines[number % len(lines)]
        body = b"{}" if line.startswith(b"PUT") else b""
        requests.append(line + HOST + TOKEN + b"X-Request-Id: n-%d\r\n\r\n" % number + body)
    with raw.connect(server, timeout=30) as connection:
        connection.sendall(fill(b"".join(requests), server, {}))
        replies = raw.read_replies(connection, len(requests))
    assert [headers["x-request-id"] for _, headers, _ in replies] == [f"n-{i}" for i in range(100)]
    assert [status for status, _, _ in replies] == expected * 20
