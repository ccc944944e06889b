"""Whatever answers in the server's place, the library neither crashes nor hangs, and goes on when the
server is back."""

import gzip
import json
import threading
import time

import pytest

from between import Between

MESSAGE = {
    "id": "AQIBAQHOubjG2ZyYA0HreSU",
    "from": "someone",
    "to": "other",
    "kind": "chat",
    "elements": [],
    "custom_data": None,
    "sent_at": "2026-11-22T19:05:01.123Z",
    "sent_by": "x",
    "sender_profile": {"nick": "", "avatar_url": "", "deleted": False},
    "state": "sent",
    "edited_at": None,
}


def write_all(handler, pieces):
    """Until the other side has had enough."""
    try:
        for piece in pieces:
            handler.wfile.write(piece)
    except OSError:
        pass


def says(body, status=200, content_type="application/json", **headers):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        write_all(handler, body if isinstance(body, list) else [body])
        return True

    return answer


def endless(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    write_all(handler, (b"[" * 65536 for _ in range(100000)))
    return True


def one_byte_at_a_time(handler):
    """Never done, never silent."""
    handler.send_response(200)
    handler.end_headers()
    pause = threading.Event()
    try:
        while not pause.wait(0.05):
            handler.wfile.write(b" ")
    except OSError:
        pass
    return True


def no_http(handler):
    write_all(handler, [b"\x16\x03\x01 what?\r\n\r\n" * 100])
    return True


ANSWERS = {
    "nothing": lambda handler: True,
    "no http": no_http,
    "a page of a proxy": says(b"<html>Sign in to the network</html>", content_type="text/html"),
    "a fault of a proxy": says(b"<html>Bad gateway</html>", status=502, content_type="text/html"),
    "not found by a proxy": says(b"<html>Not found</html>", status=404, content_type="text/html"),
    "an array": says(b"[]"),
    "an object of nothing": says(b"{}"),
    "wrong types": says(
        b'{"position":"x","items":{"a":1},"next_cursor":7,"id":[],"last_seq":"y","code":5}'
    ),
    "deep": says(b'{"a":' * 100000),
    "no utf-8": says(b'{"position":0,"a":"\xff\xfe"}'),
    "a bomb": says(gzip.compress(b" " * (64 << 20)), Content_Encoding="gzip"),
    "broken gzip": says(b"\x1f\x8b\x08 rubbish", Content_Encoding="gzip"),
    "endless": endless,
    "one byte at a time": one_byte_at_a_time,
    "wait for years": says(
        b'{"code":"overloaded","status":503,"retryable":true}', 503, Retry_After="99999999999"
    ),
}

EVENTS = {
    "no json": b"data: what?\n\n",
    "no object": b"data: [1]\n\n",
    "no seq": b'data: {"kind":"message"}\n\n',
    "seq of text": b'data: {"seq":"1","kind":"message"}\n\n',
    "seq below zero": b'data: {"seq":-1,"kind":"message"}\n\n',
    "message of text": b'data: {"seq":1,"kind":"message","message":"hi"}\n\n',
    "details of numbers": b'data: {"seq":1,"kind":"kicked","details":{"device":1,"reason":2}}\n\n',
    "a line without an end": b"data: " + b"x" * (2 << 20),
    "an event without an end": b"data: x\n" * (1 << 20),
    "an end": b"",
    **{
        f"a message with {value!r} as {name}": b"data: "
        + json.dumps({"seq": 1, "kind": "message", "message": {**MESSAGE, name: value}}).encode()
        + b"\n\n"
        for name, value in [("id", ""), ("id", 1), ("elements", "x"), ("sent_at", "now"), ("to", [])]
    },
}


def check_that_it_goes_on(phone, between, send, ann, bob):
    phone.wait_for("connection", state="disconnected")
    answer = phone.call("get_messages", ann, None, 10)
    assert not answer["complete"] and answer["items"] == []
    assert phone.told == []
    between.instead = None
    send(ann, bob, "still there?")
    phone.wait_told(ann, ["still there?"])


@pytest.mark.parametrize("name", ANSWERS)
def test_any_answer_is_survived(device, send, ann, bob, between, name):
    between.instead = ANSWERS[name]
    phone = device(bob, url=between.url, timeout_ms=1500)
    if name == "wait for years":  # ten minutes of them are believed
        phone.wait_for("connection", state="disconnected")
        return
    check_that_it_goes_on(phone, between, send, ann, bob)


@pytest.mark.parametrize("name", EVENTS)
def test_any_event_is_survived(device, send, ann, bob, between, name):
    def instead(handler):
        if "/events" in handler.path:
            return says(EVENTS[name], content_type="text/event-stream")(handler)
        return "/messages" in handler.path

    between.instead = instead
    phone = device(bob, url=between.url, timeout_ms=1500)
    check_that_it_goes_on(phone, between, send, ann, bob)


def test_a_token_is_not_carried_elsewhere(device, server, bob, between):
    elsewhere = Between(server)
    between.instead = says(b"", status=302, Location=elsewhere.url + "/v1/users/x")
    phone = device(bob, url=between.url)
    phone.wait_for("connection", state="disconnected", why="What answered is not understood.")
    assert elsewhere.seen == []
    elsewhere.close()


def test_other_addresses_than_http_are_refused(device, bob):
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1:8080", ""):
        assert device(bob, url=url or " ").login_error == "An argument is wrong."


def test_tries_become_rarer(device, bob, between):
    times = []
    between.instead = lambda handler: times.append(time.monotonic()) or True
    phone = device(bob, url=between.url)
    phone.wait(lambda: len(times) >= 5, "five tries", timeout=30)
    waits = [later - earlier for earlier, later in zip(times, times[1:])]
    assert all(wait >= 0.25 * 2**i for i, wait in enumerate(waits)), waits
