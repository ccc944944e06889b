"""Who may send to whom: every combination of friendship, blocks, mute, setting and token, each sent
for real and held against the few lines of `expected`."""

import itertools

import pytest

from support import text_message

RELATIONS = ("stranger", "one-way friend", "friend")
BLOCKS = ("no block", "sender blocked by receiver", "receiver blocked by sender")
TOKENS = ("user", "backend", "backend enforcing")


def expected(messaging, relation, block, muted, token):
    if token == "backend":
        return 201, None
    if block == "sender blocked by receiver":
        return 403, "blocked_by_recipient"
    if messaging == "friends" and relation != "friend":
        return 403, "not_friends"
    if muted:
        return 403, "sender_muted"
    return 201, None


def send(api, token, sender, receiver):
    message = text_message(sender, receiver)
    if token == "user":
        return api.as_user(sender).post("/v1/messages", message)
    if token == "backend enforcing":
        message["options"] = {"enforce_policy": True}
    return api.post("/v1/messages", message)


def outcome(reply):
    return reply.status, None if reply.status in (200, 201) else reply.code


def set_messaging(api, value):
    tag = api.get("/v1/settings").headers["ETag"]
    reply = api.patch("/v1/settings", {"messaging": value}, headers={"If-Match": tag})
    assert reply.json["messaging"] == (value or "anyone")


@pytest.fixture(params=["anyone", "friends"])
def messaging(request, api):
    set_messaging(api, request.param)
    yield request.param
    set_messaging(api, None)


@pytest.fixture
def among_friends(api):
    set_messaging(api, "friends")
    yield
    set_messaging(api, None)


def relate(api, sender, receiver, relation, block):
    if relation != "stranger":
        body = {"one_way": relation == "one-way friend"}
        assert api.put(f"/v1/users/{sender}/friends/{receiver}", body).status == 201
    if block == "sender blocked by receiver":
        assert api.put(f"/v1/users/{receiver}/blocks/{sender}").status == 201
    if block == "receiver blocked by sender":
        assert api.put(f"/v1/users/{sender}/blocks/{receiver}").status == 201


@pytest.mark.parametrize(
    "relation, block, muted", itertools.product(RELATIONS, BLOCKS, (False, True))
)
def test_the_policy_decides(api, ann, bob, messaging, relation, block, muted):
    relate(api, ann, bob, relation, block)
    if muted:
        mute(api, ann)
    for token in TOKENS:
        told = outcome(send(api, token, ann, bob))
        assert told == expected(messaging, relation, block, muted, token), token


@pytest.mark.parametrize(
    "relation, block, muted", itertools.product(RELATIONS, BLOCKS, (False, True))
)
def test_what_says_something_new_in_an_old_message_is_judged_as_a_message(
    api, ann, bob, messaging, relation, block, muted
):
    message = text_message(ann, bob, options={"extensible": True})
    path = f"/v1/messages/{api.post('/v1/messages', message).json['id']}"
    relate(api, ann, bob, relation, block)
    if muted:
        mute(api, ann)
    status, code = expected(messaging, relation, block, muted, "user")
    for change in (
        api.as_user(ann).patch(path, {"elements": [{"type": "text", "text": "new"}]}),
        api.as_user(ann).patch(f"{path}/extensions", {"items": [{"key": "a", "value": "b"}]}),
    ):
        assert outcome(change) == (200 if status == 201 else status, code)
    assert api.as_user(ann).delete(path).status == 200


def mute(api, user, until="2999-01-01T00:00:00Z"):
    assert api.patch(f"/v1/users/{user}/mute", {"until": until}).status == 200


def test_a_muted_receiver_is_written_to(api, ann, bob):
    mute(api, bob)
    assert send(api, "user", ann, bob).status == 201


def test_muting_and_its_end_take_effect_at_once(api, ann, bob):
    mute(api, ann)
    assert send(api, "user", ann, bob).code == "sender_muted"
    for until in (None, "2020-01-01T00:00:00Z"):
        mute(api, ann)
        mute(api, ann, until)
        assert send(api, "user", ann, bob).status == 201


def test_the_other_way_round_is_a_policy_of_its_own(api, ann, bob):
    api.put(f"/v1/users/{bob}/blocks/{ann}")
    assert send(api, "user", ann, bob).code == "blocked_by_recipient"
    assert send(api, "user", bob, ann).status == 201


def test_what_the_receiver_has_decided_says_nothing_of_others(api, user, ann, bob, among_friends):
    carol = user()
    api.put(f"/v1/users/{ann}/friends/{bob}", {})
    api.put(f"/v1/users/{bob}/blocks/{carol}")
    assert send(api, "user", ann, bob).status == 201
    assert send(api, "user", carol, bob).code == "blocked_by_recipient"
    assert send(api, "user", carol, ann).code == "not_friends"


def test_befriending_and_unfriending_take_effect_at_once(api, ann, bob, among_friends):
    path = f"/v1/users/{ann}/friends/{bob}"
    for _ in range(3):
        assert send(api, "user", ann, bob).code == "not_friends"
        api.put(path, {})
        assert send(api, "user", ann, bob).status == 201
        assert send(api, "user", bob, ann).status == 201
        api.delete(path)
        assert send(api, "user", bob, ann).code == "not_friends"


def test_unfriending_one_way_is_enough(api, ann, bob, among_friends):
    api.put(f"/v1/users/{ann}/friends/{bob}", {})
    api.delete(f"/v1/users/{bob}/friends/{ann}", params={"one_way": "true"})
    for sender, receiver in ((ann, bob), (bob, ann)):
        assert send(api, "user", sender, receiver).code == "not_friends"


def test_blocking_and_unblocking_take_effect_at_once(api, ann, bob):
    path = f"/v1/users/{bob}/blocks/{ann}"
    for _ in range(3):
        assert send(api, "user", ann, bob).status == 201
        api.put(path)
        assert send(api, "user", ann, bob).code == "blocked_by_recipient"
        api.delete(path)
    assert send(api, "user", ann, bob).status == 201


def test_an_accepted_request_opens_the_way_at_once(api, user, ann, among_friends):
    shy = user(friend_policy="approval")
    api.as_user(ann).post(f"/v1/users/{ann}/friend-requests", {"to": shy})
    assert send(api, "user", ann, shy).code == "not_friends"
    api.as_user(shy).post(f"/v1/users/{shy}/friend-requests/{ann}/accept")
    assert send(api, "user", ann, shy).status == 201
    assert send(api, "user", shy, ann).status == 201
