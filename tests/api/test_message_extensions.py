"""GET and PATCH /v1/messages/{id}/extensions: small named values on a message."""

import pytest

from support import text_message


@pytest.fixture(name="path")
def fixture_path(api, ann, bob):
    sent = api.post("/v1/messages", text_message(ann, bob, options={"extensible": True}))
    return f"/v1/messages/{sent.json['id']}/extensions"


def write(api, path, *items, **more):
    return api.patch(path, {"items": list(items), **more})


def values(api, path, **params):
    return {one["key"]: one["value"] for one in api.get(path, params=params).json["items"]}


def test_values_are_written_and_read_with_one_version_a_write(api, path):
    reply = write(api, path, {"key": "a", "value": "1"}, {"key": "b", "value": ""}).json
    assert reply == {"latest": 1, "results": [{"key": "a", "value": "1", "version": 1},
                                              {"key": "b", "value": "", "version": 1}]}
    write(api, path, {"key": "a", "value": "2"})
    assert api.get(path).json["latest"] == 2
    assert values(api, path) == {"b": "", "a": "2"}
    assert values(api, path, after=1) == {"a": "2"}


def test_another_version_refuses_the_item_alone(api, path):
    write(api, path, {"key": "a", "value": "1"})
    results = write(api, path, {"key": "a", "value": "2", "version": 0}, {"key": "b", "value": "x"}).json["results"]
    assert results[0]["problem"]["code"] == "precondition_failed"
    assert (results[0]["value"], results[0]["version"]) == ("1", 1)
    assert values(api, path) == {"a": "1", "b": "x"}


def test_a_value_is_removed_by_null_and_all_by_clear(api, path):
    write(api, path, {"key": "a", "value": "1"}, {"key": "b", "value": "2"})
    removed = write(api, path, {"key": "a", "version": 1}).json["results"][0]
    assert removed == {"key": "a", "value": None, "version": 2}
    assert values(api, path) == {"b": "2"}
    write(api, path, {"key": "c", "value": "3"}, clear=True)
    told = api.get(path).json
    assert told["cleared"] == told["latest"] == 3 and [one["key"] for one in told["items"]] == ["c"]


def test_what_changes_nothing_has_no_version(api, path):
    assert write(api, path).json == {"latest": 0, "results": []}
    assert write(api, path, {"key": "none"}).json["latest"] == 0


def test_a_message_takes_them_only_if_it_was_sent_so(api, ann, bob):
    sent = api.post("/v1/messages", text_message(ann, bob)).json
    path = f"/v1/messages/{sent['id']}/extensions"
    assert write(api, path, {"key": "a", "value": "1"}).code == "not_extensible"
    assert api.get(path).json["items"] == []


def test_a_recalled_message_takes_none(api, path):
    api.delete(path.removesuffix("/extensions"))
    assert write(api, path, {"key": "a", "value": "1"}).code == "message_recalled"


def test_there_are_three_hundred_at_most(api, path):
    for start in range(0, 300, 20):
        items = [{"key": f"k{i}", "value": "v"} for i in range(start, start + 20)]
        assert write(api, path, *items).status == 200
    assert write(api, path, {"key": "more", "value": "v"}).code == "extensions_full"
    assert write(api, path, {"key": "k0", "value": "w"}).status == 200


@pytest.mark.parametrize(
    "item, pointer",
    [
        ({"value": "x"}, "/items/0/key"),
        ({"key": "k" * 101}, "/items/0/key"),
        ({"key": "k", "value": "v" * 1001}, "/items/0/value"),
        ({"key": "k", "version": -1}, "/items/0/version"),
    ],
)
def test_what_is_wrong_is_named(api, path, item, pointer):
    assert write(api, path, item).pointers == [pointer]


def test_both_users_may_write_and_nobody_else(api, user, path):
    message = api.get(path.removesuffix("/extensions")).json
    for name in (message["from"], message["to"]):
        assert write(api.as_user(name), path, {"key": name[:50], "value": "x"}).status == 200
    stranger = api.as_user(user())
    assert write(stranger, path, {"key": "a", "value": "x"}).code == "message_unknown"
    assert stranger.get(path).code == "message_unknown"


def test_they_go_with_the_user_who_has_them(api, db, path):
    write(api, path, {"key": "a", "value": "1"})
    receiver = api.get(path.removesuffix("/extensions")).json["to"]
    (owner,) = db.execute("select user_no from duet.app_user where user_id = %s", [receiver]).fetchone()
    assert api.delete(f"/v1/users/{receiver}").json["finished_at"]
    assert db.execute("select from duet.message_extension where owner = %s", [owner]).fetchone() is None
