"""Clients that take their time are cut off, and nobody waits because of them."""

import contextlib
import os
import pathlib
import signal
import threading
import time

import pytest

import raw
from support.server import Server

HEADER_SECONDS = 1
BODY_SECONDS = 2
REPLY_SECONDS = 2
IDLE_SECONDS = 3
# How late a client may be cut off beyond its time: deadlines are looked at four times a second, and
# a machine under test is busy.
LATE_SECONDS = 2
HEALTH_SECONDS = 1
CLIENTS = 20
# Sockets that libmicrohttpd asks for with one call. Where all are ready it asks again, and would wait.
LOOKED_AT_IN_ONE_GO = 128
READY_SECONDS = 5

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: duet.test\r\n\r\n"
PUT = (
    b"PUT /v1/users/slow HTTP/1.1\r\nHost: duet.test\r\nAuthorization: Bearer {token}\r\n"
    b"Content-Type: application/json\r\n"
)


@pytest.fixture(scope="module", name="hasty")
def fixture_hasty(cluster, keys, keys_file):
    """A server with little patience."""
    settings = {
        "DUET_HEADER_TIMEOUT_SECONDS": HEADER_SECONDS,
        "DUET_BODY_TIMEOUT_SECONDS": BODY_SECONDS,
        "DUET_REPLY_TIMEOUT_SECONDS": REPLY_SECONDS,
        "DUET_IDLE_TIMEOUT_SECONDS": IDLE_SECONDS,
    }
    one = Server(keys, keys_file, cluster.url("duet_server"), settings)
    try:
        one.start()
        yield one
        one.stop()
    finally:
        one.kill()


def put_head(server, more):
    return PUT.replace(b"{token}", server.token().encode()) + more + b"\r\n"


@contextlib.contextmanager
def connections(server, count=CLIENTS):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(raw.connect(server)) for _ in range(count)]


@contextlib.contextmanager
def healthy(server):
    """Asks for the server's health all the while: each answer must come at once."""
    over = threading.Event()
    slowest = [0.0]
    failed = []

    def ask():
        while not over.is_set():
            begun = time.monotonic()
            if server.probe("/healthz") != 200:
                failed.append("no answer from /healthz")
            slowest[0] = max(slowest[0], time.monotonic() - begun)
            over.wait(0.05)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()
    assert not failed
    assert slowest[0] < HEALTH_SECONDS


def seconds_until_closed(clients, dribble, give_up_after):
    """Sends `dribble` to each client again and again, until the server has closed them all."""
    begun = time.monotonic()
    left = list(clients)
    while left:
        assert time.monotonic() - begun < give_up_after, f"{len(left)} are still open"
        for client in list(left):
            client.settimeout(0.001)
            try:
                if dribble:
                    client.sendall(dribble)
                closed = client.recv(4096) == b""
            except TimeoutError:
                closed = False
            except ConnectionError:
                closed = True
            if closed:
                left.remove(client)
        time.sleep(0.02)
    return time.monotonic() - begun


def assert_cut_off(server, first, dribble, seconds):
    with healthy(server), connections(server) as clients:
        for client in clients:
            client.sendall(first)
        took = seconds_until_closed(clients, dribble, seconds + LATE_SECONDS)
    assert took > seconds - 0.5


@pytest.mark.parametrize(
    "first, dribble",
    [
        (b"", b""),
        (b"GE", b""),
        (b"GET /", b"a"),
        (b"GET /healthz HTTP/1.1\r\nHost: duet.test\r\nX-A: ", b"a"),
    ],
    ids=["nothing", "half a method", "a target byte by byte", "a header byte by byte"],
)
def test_a_slow_head_is_cut_off(hasty, first, dribble):
    after = len(hasty.log)
    assert_cut_off(hasty, first, dribble, HEADER_SECONDS)
    hasty.wait_for_log("connections_cut", after=after)


@pytest.mark.parametrize(
    "headers, first, dribble",
    [
        (b"Content-Length: 1000000\r\n", b"{", b" "),
        (b"Content-Length: 1000000\r\nExpect: 100-continue\r\n", b"", b""),
        (b"Transfer-Encoding: chunked\r\n", b"", b"1\r\n \r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n", b""),
        (b"Transfer-Encoding: chunked\r\n", b"2;" + b"a" * 65536, b""),
        (b"Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\nX-T: ", b"a"),
        (b"Transfer-Encoding: chunked\r\n", b"7FFFFFFFFFFFFFFF\r\n{", b" "),
    ],
    ids=["byte by byte", "expected", "chunk by chunk", "no last chunk", "endless line", "trailer", "huge chunk"],
)
def test_a_slow_body_is_cut_off(hasty, headers, first, dribble):
    assert_cut_off(hasty, put_head(hasty, headers) + first, dribble, BODY_SECONDS)
    assert hasty.probe("/healthz") == 200


def test_an_idle_connection_is_kept_for_its_time(hasty):
    with connections(hasty) as clients:
        for client in clients:
            client.sendall(HEALTH)
            assert raw.read_replies(client, 1)[0][0] == 200
        time.sleep(HEADER_SECONDS + 0.5)  # the patience for a head is over, that for idling is not
        for client in clients:
            client.sendall(HEALTH)
            assert raw.read_replies(client, 1)[0][0] == 200
        took = seconds_until_closed(clients, b"", IDLE_SECONDS + LATE_SECONDS)
    assert took > IDLE_SECONDS - 0.5


