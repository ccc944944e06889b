"""POST /v1/messages and GET /v1/messages/{id}."""

import concurrent.futures
import secrets

import pytest

from support import short, text_message
from support.database import unchanged
from support.mailbox import history

EVERY_ELEMENT = [
    {"type": "text", "text": "Tea at four?\nOr five 🫖"},
    {"type": "emoji", "index": 12, "data": "teacup"},
    {"type": "location", "description": "mill", "latitude": 53.8, "longitude": -1.55},
    {
        "type": "image",
        "url": "https://media.example/a.jpg",
        "width": 1024,
        "height": 768,
        "size": 29360128,
        "format": "jpeg",
        "thumbnail_url": "https://media.example/b.jpg",
    },
    {"type": "audio", "url": "https://media.example/a.ogg", "size": 1, "duration_seconds": 8},
    {
        "type": "file",
        "url": "https://media.example/a.pdf",
        "size": 104857600,
        "name": "a.pdf",
        "format": "pdf",
    },
    {
        "type": "video",
        "url": "https://media.example/a.mp4",
        "size": 1,
        "duration_seconds": 1,
        "format": "mp4",
        "cover_url": "https://media.example/c.jpg",
    },
    {"type": "custom", "data": "{}", "description": "d", "extension": "e", "sound": "s"},
]
LEAST_OF_EACH = [
    {"type": "text", "text": "x"},
    {"type": "emoji", "index": 0},
    {"type": "location", "latitude": -90, "longitude": 180},
    {"type": "image", "url": "u"},
    {"type": "audio", "url": "u"},
    {"type": "file", "url": "u"},
    {"type": "video", "url": "u"},
    {"type": "custom", "data": "d"},
]


def key():
    return secrets.token_hex(8)


def test_message_send_puts_the_message_into_both_mailboxes(api, ann, bob):
    sent = api.post("/v1/messages", text_message(ann, bob, "Tea at four?"))
    assert sent.status == 201
    assert sent.headers["Location"] == f"/v1/messages/{sent.json['id']}"
    assert "Idempotency-Replayed" not in sent.headers
    expected = {
        "from": ann,
        "to": bob,
        "kind": "chat",
        "elements": [{"type": "text", "text": "Tea at four?"}],
        "custom_data": None,
        "sent_by": "backend",
        "sender_profile": {"nick": "Ann", "avatar_url": "", "deleted": False},
        "state": "sent",
        "edited_at": None,
    }
    assert {name: sent.json[name] for name in expected} == expected
    assert api.get(sent.headers["Location"]).json == sent.json
    assert history(api, bob) == [sent.json]
    assert history(api, ann) == [sent.json]


def test_message_send_by_a_device_names_the_user_as_its_sender(api, ann, bob):
    sent = api.as_user(ann).post("/v1/messages", text_message(ann, bob))
    assert (sent.status, sent.json["sent_by"]) == (201, ann)


def test_message_send_takes_every_element(api, ann, bob):
    body = {"from": ann, "to": bob, "elements": EVERY_ELEMENT, "custom_data": "c\n1"}
    sent = api.post("/v1/messages", body)
    assert (sent.status, sent.json["elements"]) == (201, EVERY_ELEMENT)
    stored = api.get(f"/v1/messages/{sent.json['id']}").json
    assert (stored["elements"], stored["custom_data"]) == (EVERY_ELEMENT, "c\n1")


@pytest.mark.parametrize("element", LEAST_OF_EACH, ids=lambda element: element["type"])
def test_an_element_needs_no_more_than_its_required_fields(api, ann, bob, element):
    sent = api.post("/v1/messages", {"from": ann, "to": bob, "elements": [element]})
    assert (sent.status, sent.json["elements"]) == (201, [element])


