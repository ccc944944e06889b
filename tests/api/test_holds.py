"""PUT, GET and DELETE /v1/users/{user}/hold."""

import pytest

from support import text_message

CASE = {"reason": "Case 4711"}


def test_a_user_is_put_under_a_hold(api, ann):
    reply = api.put(f"/v1/users/{ann}/hold", CASE)
    assert (reply.status, reply.json["user"], reply.json["reason"]) == (201, ann, "Case 4711")
    assert api.get(f"/v1/users/{ann}/hold").json == reply.json


def test_a_user_does_not_see_that_there_is_a_hold(api, ann, bob):
    def entries(caller):
        lines = caller.get(f"/v1/users/{ann}/export").lines
        return [line["kind"] for line in lines if line["type"] == "entry"]

    message = api.post("/v1/messages", text_message(bob, ann)).json
    api.delete(f"/v1/users/{ann}/messages/{message['id']}")
    before = entries(api.as_user(ann))
    api.put(f"/v1/users/{ann}/hold", CASE)
    assert entries(api) == ["message", "message_deleted"]
    assert entries(api.as_user(ann)) == before == ["message_deleted"]


def test_a_hold_can_get_another_reason(api, ann):
    first = api.put(f"/v1/users/{ann}/hold", CASE).json
    reply = api.put(f"/v1/users/{ann}/hold", {"reason": "Case 4712"})
    assert (reply.status, reply.json["reason"]) == (200, "Case 4712")
    assert reply.json["created_at"] == first["created_at"]


def test_who_is_held_cannot_be_deleted(api, ann):
    api.put(f"/v1/users/{ann}/hold", CASE)
    reply = api.delete(f"/v1/users/{ann}")
    assert (reply.status, reply.code) == (409, "user_held")
    assert api.delete(f"/v1/users/{ann}/hold").status == 204
    assert api.delete(f"/v1/users/{ann}").status == 200


def test_a_hold_can_be_ended_twice(api, ann):
    api.put(f"/v1/users/{ann}/hold", CASE)
    assert [api.delete(f"/v1/users/{ann}/hold").status for _ in range(2)] == [204, 204]
    reply = api.get(f"/v1/users/{ann}/hold")
    assert (reply.status, reply.code) == (404, "hold_unknown")


def test_nobody_is_under_no_hold(api):
    for method, body in (("PUT", CASE), ("GET", None), ("DELETE", None)):
        reply = api.request(method, "/v1/users/nobody-at-all/hold", json=body)
        assert (reply.status, reply.code) == (404, "user_unknown")


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 1025}, {"reason": 1}])
def test_a_hold_has_a_reason(api, ann, body):
    reply = api.put(f"/v1/users/{ann}/hold", body)
    assert (reply.status, reply.pointers) == (400, ["/reason"])


def test_holds_are_for_administrators(api, server, ann):
    for caller in (api.as_user(ann), api.with_token(server.token(scope="users:write users:read"))):
        for method, body in (("PUT", CASE), ("GET", None), ("DELETE", None)):
            assert caller.request(method, f"/v1/users/{ann}/hold", json=body).status == 403