def test_a_client_that_does_not_read_is_cut_off(hasty):
    count = 400
    request = b"GET /openapi.json HTTP/1.1\r\nHost: duet.test\r\n\r\n"
    after = len(hasty.log)
    with healthy(hasty), raw.connect(hasty, receive_buffer=4096) as client:
        sender = threading.Thread(target=send_all, args=(client, request * count))
        sender.start()
        hasty.wait_for_log("connections_cut", REPLY_SECONDS + LATE_SECONDS + 5, after, reply=1)
        sender.join()
        answer = raw.read_to_end(client)
    assert answer.closed
    assert len(answer.statuses) < count


def send_all(connection, data):
    with contextlib.suppress(OSError):
        connection.sendall(data)


def processor_seconds(server):
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_what_does_not_fit_into_memory_keeps_no_processor_busy(hasty):
    """The first line of a chunk that does not end: libmicrohttpd would try again and again."""
    with connections(hasty, 2) as clients:
        before = processor_seconds(hasty)
        for client in clients:
            client.sendall(put_head(hasty, b"Transfer-Encoding: chunked\r\n") + b"2;" + b"a" * 65536)
        took = seconds_until_closed(clients, b"", BODY_SECONDS + LATE_SECONDS)
        used = processor_seconds(hasty) - before
    assert took > BODY_SECONDS - 0.5
    assert used < took / 4


@pytest.mark.parametrize("count", [LOOKED_AT_IN_ONE_GO, 2 * LOOKED_AT_IN_ONE_GO])
def test_nobody_waits_where_as_many_are_ready_as_are_looked_at_in_one_go(start_server, count):
    server = start_server(DUET_HTTP_THREADS=1)
    with connections(server, count) as clients:
        for client in clients:
            client.sendall(HEALTH)
            assert raw.read_replies(client, 1)[0][0] == 200
            client.settimeout(READY_SECONDS)
        server.signal(signal.SIGSTOP)
        for client in clients:
            client.sendall(HEALTH)
        server.signal(signal.SIGCONT)
        for client in clients:
            assert raw.read_replies(client, 1)[0][0] == 200


def test_over_the_soft_limit_a_client_is_told_so(start_server):
    limit = 20
    soft_limit = limit * 9 // 10
    server = start_server(DUET_MAX_CONNECTIONS=limit)
    # Connections of the start-up's own probes may linger for a moment: each client that comes too
    # early for a place comes again.
    with contextlib.ExitStack() as stack:
        clients = []
        while len(clients) < soft_limit:
            client = stack.enter_context(raw.connect(server))
            client.sendall(HEALTH)
            if raw.read_replies(client, 1)[0][0] == 200:
                clients.append(client)
        answer = raw.send(server, HEALTH)
        assert answer.closed
        assert answer.statuses == [503]
        assert answer.problem["code"] == "too_many_connections"
        assert answer.problem["retryable"] is True
        assert b"retry-after:" in answer.data.lower()
        for client in clients:  # those who were there first are not disturbed
            client.sendall(HEALTH)
            assert raw.read_replies(client, 1)[0][0] == 200
    server.wait_until(lambda: told(server) == 200, what="room for new clients")


def told(server):
    """The status that a newcomer is answered with; 0 when it is turned away without a word."""
    with contextlib.suppress(OSError, IndexError), raw.connect(server) as connection:
        connection.sendall(HEALTH)
        return raw.read_replies(connection, 1)[0][0]
    return 0


def test_over_the_limit_a_client_is_turned_away_at_once(start_server):
    limit = 20
    server = start_server(DUET_MAX_CONNECTIONS=limit)
    with connections(server, limit * 2) as clients:
        server.wait_until(lambda: n_closed(clients) >= limit, what="the end of what is too many")
    server.wait_until(lambda: told(server) == 200, what="room for new clients")


def test_with_few_files_there_are_fewer_connections(start_server):
    """So that who is too many is told so, and all are served again afterwards."""
    server = start_server(files=300)
    line = server.wait_for_log("few_files")
    limit = line["max_connections"]
    assert limit + line["max_streams"] == 300 - 256
    with connections(server, 300) as clients:
        server.wait_until(lambda: n_closed(clients) >= 300 - limit, what="the end of what is too many")
        before = processor_seconds(server)
        time.sleep(1)
        assert processor_seconds(server) - before < 0.5
    server.wait_until(lambda: told(server) == 200, what="room for new clients")


def test_with_too_few_files_it_does_not_start(cluster, keys, keys_file):
    one = Server(keys, keys_file, cluster.url("duet_server"), files=260)
    with pytest.raises(Exception):
        one.start()
    assert "open files" in "".join(one.stderr)


def n_closed(clients):
    closed = 0
    for client in clients:
        client.settimeout(0.001)
        try:
            closed += client.recv(1) == b""
        except TimeoutError:
            pass
        except ConnectionError:
            closed += 1
    return closed
