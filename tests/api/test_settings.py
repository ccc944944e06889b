"""GET and PATCH /v1/settings: what may be changed while the servers run."""

import threading
import time

import pytest

from support import text_message

DEFAULTS = {
    "messaging": "anyone",
    "roaming_days": 7,
    "offline_days": 7,
    "offline_per_contact": 100,
    "recent_contacts": 100,
    "recall_seconds": 120,
    "friends_per_user": 3000,
    "blocks_per_user": 1000,
    "friend_request_days": 7,
    "sessions": "many",
    "sessions_limit": 20,
    "attributes": [],
}
ANY = {"If-Match": "*"}


def patch(api, body, tag="*", **more):
    headers = {} if tag is None else {"If-Match": tag}
    return api.patch("/v1/settings", body, headers=headers, **more)


@pytest.fixture(autouse=True)
def fixture_defaults(api):
    """All tests share one database: the settings are as they were before the next one."""
    everything = dict.fromkeys(DEFAULTS)
    assert patch(api, everything).status == 200
    yield
    assert patch(api, everything).status == 200


def state(reply):
    return {name: value for name, value in reply.json.items() if name != "updated_at"}


def test_settings_get_gives_the_defaults(api):
    reply = api.get("/v1/settings")
    assert (reply.status, state(reply)) == (200, DEFAULTS)


def test_settings_patch_changes_what_it_names_and_answers_with_the_new_state(api):
    before = api.get("/v1/settings")
    reply = patch(api, {"recall_seconds": 0, "friends_per_user": 5}, before.headers["ETag"])
    assert (reply.status, state(reply)) == (
        200,
        {**DEFAULTS, "recall_seconds": 0, "friends_per_user": 5},
    )
    assert reply.headers["ETag"] != before.headers["ETag"]
    assert reply.json["updated_at"] > before.json["updated_at"]
    after = api.get("/v1/settings")
    assert (after.json, after.headers["ETag"]) == (reply.json, reply.headers["ETag"])


def test_settings_patch_takes_null_for_the_default(api):
    patch(api, {"recall_seconds": 9, "messaging": "friends", "offline_days": 1})
    reply = patch(api, {"recall_seconds": None, "messaging": None})
    assert state(reply) == {**DEFAULTS, "offline_days": 1}


def test_settings_patch_of_nothing_changes_nothing(api):
    before = api.get("/v1/settings")
    for body in ({}, {"recall_seconds": before.json["recall_seconds"]}):
        reply = patch(api, body, before.headers["ETag"])
        assert (reply.status, reply.json) == (200, before.json)
        assert reply.headers["ETag"] == before.headers["ETag"]


def test_settings_patch_without_if_match_is_refused(api):
    reply = patch(api, {"recall_seconds": 9}, tag=None)
    assert (reply.status, reply.code) == (428, "precondition_required")
    assert state(api.get("/v1/settings")) == DEFAULTS


@pytest.mark.parametrize("tag", ['"0"', 'W/"0"', "x", '""', '"*"', ""])
def test_settings_patch_with_another_tag_is_refused(api, tag):
    reply = patch(api, {"recall_seconds": 9}, tag)
    assert (reply.status, reply.code) == (412, "precondition_failed")
    assert reply.json["outcome"] == "not_applied"
    assert state(api.get("/v1/settings")) == DEFAULTS


def test_settings_patch_after_another_change_is_refused(api):
    seen = api.get("/v1/settings").headers["ETag"]
    assert patch(api, {"recall_seconds": 9}, seen).status == 200
    assert patch(api, {"recall_seconds": 8}, seen).status == 412
    assert api.get("/v1/settings").json["recall_seconds"] == 9


def test_settings_patch_takes_one_tag_of_several_and_a_weakened_one(api):
    tag = api.get("/v1/settings").headers["ETag"]
    assert patch(api, {}, f'"0", {tag}').status == 200
    assert patch(api, {}, f"W/{tag}").status == 200


def test_of_two_who_change_the_same_state_one_is_refused(api):
    for round_number in range(5):
        seen = api.get("/v1/settings").headers["ETag"]
        start = threading.Barrier(4)
        statuses = {}

        def change(value, seen=seen, start=start, statuses=statuses):
            start.wait()
            statuses[value] = patch(api, {"recall_seconds": value}, seen).status

        values = range(round_number * 10, round_number * 10 + 4)
        threads = [threading.Thread(target=change, args=(value,)) for value in values]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses.values()) == [200, 412, 412, 412]
        (winner,) = [value for value, status in statuses.items() if status == 200]
        assert api.get("/v1/settings").json["recall_seconds"] == winner


def test_if_none_match_holds_until_a_change(api):
    tag = api.get("/v1/settings").headers["ETag"]
    same = {"If-None-Match": tag}
    assert api.get("/v1/settings", headers=same).status == 304
    patch(api, {"recall_seconds": 9})
    assert api.get("/v1/settings", headers=same).status == 200


@pytest.mark.parametrize(
    "body, pointer",
    [
        ({"messaging": "nobody"}, "/messaging"),
        ({"messaging": 1}, "/messaging"),
        ({"roaming_days": 0}, "/roaming_days"),
        ({"roaming_days": 8}, "/roaming_days"),
        ({"offline_days": 8}, "/offline_days"),
        ({"offline_per_contact": 1001}, "/offline_per_contact"),
        ({"recent_contacts": 501}, "/recent_contacts"),
        ({"recall_seconds": -1}, "/recall_seconds"),
        ({"recall_seconds": 604801}, "/recall_seconds"),
        ({"recall_seconds": "9"}, "/recall_seconds"),
        ({"friends_per_user": 10001}, "/friends_per_user"),
        ({"blocks_per_user": 0}, "/blocks_per_user"),
        ({"friend_request_days": 31}, "/friend_request_days"),
        ({"sessions": "two"}, "/sessions"),
        ({"sessions_limit": 0}, "/sessions_limit"),
        ({"sessions_limit": 101}, "/sessions_limit"),
        ({"version": 1}, "/version"),
        ({"updated_at": "2026-01-01T00:00:00Z"}, "/updated_at"),
    ],
)
def test_settings_patch_names_what_is_wrong(api, body, pointer):
    reply = patch(api, body)
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", [pointer])


def test_settings_take_the_scope_settings_write(api, server, ann):
    allowed = api.with_token(server.token(scope="settings:write"))
    assert allowed.get("/v1/settings").status == 200
    assert patch(allowed, {}).status == 200
    others = [server.token(scope="users:write messages:write users:read")]
    others += [server.token(scope="user", sub=ann)]
    for token in others:
        assert api.with_token(token).get("/v1/settings").status == 403
        assert patch(api.with_token(token), {}).status == 403


def test_every_server_on_the_database_follows_a_change_within_a_second(
    api, start_server, client_of, ann, bob
):
    other = client_of(start_server())
    enforced = {"options": {"enforce_policy": True}}
    assert other.post("/v1/messages", text_message(ann, bob, **enforced)).status == 201

    assert patch(api, {"messaging": "friends"}).status == 200
    changed = time.monotonic()
    refused = other.post("/v1/messages", text_message(ann, bob, **enforced))
    assert (refused.status, refused.code) == (403, "not_friends")
    assert other.get("/v1/settings").json["messaging"] == "friends"
    assert time.monotonic() - changed < 1

    assert patch(other, {"messaging": "anyone"}).status == 200
    assert api.post("/v1/messages", text_message(ann, bob, **enforced)).status == 201
