"""PUT and GET /v1/users/{user}."""

import secrets

import pytest

from support import short
from support.client import quoted
from support.database import unchanged

PROFILE = {
    "nick": "Ånn",
    "avatar_url": "https://media.example/ann.png",
    "gender": "female",
    "birthday": "2000-02-29",
    "language": "de-AT",
    "location": "Graz",
    "signature": "bis bald 👋",
    "level": 7,
    "custom": {"team": "blue", "ключ": "значение"},
    "friend_policy": "approval",
}
DEFAULTS = {
    "nick": "",
    "avatar_url": "",
    "gender": "unknown",
    "birthday": None,
    "language": "",
    "location": "",
    "signature": "",
    "level": 0,
    "custom": {},
    "friend_policy": "anyone",
}


def fresh():
    return f"fresh-{secrets.token_hex(6)}"


def profile_of(reply):
    return {name: value for name, value in reply.json.items() if name in PROFILE}


def test_user_put_makes_a_user(api):
    name = fresh()
    reply = api.put(f"/v1/users/{name}", PROFILE)
    assert (reply.status, reply.json["id"]) == (201, name)
    assert reply.headers["Location"] == f"/v1/users/{name}"
    assert profile_of(reply) == PROFILE
    assert reply.json["created_at"] == reply.json["updated_at"]
    assert api.get(f"/v1/users/{name}").json == reply.json


def test_user_put_fills_in_defaults(api):
    reply = api.put(f"/v1/users/{fresh()}", {})
    assert (reply.status, profile_of(reply)) == (201, DEFAULTS)


def test_user_put_takes_null_for_absent(api):
    reply = api.put(f"/v1/users/{fresh()}", dict.fromkeys(PROFILE))
    assert (reply.status, profile_of(reply)) == (201, DEFAULTS)


def test_user_put_replaces_the_whole_profile(api):
    name = fresh()
    made = api.put(f"/v1/users/{name}", PROFILE).json
    reply = api.put(f"/v1/users/{name}", {"nick": "Anna"})
    assert reply.status == 200
    assert profile_of(reply) == {**DEFAULTS, "nick": "Anna"}
    assert reply.json["created_at"] == made["created_at"]
    assert reply.json["updated_at"] >= made["updated_at"]
    assert reply.headers["Location"] is None


def test_user_put_twice_is_the_same_as_once(api):
    name = fresh()
    api.put(f"/v1/users/{name}", PROFILE)
    reply = api.put(f"/v1/users/{name}", PROFILE)
    assert (reply.status, profile_of(reply)) == (200, PROFILE)


def test_user_get_knows_no_stranger(api):
    reply = api.get(f"/v1/users/{fresh()}")
    assert (reply.status, reply.code) == (404, "user_unknown")


def test_user_get_answers_head_without_a_body(api, ann):
    assert api.request("HEAD", f"/v1/users/{ann}").status == 200


def test_user_get_answers_304_until_the_profile_changes(api, ann):
    first = api.get(f"/v1/users/{ann}")
    tag = {"If-None-Match": first.headers["ETag"]}
    for value in (tag["If-None-Match"], f'"x", {tag["If-None-Match"]}', "*"):
        same = api.get(f"/v1/users/{ann}", headers={"If-None-Match": value})
        assert (same.status, same.headers["ETag"]) == (304, first.headers["ETag"])
    api.put(f"/v1/users/{ann}", {"nick": "Anna"})
    changed = api.get(f"/v1/users/{ann}", headers=tag)
    assert (changed.status, changed.json["nick"]) == (200, "Anna")


@pytest.mark.parametrize(
    "name",
    [
        "two words",
        "100%",
        "a+b",
        "a?b=c&d",
        "a#b;c,d",
        "..x",
        "~tilde!'()*",
        "žluťoučký",
        "王小明",
        "👩‍👩‍👧",
        "a:b@c",
        '"quoted"',
        "x" * 40,
    ],
)
def test_user_id_may_hold_any_character(api, name):
    name += secrets.token_hex(4)
    reply = api.put(f"/v1/users/{quoted(name)}", {"nick": name})
    assert (reply.status, reply.json["id"]) == (201, name)
    again = api.get(reply.headers["Location"])
    assert (again.status, again.json["id"], again.json["nick"]) == (200, name, name)


def test_user_ids_are_compared_byte_by_byte(api):
    name = fresh()
    for variant in (name, name.upper(), name + " ", name + "\u00e9", name + "e\u0301"):
        assert api.put(f"/v1/users/{quoted(variant)}", {}).status == 201


def test_user_id_may_be_64_bytes_and_no_more(api, db):
    name = secrets.token_hex(14) + "é" * 18
    assert len(name.encode()) == 64
    assert api.put(f"/v1/users/{quoted(name)}", {}).status == 201
    with unchanged(db):
        reply = api.put(f"/v1/users/{quoted(name + 'x')}", {})
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", ["/user"])


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a\x7fb", "a\u0085b"])
def test_user_id_holds_no_control_character(api, db, name):
    with unchanged(db):
        reply = api.put(f"/v1/users/{quoted(name)}", {})
    assert (reply.status, reply.pointers) == (400, ["/user"])


@pytest.mark.parametrize(
    "field, accepted, refused",
    [
        ("nick", "é" * 128, "é" * 128 + "x"),
        ("avatar_url", "x" * 1024, "x" * 1025),
        ("language", "x" * 35, "x" * 36),
        ("location", "👋" * 64, "👋" * 64 + "x"),
        ("signature", "x" * 1024, "x" * 1025),
        ("level", 2147483647, 2147483648),
        ("level", 0, -1),
        ("gender", "male", "Male"),
        ("friend_policy", "nobody", "somebody"),
        ("birthday", "2024-02-29", "2023-02-29"),
        ("birthday", "1999-12-31", "1999-12-32"),
        ("birthday", "1900-01-01", "0000-01-01"),
        ("birthday", "9999-12-31", "12000-01-01"),
        ("birthday", "1987-06-05", "1987-6-5"),
        ("birthday", "1987-06-05", "today"),
        ("birthday", "1987-06-05", "1987-06-05T00:00:00Z"),
    ],
    ids=short,
)
def test_user_put_accepts_the_limit_and_refuses_what_is_beyond(api, db, field, accepted, refused):
    name = fresh()
    reply = api.put(f"/v1/users/{name}", {field: accepted})
    assert (reply.status, reply.json[field]) == (201, accepted)
    with unchanged(db):
        reply = api.put(f"/v1/users/{name}", {field: refused})
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", [f"/{field}"])


@pytest.mark.parametrize(
    "accepted, refused",
    [
        ({f"n{i}": "" for i in range(64)}, {f"n{i}": "" for i in range(65)}),
        ({"é" * 32: "v"}, {"é" * 32 + "x": "v"}),
        ({"n": "é" * 512}, {"n": "é" * 512 + "x"}),
        ({"n": "multiple\nlines"}, {"": "v"}),
        ({"n": "1"}, {"n": 1}),
        ({"n": "1"}, {"n": None}),
        ({"n": "1"}, {"n": {"m": "deeper"}}),
        ({}, ["n"]),
    ],
    ids=short,
)
def test_custom_fields_have_limits(api, db, accepted, refused):
    name = fresh()
    reply = api.put(f"/v1/users/{name}", {"custom": accepted})
    assert (reply.status, reply.json["custom"]) == (201, accepted)
    with unchanged(db):
        reply = api.put(f"/v1/users/{name}", {"custom": refused})
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert all(pointer.startswith("/custom") for pointer in reply.pointers)
