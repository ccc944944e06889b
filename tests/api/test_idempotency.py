"""A POST that is repeated with its Idempotency-Key takes effect once, also while the first is at work."""

import concurrent.futures
import datetime
import secrets

import psycopg
import pytest

from support.contract import Contract
from support.database import n_waiting, unchanged

CONTRACT = Contract()
# What only reads; what makes nothing but a token, which no database keeps.
WITHOUT_KEY = {
    "friend_check",
    "block_check",
    "presence_list",
    "user_tag_query",
    "user_token_make",
}


def test_every_post_that_changes_something_takes_a_key():
    posts = {one.name: one for one in CONTRACT.operations.values() if one.method == "POST"}
    keyed = {
        name
        for name, one in posts.items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in one.parameters)
    }
    assert keyed == posts.keys() - WITHOUT_KEY


def yesterday():
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def call_users(ann, bob, carol):
    return "/v1/users", {"users": [{"id": f"made-{secrets.token_hex(6)}", "nick": "x"}]}


def call_batch(ann, bob, carol):
    return "/v1/messages/batch", {"from": ann, "to": [bob, carol], "text": "hi"}


def call_import(ann, bob, carol):
    item = {"from": ann, "to": bob, "text": "then", "sent_at": yesterday()}
    return "/v1/messages/import", {"messages": [item]}


def call_friends(ann, bob, carol):
    return f"/v1/users/{ann}/friends", {"friends": [{"peer": bob, "remark": "b"}]}


def call_request(ann, bob, carol):
    return f"/v1/users/{ann}/friend-requests", {"to": bob, "text": "shall we?"}


def call_accept(ann, bob, carol):
    return f"/v1/users/{carol}/friend-requests/{ann}/accept", None


def call_kick(ann, bob, carol):
    return f"/v1/users/{ann}/kick", {}


def call_tags(ann, bob, carol):
    return "/v1/tags", {"changes": [{"user": ann, "add": ["x"]}, {"user": bob, "remove": ["y"]}]}


def call_send(ann, bob, carol):
    return "/v1/messages", {"from": ann, "to": bob, "text": "hi"}


# These wait where a mailbox is locked.
LOCKING_CALLS = [
    call_batch,
    call_import,
    call_friends,
    call_request,
    call_accept,
    call_kick,
]
CALLS = [call_users, call_tags, *LOCKING_CALLS]
each_call = pytest.mark.parametrize("call", CALLS, ids=lambda one: one.__name__)


@pytest.fixture
def world(api, user):
    ann, bob, carol = user(), user(), user()
    api.put(f"/v1/users/{carol}", {"friend_policy": "approval"})
    asked = api.post(f"/v1/users/{ann}/friend-requests", {"to": carol})
    assert asked.json["state"] == "pending"
    return ann, bob, carol


@each_call
def test_a_repeated_request_changes_nothing(api, db, world, call):
    path, body = call(*world)
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    first = api.post(path, body, headers=headers)
    assert first.status in (200, 201), first
    with unchanged(db):
        again = api.post(path, body, headers=headers)
    assert (again.status, again.json) == (200, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("call", [call_send, *CALLS], ids=lambda one: one.__name__)
@pytest.mark.parametrize("other_call", [call_send, call_users], ids=lambda one: one.__name__)
def test_a_key_belongs_to_one_request(api, db, world, call, other_call):
    path, body = call(*world)
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    api.post(path, body, headers=headers)
    path, body = other_call(*reversed(world))
    with unchanged(db):
        other = api.post(path, body, headers=headers)
    assert (other.status, other.code) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("call", LOCKING_CALLS, ids=lambda one: one.__name__)
def test_while_the_first_is_at_work_the_second_is_told_so(api, server, db, world, call, cluster):
    """The first waits for a mailbox that is locked; the second does not wait with it."""
    path, body = call(*world)
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    with concurrent.futures.ThreadPoolExecutor() as pool, psycopg.connect(
        cluster.url(), autocommit=True
    ) as other:
        with db.transaction():
            db.execute(
                "select from duet.mailbox_head h join duet.app_user u on u.user_no = h.owner"
                " where u.user_id = any(%s) for update of h",
                [list(world)],
            )
            first = pool.submit(api.post, path, body, headers=headers)
            server.wait_until(lambda: n_waiting(other), what="the first at work")
            second = api.post(path, body, headers=headers)
            assert not first.done()
        first = first.result()
    assert (second.status, second.code) == (409, "idempotency_key_in_use")
    assert second.json["retryable"] and second.headers["Retry-After"]
    assert first.status in (200, 201)
    third = api.post(path, body, headers=headers)
    assert (third.status, third.json) == (200, first.json)


def test_a_refused_request_keeps_no_key(api, world):
    ann, bob, _ = world
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    api.put(f"/v1/users/{bob}", {"friend_policy": "nobody"})
    refused = api.post(f"/v1/users/{ann}/friend-requests", {"to": bob}, headers=headers)
    api.put(f"/v1/users/{bob}", {"friend_policy": "anyone"})
    accepted = api.post(f"/v1/users/{ann}/friend-requests", {"to": bob}, headers=headers)
    assert (refused.status, accepted.status) == (403, 200)


def test_callers_do_not_share_keys(api, server, world):
    ann, bob, carol = world
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    path, body = call_batch(ann, bob, carol)
    for subject in ("first", "second"):
        reply = api.post(path, body, headers=headers, token=server.token(sub=subject))
        assert reply.headers["Idempotency-Replayed"] is None


@pytest.mark.parametrize("call", [call_send, call_batch])
def test_a_user_and_a_service_of_one_name_do_not_share_keys(api, server, world, call):
    ann, _, _ = world
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    path, body = call(*world)
    for caller in (api.with_token(server.token(sub=ann)), api.as_user(ann)):
        reply = caller.post(path, body, headers=headers)
        assert reply.status in (200, 201), reply
        assert reply.headers["Idempotency-Replayed"] is None


@pytest.mark.parametrize("call", [call_send, call_batch])
def test_the_keys_of_a_service_outlive_a_user_of_its_name(api, server, world, user, call):
    service = api.with_token(server.token(sub=world[0]))
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    path, body = call(world[1], world[2], user())
    service.post(path, body, headers=headers)
    assert api.delete(f"/v1/users/{world[0]}").json["finished_at"]
    assert service.post(path, body, headers=headers).headers["Idempotency-Replayed"]


def test_a_rehearsal_keeps_no_key(api, world):
    path, body = call_batch(*world)
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    assert api.post(f"{path}?validate_only=true", body, headers=headers).status == 200
    real = api.post(path, body, headers=headers)
    assert real.headers["Idempotency-Replayed"] is None
    assert "message" in real.json["results"][0]


@pytest.mark.parametrize("call", [call_send, call_batch])
def test_a_token_that_is_void_learns_nothing_by_its_keys(api, world, call):
    ann = api.as_user(world[0])
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    path, body = call(*world)
    first = ann.post(path, body, headers=headers)
    assert first.status in (200, 201), first
    api.post(f"/v1/users/{world[0]}/kick", {})
    for keys in (headers, {}):
        assert ann.post(path, body, headers=keys).code == "unauthenticated"
