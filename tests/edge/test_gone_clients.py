"""Clients that close their connection, or their half of it, before they are answered."""

import json
import socket
import time

import pytest

import raw
from support import text_message

USER_STREAMS = 4


def head(server, line, more=""):
    return (
        f"{line} HTTP/1.1\r\nHost: duet.test\r\nAuthorization: Bearer {server.token()}\r\n{more}\r\n"
    ).encode()


def post(server, message):
    body = json.dumps(message).encode()
    more = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head(server, "POST /v1/messages", more) + body


def send_and_close_half(server, request):
    with raw.connect(server) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return raw.read_to_end(connection)


@pytest.mark.parametrize("line", ["GET /healthz", "GET /v1/users/{ann}", "GET /v1/users/{ann}/export"])
def test_who_has_closed_one_half_is_answered(server, ann, line):
    answer = send_and_close_half(server, head(server, line.format(ann=ann)))
    assert answer.statuses == [200], answer


def test_who_has_closed_one_half_learns_that_a_message_is_stored(server, api, ann, bob):
    for n in range(20):
        answer = send_and_close_half(server, post(server, text_message(ann, bob, f"{n}")))
        assert answer.statuses == [201], answer
    assert len(api.get(f"/v1/users/{bob}/messages").json["items"]) == 20


def test_a_reply_in_pieces_reaches_who_has_closed_one_half(server, db, ann, bob):
    """More than one piece: between two of them the request is suspended again."""
    db.execute(
        "insert into duet.mailbox (owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, elements)"
        " select o.user_no, i, now(), p.user_no, 0, 0, 1, 0, false, '[]'"
        " from duet.app_user o, duet.app_user p, generate_series(1, 5000) i"
        " where o.user_id = %s and p.user_id = %s",
        (ann, bob),
    )
    db.execute(
        "update duet.mailbox_head h set last_seq = 5000 from duet.app_user u where u.user_no = h.owner and u.user_id = %s",
        (ann,),
    )
    answer = send_and_close_half(server, head(server, f"GET /v1/users/{ann}/export"))
    assert answer.data.count(b'{"type":"') == 5003  # with the user, the audit and the end
    assert answer.data.endswith(b"0\r\n\r\n")


def test_who_has_gone_is_in_the_log(start_server, bob):
    server = start_server()
    with raw.connect(server) as connection:
        connection.sendall(head(server, f"GET /v1/users/{bob}/events?wait=60"))
        time.sleep(0.5)
    line = server.wait_for_log("request", operation="event_list", timeout=5)
    assert line["status"] == 200  # the wait ended when the client had gone
    with raw.connect(server) as connection:
        connection.sendall(post(server, text_message(bob, bob, "x"))[:-3])
        time.sleep(0.2)
    line = server.wait_for_log("request", operation="message_send", timeout=5)
    assert (line["status"], line["code"]) == (499, "client_gone")


def test_waits_whose_clients_have_gone_leave_their_places(start_server, client_of, ann):
    server = start_server(DUET_USER_STREAMS=USER_STREAMS)
    path = f"/v1/users/{ann}/events"
    with_gone = head(server, f"GET {path}?wait=60")
    for _ in range(USER_STREAMS):
        with raw.connect(server) as connection:
            connection.sendall(with_gone)
            time.sleep(0.1)
    api = client_of(server)
    server.wait_until(
        lambda: api.get(path, params={"wait": 1}).status == 200,
        timeout=10,
        what="a place of one who has gone",
    )
