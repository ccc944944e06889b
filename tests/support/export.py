"""Exports of a length that takes a while, and their bytes as they come."""

import socket


def fill(db, user, peer, count, size=200):
    """That many messages from peer to user, past the server."""
    with db.transaction():
        db.execute(
            """
            insert into duet.mailbox (
                owner, seq, sent_at, peer, peer_seq, nonce, kind, options, outgoing, sent_by, elements
            )
            select o.user_no, h.last_seq + i, now(), p.user_no, 1000000 + i, i, 1, 15, false, 'backend',
                '[{"type":"text","text":"' || i || ' ' || repeat('x', %(size)s) || '"}]'
            from duet.app_user as o
            join duet.mailbox_head as h on h.owner = o.user_no
            join duet.app_user as p on p.user_id = %(peer)s, generate_series(1, %(count)s) as i
            where o.user_id = %(user)s
            """,
            {"user": user, "peer": peer, "count": count, "size": size},
        )
        db.execute(
            """
            update duet.mailbox_head set last_seq = last_seq + %s
            where owner = (select user_no from duet.app_user where user_id = %s)
            """,
            (count, user),
        )


def open_export(server, user, receive_buffer=4096):
    """The socket of a request whose reply nobody has read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(20)
    connection.connect((server.host, server.port))
    connection.sendall(
        f"GET /v1/users/{user}/export HTTP/1.1\r\nHost: duet.test\r\n"
        f"Authorization: Bearer {server.token()}\r\n\r\n".encode()
    )
    return connection


def take_all(connection):
    """What comes until the server ends the connection or the reply."""
    data = bytearray()
    try:
        while piece := connection.recv(65536):
            data += piece
            if data.endswith(b"\r\n0\r\n\r\n"):
                break
    except ConnectionError:
        pass
    return bytes(data)