@pytest.mark.parametrize(
    "element, pointer",
    [
        ({"type": "text"}, "/text"),
        ({"type": "text", "text": 1}, "/text"),
        ({"type": "text", "text": "x", "size": 1}, "/size"),
        ({"type": "emoji"}, "/index"),
        ({"type": "emoji", "index": -1}, "/index"),
        ({"type": "emoji", "index": 1.5}, "/index"),
        ({"type": "emoji", "index": "1"}, "/index"),
        ({"type": "location", "longitude": 0}, "/latitude"),
        ({"type": "location", "latitude": 90.001, "longitude": 0}, "/latitude"),
        ({"type": "location", "latitude": 0, "longitude": -180.5}, "/longitude"),
        ({"type": "image"}, "/url"),
        ({"type": "image", "url": ""}, "/url"),
        ({"type": "image", "url": "u", "size": 29360129}, "/size"),
        ({"type": "audio", "url": "u", "size": 29360129}, "/size"),
        ({"type": "audio", "url": "u", "duration_seconds": -1}, "/duration_seconds"),
        ({"type": "audio", "url": "u", "duration_seconds": 8.5}, "/duration_seconds"),
        ({"type": "file", "url": "u", "size": 104857601}, "/size"),
        ({"type": "video", "url": "u", "size": 104857601}, "/size"),
        ({"type": "video", "url": "u", "width": 1}, "/width"),
        ({"type": "custom"}, "/data"),
        ({"type": "sticker"}, "/type"),
        ({"type": "Text", "text": "x"}, "/type"),
        ({"type": 1}, "/type"),
        ({"text": "x"}, "/type"),
        ("text", ""),
        (None, ""),
    ],
    ids=short,
)
def test_an_element_that_is_wrong_is_refused_by_name(api, db, ann, bob, element, pointer):
    good = {"type": "text", "text": "x"}
    with unchanged(db):
        reply = api.post("/v1/messages", {"from": ann, "to": bob, "elements": [good, element]})
    assert (reply.status, reply.pointers) == (400, [f"/elements/1{pointer}"])


def test_a_message_holds_1_to_16_elements(api, db, ann, bob):
    element = {"type": "text", "text": "x"}
    most = text_message(ann, bob, None, elements=[element] * 16)
    assert api.post("/v1/messages", most).status == 201
    for wrong in ([], [element] * 17, element, "x"):
        with unchanged(db):
            reply = api.post("/v1/messages", text_message(ann, bob, None, elements=wrong))
        assert (reply.status, reply.pointers) == (400, ["/elements"])


def test_elements_are_at_most_12_kib_together(api, db, ann, bob):
    def elements(size):
        empty = '[{"type":"text","text":""}]'
        return [{"type": "text", "text": "x" * (size - len(empty))}]

    accepted = api.post("/v1/messages", {"from": ann, "to": bob, "elements": elements(12288)})
    assert accepted.status == 201
    with unchanged(db):
        reply = api.post("/v1/messages", {"from": ann, "to": bob, "elements": elements(12289)})
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert "12288" in reply.text
    assert reply.pointers == ["/elements"]


@pytest.mark.parametrize("text", ["x" * 12261, "é" * 6130, '"' * 6130, "\u2028" * 2043])
def test_a_text_has_the_bytes_of_json_that_elements_have(api, db, ann, bob, text):
    assert api.post("/v1/messages", text_message(ann, bob, text)).status == 201
    with unchanged(db):
        reply = api.post("/v1/messages", text_message(ann, bob, text + "x" * 6))
    assert (reply.status, reply.code, reply.pointers) == (413, "body_too_large", ["/text"])
    assert "12288" in reply.text


def test_text_stands_in_place_of_elements_not_beside_them(api, db, ann, bob):
    element = {"type": "text", "text": "x"}
    with unchanged(db):
        both = api.post("/v1/messages", text_message(ann, bob, "x", elements=[element]))
        neither = api.post("/v1/messages", {"from": ann, "to": bob})
    assert (both.status, both.code) == (400, "invalid_request")
    assert (neither.status, neither.code) == (400, "invalid_request")


@pytest.mark.parametrize(
    "field, accepted, refused",
    [
        ("custom_data", "é" * 2048, "é" * 2048 + "x"),
        ("client_id", "~" * 64, "~" * 65),
        ("client_id", "!", ""),
        ("client_id", "a-b", "a b"),
        ("client_id", "ab", "é"),
    ],
    ids=short,
)
def test_message_send_accepts_the_limit_and_refuses_what_is_beyond(
    api, db, ann, bob, field, accepted, refused
):
    assert api.post("/v1/messages", text_message(ann, bob, **{field: accepted})).status == 201
    with unchanged(db):
        reply = api.post("/v1/messages", text_message(ann, bob, **{field: refused}))
    assert (reply.status, reply.pointers) == (400, [f"/{field}"])


