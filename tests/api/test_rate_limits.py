"""How many requests a caller may make. When requests come back to the microsecond is tested in
src/http/rate_limit_test.c; here the clock is the real one, and the machine may be slow."""

import http.client
import re
import secrets
import socket
import time

import pytest

from support import text_message
from support.database import unchanged
from support.server import run_duetd

BURST = 5


@pytest.fixture(name="strict")
def fixture_strict(start_server, client_of):
    """An administrator's client of a server that lets users make a request a second, 5 at once."""
    return client_of(start_server(DUET_USER_RATE=1, DUET_USER_BURST=BURST))


def policy(reply):
    """(name, q, w), or None."""
    value = reply.headers.get("RateLimit-Policy")
    if value is None:
        assert "RateLimit" not in reply.headers
        return None
    name, quota, window = re.fullmatch(r'"(\w+)";q=(\d+);w=(\d+)', value).groups()
    return name, int(quota), int(window)


def left(reply):
    """(r, t)"""
    named, remaining, full = re.fullmatch(
        r'"(\w+)";r=(\d+);t=(\d+)', reply.headers["RateLimit"]
    ).groups()
    assert named == policy(reply)[0]
    return int(remaining), int(full)


def use_up(call, burst=BURST):
    """Calls until it is refused; gives the refusal. One request a second comes back meanwhile."""
    begun = time.monotonic()
    allowed = 0
    while (reply := call()).status != 429:
        assert reply.status < 300, reply
        allowed += 1
        assert allowed <= burst + 1 + time.monotonic() - begun
    assert allowed >= burst
    return reply


def test_users_are_limited_unless_the_operator_says_otherwise(api, start_server, client_of, ann):
    reply = api.as_user(ann).get(f"/v1/users/{ann}")
    assert policy(reply) == ("user", 100, 5)
    assert left(reply) == (99, 1)

    free = client_of(start_server(DUET_USER_RATE=0, DUET_USER_BURST=1)).as_user(ann)
    for _ in range(20):
        reply = free.get(f"/v1/users/{ann}")
        assert (reply.status, policy(reply)) == (200, None)


def test_back_end_tokens_are_not_limited_unless_the_operator_says_so(strict, ann):
    for _ in range(3 * BURST):
        reply = strict.get(f"/v1/users/{ann}")
        assert (reply.status, policy(reply)) == (200, None)


def test_the_headers_count_down(strict, ann):
    device = strict.as_user(ann)
    begun = time.monotonic()
    for used in range(1, BURST + 1):
        reply = device.get(f"/v1/users/{ann}")
        back = int(time.monotonic() - begun)  # at the most
        assert policy(reply) == ("user", BURST, BURST)
        remaining, full = left(reply)
        assert BURST - used <= remaining <= BURST - used + back
        assert used - back <= full <= used


def test_who_has_used_all_is_refused_until_retry_after(strict, ann):
    device = strict.as_user(ann)
    refusal = use_up(lambda: device.get(f"/v1/users/{ann}"))
    assert (refusal.code, refusal.json["retryable"]) == ("rate_limited", True)
    assert left(refusal) == (0, BURST)
    assert refusal.headers["Retry-After"] == "1"
    time.sleep(int(refusal.headers["Retry-After"]))
    assert device.get(f"/v1/users/{ann}").status == 200


def test_a_refusal_is_not_counted(strict, ann):
    device = strict.as_user(ann)
    use_up(lambda: device.get(f"/v1/users/{ann}"))
    end = time.monotonic() + 1.2
    statuses = set()
    while time.monotonic() < end:
        statuses.add(device.get(f"/v1/users/{ann}").status)
    assert 200 in statuses


def test_callers_do_not_share_a_limit_and_tokens_of_one_user_do(strict, ann, bob):
    device = strict.as_user(ann)
    other = strict.with_token(strict.server.token(scope="user", sub=ann, kid="e1"))
    backend = strict.with_token(strict.server.token(sub=ann))
    use_up(lambda: device.get(f"/v1/users/{ann}"))
    assert left(strict.as_user(bob).get(f"/v1/users/{bob}")) == (BURST - 1, 1)
    assert backend.get(f"/v1/users/{ann}").status == 200
    use_up(lambda: other.get(f"/v1/users/{ann}"), burst=0)


