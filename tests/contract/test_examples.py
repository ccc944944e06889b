"""Every example of the OpenAPI file is true: requests are sent to the server and succeed, replies
are valid by their own schema."""

import json

import psycopg
import pytest

from support.archives import close_hour, hour_before, name_of
from support.contract import Contract, target_of

CONTRACT = Contract()
OPERATIONS = sorted(CONTRACT.operations.values(), key=lambda operation: operation.name)


def requests():
    for operation in OPERATIONS:
        if operation.body_schema is None:
            yield pytest.param(operation, None, None, id=operation.name)
            continue
        content = operation.spec["requestBody"]["content"]["application/json"]
        for name, example in content["examples"].items():
            yield pytest.param(operation, name, example["value"], id=f"{operation.name}-{name}")


def replies():
    for operation in OPERATIONS:
        for status, response in operation.responses.items():
            for media_type, content in response.get("content", {}).items():
                for name, example in content.get("examples", {}).items():
                    yield pytest.param(
                        content["schema"],
                        example["value"],
                        id=f"{operation.name}-{status}-{media_type}-{name}",
                    )


@pytest.fixture(scope="module")
def world(api, cluster):
    """What the examples speak of: alice, bob, and a message between them."""
    for name in ("alice", "bob"):
        assert api.put(f"/v1/users/{name}", {"nick": name.title()}).status in (200, 201)
    sent = api.post("/v1/messages", {"from": "alice", "to": "bob", "text": "Tea at four?", "options": {"extensible": True}})
    assert sent.status == 201
    history = api.get("/v1/users/alice/messages", params={"peer": "bob", "limit": 1, "verbose": "true"})
    for name in ("erin", "frank"):
        assert api.put(f"/v1/users/{name}", {}).status in (200, 201)
    erasure = api.delete("/v1/users/frank")
    assert erasure.status == 200
    assert api.put("/v1/users/bob/hold", {"reason": "Case 4711"}).status in (200, 201)
    hour = hour_before(2)
    with psycopg.connect(cluster.url(), autocommit=True) as db:
        close_hour(api, db, hour)
    return {
        "archive_get": {"hour": name_of(hour)},
        "id": sent.json["id"],  # the example's own id names a message elsewhere
        "message_list": {"before": sent.json["id"]},
        "message_find": {"key": history.json["items"][0]["key"]},
        "user_delete": {"user": "erin"},  # the others want to go on with alice
        "hold_get": {"user": "bob"},  # alice's is released before
        "erasure_get": {"id": erasure.json["id"]},
        **{
            f"notification_{verb}": {"notification": make_notification(api)}
            for verb in ("get", "cancel", "pause", "resume", "recall")
        },
    }


def make_notification(api):
    """Its time is far away, lest it runs beside other tests."""
    later = {"to": {"users": ["bob"]}, "text": "Tea!", "send_at": "2099-01-01T00:00:00Z"}
    return api.post("/v1/notifications", later).json["id"]


def relate(api):
    """Alice has bob as a friend, in the group work, and has blocked him; carol and dave have asked."""
    for name in ("carol", "dave"):
        assert api.put(f"/v1/users/{name}", {"friend_policy": "approval"}).status in (200, 201)
    api.put("/v1/users/alice", {"nick": "Alice", "friend_policy": "approval"})
    for path in ("friend-groups/work", "blocks/bob"):
        assert api.put(f"/v1/users/alice/{path}").status in (200, 201)
    assert api.put("/v1/users/alice/friends/bob", {"groups": ["work"]}).status in (200, 201)
    for name in ("carol", "dave"):
        asked = api.post(f"/v1/users/{name}/friend-requests", {"to": "alice"})
        assert asked.status in (200, 201)


@pytest.mark.parametrize("operation, name, body", requests())
def test_an_example_request_succeeds(api, world, operation, name, body):
    if operation.spec["tags"] == ["relations"]:
        relate(api)
    if operation.spec["tags"] == ["devices"]:
        device = api.put("/v1/users/alice/devices/phone-1", {"platform": "web"})
        assert device.status in (200, 201)
    values = {
        parameter["name"]: parameter["example"]
        for parameter in operation.parameters
        if "example" in parameter
    }
    if "id" in values:
        values["id"] = world["id"]
    values.update(world.get(operation.name, {}))
    headers = {
        parameter["name"]: (
            f"{parameter['example'][:16]}-{operation.name}-{name}"[:64]  # one for each example
            if parameter["name"] == "Idempotency-Key"
            else parameter["example"]
        )
        for parameter in operation.parameters
        if parameter["in"] == "header" and "example" in parameter
    }
    target = target_of(operation, values)
    reply = api.request(operation.method, target, json=body, headers=headers)
    assert 200 <= reply.status < 300, reply
    if operation.name == "notification_send":
        api.delete(f"/v1/notifications/{reply.json['id']}")  # lest it runs beside other tests


@pytest.mark.parametrize("operation, name, body", requests())
def test_an_example_request_is_valid(operation, name, body):
    for parameter in operation.parameters:
        if "example" in parameter:
            assert not CONTRACT.violations(parameter["schema"], parameter["example"])
    if body is not None:
        assert not CONTRACT.violations(operation.body_schema, body), name


@pytest.mark.parametrize("schema, value", replies())
def test_an_example_reply_is_valid(schema, value):
    assert not CONTRACT.violations(schema, value, closed=True)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_an_operation_has_examples(operation):
    for parameter in operation.parameters:
        assert "example" in parameter or not parameter.get("required"), parameter["name"]
    for status, response in operation.responses.items():
        if status.startswith("2"):
            for content in response.get("content", {}).values():
                assert content["examples"]


def test_the_server_serves_the_bundled_file(api):
    served = api.get("/openapi.json", token=None).text
    assert json.loads(served) == CONTRACT.document
