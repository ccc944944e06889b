"""The tags of users: PUT, DELETE /v1/users/{user}/tags/{tag}, GET /v1/users/{user}/tags."""

import secrets

import pytest

from support.client import quoted
from support.database import unchanged


def tags(api, user, **params):
    return [item["tag"] for item in api.get(f"/v1/users/{user}/tags", params=params).json["items"]]


def test_a_tag_is_given_and_taken(api, ann):
    assert api.put(f"/v1/users/{ann}/tags/beta").status == 204
    assert api.put(f"/v1/users/{ann}/tags/alpha").status == 204
    assert tags(api, ann) == ["alpha", "beta"]
    assert api.delete(f"/v1/users/{ann}/tags/beta").status == 204
    assert tags(api, ann) == ["alpha"]


def test_a_tag_twice_is_the_same_as_once(api, ann):
    for _ in range(2):
        assert api.put(f"/v1/users/{ann}/tags/beta").status == 204
    assert tags(api, ann) == ["beta"]
    for _ in range(2):
        assert api.delete(f"/v1/users/{ann}/tags/beta").status == 204
    assert tags(api, ann) == []


@pytest.mark.parametrize("tag", ["two words", "100%", "a?b#c", "é" * 32, "..x", "BETA"])
def test_a_tag_may_hold_any_character(api, ann, tag):
    assert api.put(f"/v1/users/{ann}/tags/{quoted(tag)}").status == 204
    assert tags(api, ann) == [tag]
    assert api.delete(f"/v1/users/{ann}/tags/{quoted(tag)}").status == 204


@pytest.mark.parametrize("tag", ["x" * 65, "a\nb"])
def test_a_tag_has_limits(api, ann, db, tag):
    with unchanged(db):
        reply = api.put(f"/v1/users/{ann}/tags/{quoted(tag)}")
    assert (reply.status, reply.pointers) == (400, ["/tag"])


def test_a_user_has_at_most_100_tags(api, ann, db):
    for i in range(100):
        assert api.put(f"/v1/users/{ann}/tags/t{i:03}").status == 204
    with unchanged(db):
        reply = api.put(f"/v1/users/{ann}/tags/one-more")
        assert (reply.status, reply.code) == (409, "tags_full")
        assert api.put(f"/v1/users/{ann}/tags/t000").status == 204
    assert tags(api, ann, limit=200) == [f"t{i:03}" for i in range(100)]
    api.delete(f"/v1/users/{ann}/tags/t000")
    assert api.put(f"/v1/users/{ann}/tags/one-more").status == 204


def test_tags_are_listed_by_pages(api, ann):
    for tag in ("a", "b", "é"):
        api.put(f"/v1/users/{ann}/tags/{quoted(tag)}")
    first = api.get(f"/v1/users/{ann}/tags", params={"limit": 2})
    assert [item["tag"] for item in first.json["items"]] == ["a", "b"]
    rest = api.get(f"/v1/users/{ann}/tags", params={"cursor": first.json["next_cursor"]})
    assert ([item["tag"] for item in rest.json["items"]], rest.json["next_cursor"]) == (["é"], None)
    reply = api.get(f"/v1/users/{ann}/tags", params={"cursor": "xyz"})
    assert (reply.status, reply.code) == (400, "cursor_invalid")


def test_tags_are_the_users_own(api, ann, bob):
    api.put(f"/v1/users/{ann}/tags/beta")
    assert tags(api, bob) == []


def test_a_stranger_has_no_tags(api, db):
    stranger = f"/v1/users/nobody-{secrets.token_hex(4)}/tags"
    with unchanged(db):
        for reply in (api.get(stranger), api.put(f"{stranger}/a"), api.delete(f"{stranger}/a")):
            assert (reply.status, reply.code) == (404, "user_unknown")


def test_tags_are_for_back_ends(api, ann, db):
    own = api.as_user(ann)
    with unchanged(db):
        for reply in (
            own.get(f"/v1/users/{ann}/tags"),
            own.put(f"/v1/users/{ann}/tags/vip"),
            own.delete(f"/v1/users/{ann}/tags/vip"),
        ):
            assert (reply.status, reply.code) == (403, "forbidden")