def test_whatever_is_answered_counts(strict, ann, bob):
    device = strict.as_user(ann)
    tag = strict.get(f"/v1/users/{ann}").headers["ETag"]
    message = text_message(ann, bob, client_id=secrets.token_hex(8))
    calls = [
        (201, lambda: device.post("/v1/messages", message)),
        (200, lambda: device.post("/v1/messages", message)),
        (304, lambda: device.get(f"/v1/users/{ann}", headers={"If-None-Match": tag})),
        (403, lambda: device.get(f"/v1/users/{bob}")),
        (403, lambda: device.put(f"/v1/users/{ann}", {})),
    ]
    begun = time.monotonic()
    for used, (status, call) in enumerate(calls, 1):
        reply = call()
        assert reply.status == status, reply
        back = int(time.monotonic() - begun)
        assert BURST - used <= left(reply)[0] <= BURST - used + back


def test_who_is_nobody_is_told_no_limit(strict, ann):
    assert policy(strict.get(f"/v1/users/{ann}", token="no.token.this")) is None
    assert policy(strict.get(f"/v1/users/{ann}", token=None)) is None


def test_public_addresses_are_not_limited(strict, ann):
    device = strict.as_user(ann)
    use_up(lambda: device.get(f"/v1/users/{ann}"))
    for _ in range(3 * BURST):
        reply = device.get("/healthz")
        assert (reply.status, policy(reply)) == (200, None)


def test_a_refused_write_is_not_applied(strict, ann, bob):
    device = strict.as_user(ann)
    replies = [device.post("/v1/messages", text_message(ann, bob)) for _ in range(4 * BURST)]
    refused = [reply for reply in replies if reply.status != 201]
    assert refused
    for reply in refused:
        assert (reply.code, reply.json["outcome"]) == ("rate_limited", "not_applied")
    stored = strict.get(f"/v1/users/{ann}/messages", params={"peer": bob}).json["items"]
    assert len(stored) == len(replies) - len(refused)


def test_the_body_of_a_refused_request_is_not_waited_for(strict, ann):
    token = strict.as_user(ann).token
    head = (
        "POST /v1/messages HTTP/1.1\r\nHost: duet.test\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: 1000000\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    for _ in range(4 * BURST):
        server = (strict.server.host, strict.server.port)
        with socket.create_connection(server, timeout=10) as connection:
            connection.sendall(head.encode())
            answer = connection.recv(65536)
            if answer.startswith(b"HTTP/1.1 100 "):
                continue  # the body is asked for; it never comes
            while piece := connection.recv(65536):
                answer += piece
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert b"retry-after: 1\r\n" in answer.lower()
            return
    raise AssertionError("nothing was refused")


def test_the_connection_serves_on_after_a_refusal(strict, ann):
    device = strict.as_user(ann)
    connection = http.client.HTTPConnection(strict.server.host, strict.server.port, timeout=10)
    connection.connect()
    opened = connection.sock

    def get():
        connection.request(
            "GET", f"/v1/users/{ann}", headers={"Authorization": f"Bearer {device.token}"}
        )
        reply = connection.getresponse()
        reply.read()
        assert connection.sock is opened
        return reply

    use_up(get)
    time.sleep(1)
    assert get().status == 200
    connection.close()


def test_back_end_tokens_can_be_limited_too(start_server, client_of, user):
    ann = user()
    server = start_server(DUET_BACKEND_RATE=1, DUET_BACKEND_BURST=3, DUET_USER_RATE=0)
    api = client_of(server)
    first = api.get(f"/v1/users/{ann}")
    assert policy(first) == ("backend", 3, 3)
    assert left(first) == (2, 1)
    use_up(lambda: api.get(f"/v1/users/{ann}"), burst=2)
    assert policy(api.as_user(ann).get(f"/v1/users/{ann}")) is None
    other = api.with_token(server.token(sub="another-service"))
    assert left(other.get(f"/v1/users/{ann}")) == (2, 1)


@pytest.mark.parametrize("wanted", ["-1", "1000001", "2.5", ""])
def test_a_rate_that_is_none_stops_the_start(wanted):
    done = run_duetd("serve", DUET_USER_RATE=wanted)
    assert done.returncode != 0
    assert "DUET_USER_RATE must be a whole number from 0 to 1000000" in done.stderr