@pytest.mark.parametrize(
    "part, field, accepted, refused",
    [
        ("push", "title", "x" * 256, "x" * 257),
        ("push", "body", "é" * 512, "é" * 512 + "x"),
        ("push", "extension", "x" * 2048, "x" * 2049),
        ("push", "title", "", 1),
        ("options", "store_seconds", 604800, 604801),
        ("options", "store_seconds", 0, -1),
        ("options", "sync_to_sender", False, "false"),
        ("options", "count_unread", False, 0),
        ("options", "update_recents", False, "no"),
        ("options", "push", False, []),
        ("options", "enforce_policy", False, "x"),
    ],
    ids=short,
)
def test_the_parts_of_a_message_have_limits(api, db, ann, bob, part, field, accepted, refused):
    body = text_message(ann, bob, **{part: {field: accepted}})
    assert api.post("/v1/messages", body).status == 201
    with unchanged(db):
        reply = api.post("/v1/messages", text_message(ann, bob, **{part: {field: refused}}))
    assert (reply.status, reply.pointers) == (400, [f"/{part}/{field}"])


def test_a_message_to_oneself_is_refused(api, db, ann):
    with unchanged(db):
        reply = api.post("/v1/messages", text_message(ann, ann))
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", ["/to"])


def test_both_users_must_be_known(api, db, ann):
    stranger = f"stranger-{key()}"
    with unchanged(db):
        to_nobody = api.post("/v1/messages", text_message(ann, stranger))
        from_nobody = api.post("/v1/messages", text_message(stranger, ann))
    assert (to_nobody.status, to_nobody.code) == (404, "user_unknown")
    assert (from_nobody.status, from_nobody.code) == (404, "user_unknown")
    assert (to_nobody.pointers, from_nobody.pointers) == (["/to"], ["/from"])


def test_a_user_made_after_a_refusal_can_be_written_to(api, ann):
    late = f"late-{key()}"
    assert api.post("/v1/messages", text_message(ann, late)).status == 404
    assert api.put(f"/v1/users/{late}", {}).status == 201
    assert api.post("/v1/messages", text_message(ann, late)).status == 201


def test_without_sync_to_sender_the_sender_keeps_no_copy(api, ann, bob):
    body = text_message(ann, bob, options={"sync_to_sender": False})
    sent = api.post("/v1/messages", body)
    assert (history(api, bob), history(api, ann)) == ([sent.json], [])
    assert api.get(f"/v1/messages/{sent.json['id']}").json == sent.json


def test_a_message_that_is_not_stored_is_in_no_history(api, ann, bob):
    sent = api.post("/v1/messages", text_message(ann, bob, options={"store_seconds": 0}))
    assert sent.status == 201
    assert (history(api, bob), history(api, ann)) == ([], [])
    assert api.get(f"/v1/messages/{sent.json['id']}").code == "message_unknown"


def test_the_order_of_sending_is_the_order_of_the_mailbox(api, ann, bob):
    ids = [api.post("/v1/messages", text_message(ann, bob, str(i))).json["id"] for i in range(20)]
    assert [message["id"] for message in history(api, bob)] == ids[::-1]
    assert [message["id"] for message in history(api, ann)] == ids[::-1]


# -- retries


def test_a_client_id_makes_one_message(api, db, ann, bob):
    body = text_message(ann, bob, client_id=key())
    first = api.post("/v1/messages", body)
    with unchanged(db):
        again = api.post("/v1/messages", body)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert again.json == first.json


def test_a_client_id_answers_with_the_first_message_whatever_the_second_says(api, ann, bob):
    name = key()
    first = api.post("/v1/messages", text_message(ann, bob, "first", client_id=name))
    again = api.post("/v1/messages", text_message(ann, bob, "second", client_id=name))
    assert (again.status, again.json) == (200, first.json)


