"""Who may do what. What a token must be like to count at all is tested in tests/edge."""

import secrets
import time

import pytest

from support import text_message
from support.contract import Contract, first_example, target_of
from support.database import unchanged

CONTRACT = Contract()
NARROW = [
    "users:read",
    "users:write",
    "messages:read",
    "messages:write",
    "relations:read",
    "relations:write",
    "notifications:write",
    "archives:read",
    "settings:write",
]
GUARDED = sorted(
    (one for one in CONTRACT.operations.values() if one.spec["x-scope"] != "public"),
    key=lambda one: one.name,
)
PUBLIC = [one for one in CONTRACT.operations.values() if one.spec["x-scope"] == "public"]
each_guarded = pytest.mark.parametrize("operation", GUARDED, ids=lambda one: one.name)


@pytest.fixture
def call(api, ann, bob):
    """Calls an operation as the OpenAPI file's first example does, about ann and bob."""
    message = api.post("/v1/messages", text_message(ann, bob)).json["id"]
    names = {"alice": ann, "bob": bob}

    def call_as(operation, token):
        values, body, headers = first_example(operation, names, message)
        if "notification" in values:
            values["notification"] = "999999999"  # none: a job would run beside other tests
        if operation.name == "message_send":
            body["client_id"] = secrets.token_hex(4)
        if operation.name == "notification_send":
            body["send_at"] = "2099-01-01T00:00:00Z"  # lest it runs beside other tests
        target = target_of(operation, values)
        return api.request(operation.method, target, json=body, headers=headers, token=token)

    return call_as


def was_let_in(reply):
    """Whatever became of it: it was not the token that stood in the way."""
    return reply.status < 400 or reply.code not in ("unauthenticated", "forbidden")


@each_guarded
def test_without_a_token_nothing_is_done(call, db, operation):
    with unchanged(db):
        reply = call(operation, None)
    assert (reply.status, reply.code) == (401, "unauthenticated")


@each_guarded
def test_an_expired_token_does_nothing(call, server, db, operation):
    with unchanged(db):
        reply = call(operation, server.token(exp=int(time.time()) - 60))
    assert (reply.status, reply.code) == (401, "unauthenticated")


@each_guarded
def test_each_scope_opens_what_it_names_and_nothing_else(call, server, db, operation):
    needed = operation.spec["x-scope"]
    assert needed in [*NARROW, "admin"]
    for scope in NARROW:
        if scope != needed:
            with unchanged(db):
                reply = call(operation, server.token(scope=scope))
            assert (reply.status, reply.code) == (403, "forbidden"), scope
    others = " ".join(scope for scope in NARROW if scope != needed)
    assert call(operation, server.token(scope=others)).status == 403
    allowing = {"admin", needed} | ({" ".join(NARROW)} if needed in NARROW else set())
    for scope in allowing:
        assert was_let_in(call(operation, server.token(scope=scope))), scope


@each_guarded
def test_a_device_may_act_for_its_own_user_only(call, server, db, ann, bob, operation):
    own = call(operation, server.token(scope="user", sub=ann))
    if operation.spec["x-user-token"] == "none":
        assert (own.status, own.code) == (403, "forbidden")
    else:
        assert was_let_in(own)
    others = [ann + "x", ann.upper(), ann[:-1]]
    if operation.spec["x-user-token"] != "as_user":
        others.append(bob)  # to whom the message was sent, so that it is bob's as well
    for other in others:
        with unchanged(db):
            reply = call(operation, server.token(scope="user", sub=other))
        hidden = operation.spec["x-user-token"] == "as_user" and reply.status == 404
        assert hidden or (reply.status, reply.code) == (403, "forbidden"), other


@pytest.mark.parametrize("operation", PUBLIC, ids=lambda one: one.name)
def test_what_is_public_asks_for_no_token(api, operation):
    assert api.request(operation.method, operation.path, token=None).status == 200
    assert api.request(operation.method, operation.path, token="rubbish").status == 200


@pytest.mark.parametrize("kid", ["h1", "e1", "r1"])
def test_a_token_of_each_kind_of_key_is_good(api, server, ann, kid):
    reply = api.get(f"/v1/users/{ann}", token=server.token(kid=kid))
    assert reply.status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YWRtaW46YWRtaW4=",
        "{token}",
        "Token {token}",
        "Bearer {token} x",
    ],
)
def test_an_authorization_of_another_form_is_refused(api, server, ann, authorization):
    value = authorization.format(token=server.token())
    reply = api.get(f"/v1/users/{ann}", token=None, headers={"Authorization": value})
    assert (reply.status, reply.code) in ((401, "unauthenticated"), (400, "malformed_request"))


def test_the_scheme_may_be_written_in_any_case(api, server, ann):
    for scheme in ("bearer", "BEARER"):
        headers = {"Authorization": f"{scheme} {server.token()}"}
        assert api.get(f"/v1/users/{ann}", token=None, headers=headers).status == 200


def test_a_token_in_the_query_is_no_token(api, server, ann):
    reply = api.get(f"/v1/users/{ann}?access_token={server.token()}", token=None)
    assert reply.status in (400, 401)


def test_a_refusal_does_not_tell_whether_a_user_exists(api, server, ann):
    device = server.token(scope="user", sub="someone-else")
    known = api.get(f"/v1/users/{ann}", token=device).json
    unknown = api.get(f"/v1/users/stranger-{secrets.token_hex(4)}", token=device).json
    for reply in (known, unknown):
        reply.pop("request_id")
    assert known == unknown


def test_a_wrong_body_is_not_read_before_the_token(api, db):
    with unchanged(db):
        reply = api.post("/v1/messages", data=b"{", token=None)
    assert reply.status == 401


def test_an_old_token_does_not_open_the_account_of_who_was_made_anew(api, server, db, ann, bob):
    old = server.token(scope="user", sub=ann, iat=int(time.time()) - 10)
    device = api.with_token(old)
    assert device.get(f"/v1/users/{ann}").status == 200
    api.delete(f"/v1/users/{ann}")
    api.put(f"/v1/users/{ann}", {})
    with unchanged(db):
        replies = [
            device.get(f"/v1/users/{ann}"),
            device.get(f"/v1/users/{ann}/messages"),
            device.patch(f"/v1/users/{ann}", {"nick": "Eve"}),
            device.post("/v1/messages", text_message(ann, bob)),
            device.post("/v1/messages/batch", {"from": ann, "to": [bob], "text": "x"}),
        ]
    assert {(reply.status, reply.code) for reply in replies} == {(401, "unauthenticated")}
    new = server.token(scope="user", sub=ann, iat=int(time.time()) + 1)
    assert api.with_token(new).post("/v1/messages", text_message(ann, bob)).status == 201