def test_a_client_id_belongs_to_one_sender_and_one_receiver(api, user, ann, bob):
    name = key()
    eve = user()
    pairs = [(ann, bob), (bob, ann), (ann, eve), (eve, ann), (bob, eve)]
    sent = [api.post("/v1/messages", text_message(*pair, client_id=name)) for pair in pairs]
    assert [reply.status for reply in sent] == [201] * 5
    assert len({reply.json["id"] for reply in sent}) == 5


def test_an_idempotency_key_makes_one_message(api, db, ann, bob):
    headers = {"Idempotency-Key": key()}
    first = api.post("/v1/messages", text_message(ann, bob), headers=headers)
    with unchanged(db):
        again = api.post("/v1/messages", text_message(ann, bob), headers=headers)
    assert (first.status, again.status, again.headers["Idempotency-Replayed"]) == (201, 200, "true")
    assert again.json == first.json


def test_an_idempotency_key_serves_one_request_only(api, db, ann, bob):
    headers = {"Idempotency-Key": key()}
    api.post("/v1/messages", text_message(ann, bob), headers=headers)
    with unchanged(db):
        other = api.post("/v1/messages", text_message(ann, bob, "other"), headers=headers)
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert other.json["outcome"] == "not_applied"


def test_an_idempotency_key_belongs_to_its_caller(api, server, ann, bob):
    headers = {"Idempotency-Key": key()}
    one = api.post("/v1/messages", text_message(ann, bob), headers=headers)
    other = api.post(
        "/v1/messages",
        text_message(ann, bob, "other"),
        headers=headers,
        token=server.token(sub="another-backend"),
    )
    assert (one.status, other.status) == (201, 201)


@pytest.mark.parametrize("wrong", ["x" * 65, "a b", "é".encode().decode("latin-1")], ids=short)
def test_an_idempotency_key_has_limits(api, db, ann, bob, wrong):
    with unchanged(db):
        reply = api.post("/v1/messages", text_message(ann, bob), headers={"Idempotency-Key": wrong})
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert reply.pointers == ["/Idempotency-Key"]


def test_a_refused_request_does_not_use_up_its_key(api, ann):
    late = f"late-{key()}"
    headers = {"Idempotency-Key": key()}
    assert api.post("/v1/messages", text_message(ann, late), headers=headers).status == 404
    api.put(f"/v1/users/{late}", {})
    assert api.post("/v1/messages", text_message(ann, late), headers=headers).status == 201


@pytest.mark.parametrize("by", ["client_id", "Idempotency-Key"])
def test_retries_at_the_same_moment_make_one_message(api, ann, bob, by):
    name = key()
    body = text_message(ann, bob, **({"client_id": name} if by == "client_id" else {}))
    headers = {by: name} if by != "client_id" else {}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        calls = [pool.submit(api.post, "/v1/messages", body, headers=headers) for _ in range(64)]
        replies = [call.result() for call in calls]
    assert sorted(reply.status for reply in replies) == [200] * 63 + [201]
    assert len({reply.body for reply in replies}) == 1
    assert len(history(api, bob)) == 1


def test_many_senders_at_once_leave_no_gap(api, user, bob):
    senders = [user() for _ in range(8)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        calls = [
            pool.submit(api.post, "/v1/messages", text_message(sender, bob, f"{i}"))
            for i in range(25)
            for sender in senders
        ]
        ids = {call.result().json["id"] for call in calls}
    events = api.get(f"/v1/users/{bob}/events", params={"limit": 200}).json
    assert [event["seq"] for event in events["items"]] == list(range(1, 201))
    assert {event["message"]["id"] for event in events["items"]} == ids


# -- who may send


def test_a_device_sends_only_as_its_user(api, db, ann, bob):
    with unchanged(db):
        reply = api.as_user(ann).post("/v1/messages", text_message(bob, ann))
    assert (reply.status, reply.code) == (403, "forbidden")


def test_a_muted_user_may_not_send(api, db, ann, bob):
    db.execute(
        "update duet.app_user set muted_until = now() + interval '1 hour' where user_id = %s", [ann]
    )
    for options in ({}, {"enforce_policy": True}, {"enforce_policy": False}):
        with unchanged(db):
            body = text_message(ann, bob, options=options)
            reply = api.as_user(ann).post("/v1/messages", body)
        assert (reply.status, reply.code) == (403, "sender_muted")
    # A back-end service sends past the mute, unless it asks for the policy.
    assert api.post("/v1/messages", text_message(ann, bob)).status == 201
    enforced = text_message(ann, bob, options={"enforce_policy": True})
    assert api.post("/v1/messages", enforced).code == "sender_muted"
    db.execute("update duet.app_user set muted_until = now() where user_id = %s", [ann])
    assert api.as_user(ann).post("/v1/messages", text_message(ann, bob)).status == 201


def decide(db, owner, peer, **flags):
    """What the owner has decided about the peer."""
    since = {"friend": "friend_since", "blocked": "blocked_at"}
    for name, value in flags.items():
        db.execute(
            "insert into duet.contact (owner, peer, created_at)"
            " select o.user_no, p.user_no, now() from duet.app_user o, duet.app_user p"
            " where o.user_id = %s and p.user_id = %s on conflict do nothing",
            [owner, peer],
        )
        db.execute(
            f"update duet.contact set {name} = %s, {since[name]} = case when %s then now() end"
            " where owner = (select user_no from duet.app_user where user_id = %s)"
            " and peer = (select user_no from duet.app_user where user_id = %s)",
            [value, value, owner, peer],
        )


ENFORCED = {"options": {"enforce_policy": True}}


def test_a_blocked_user_may_not_send_to_who_blocked_it(api, db, ann, bob):
    decide(db, bob, ann, blocked=True)
    with unchanged(db):
        device = api.as_user(ann).post("/v1/messages", text_message(ann, bob))
        back_end = api.post("/v1/messages", text_message(ann, bob, **ENFORCED))
    assert (device.status, device.code) == (403, "blocked_by_recipient")
    assert (back_end.status, back_end.code) == (403, "blocked_by_recipient")
    assert api.post("/v1/messages", text_message(ann, bob)).status == 201
    assert api.as_user(bob).post("/v1/messages", text_message(bob, ann)).status == 201


def test_a_retry_after_a_block_is_answered_with_the_first_message(api, db, ann, bob):
    body = text_message(ann, bob, client_id=key(), **ENFORCED)
    first = api.post("/v1/messages", body)
    decide(db, bob, ann, blocked=True)
    again = api.post("/v1/messages", body)
    assert (again.status, again.json) == (200, first.json)


@pytest.fixture
def friends_only(db):
    db.execute("update duet.setting set messaging = 'friends'")
    yield
    db.execute("update duet.setting set messaging = 'anyone'")


def test_where_only_friends_may_write_strangers_may_not(api, db, ann, bob, friends_only):
    with unchanged(db):
        reply = api.as_user(ann).post("/v1/messages", text_message(ann, bob))
    assert (reply.status, reply.code) == (403, "not_friends")
    decide(db, ann, bob, friend=True)
    assert api.as_user(ann).post("/v1/messages", text_message(ann, bob)).code == "not_friends"
    decide(db, bob, ann, friend=True)
    assert api.as_user(ann).post("/v1/messages", text_message(ann, bob)).status == 201
    assert api.post("/v1/messages", text_message(bob, ann, **ENFORCED)).status == 201


# -- reading one


def test_message_get_knows_no_other_id(api, ann, bob):
    sent = api.post("/v1/messages", text_message(ann, bob)).json["id"]
    changed = [sent[:i] + ("AB"[c == "A"]) + sent[i + 1 :] for i, c in enumerate(sent)]
    for other in changed + [sent[:-1], sent + "A", "x", "A" * 64, "-", "_" * 200]:
        reply = api.get(f"/v1/messages/{other}")
        assert (reply.status, reply.code) == (404, "message_unknown"), other
    assert api.get(f"/v1/messages/{sent}").status == 200


def test_ids_are_short_and_plain(api, ann, bob):
    sent = api.post("/v1/messages", text_message(ann, bob)).json["id"]
    assert len(sent) <= 64
    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in sent)
