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
        ("level", 4294967295, 4294967296),
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
    assert reply.pointers
    assert all(pointer.startswith("/custom") for pointer in reply.pointers)


def befriend(db, one, other):
    """Mutual friends, as far as the tables tell."""
    for owner, peer in ((one, other), (other, one)):
        db.execute(
            "insert into duet.contact (owner, peer, friend, friend_since, created_at)"
            " select o.user_no, p.user_no, true, now(), now() from duet.app_user o, duet.app_user p"
            " where o.user_id = %s and p.user_id = %s",
            (owner, peer),
        )


def profile_entries(db, user):
    """What the mailbox holds of changed profiles: whose, and what they are."""
    return db.execute(
        "select p.user_id, m.details::jsonb from duet.mailbox m"
        " join duet.app_user o on o.user_no = m.owner join duet.app_user p on p.user_no = m.peer"
        " where o.user_id = %s and m.kind = 28 order by m.seq",
        (user,),
    ).fetchall()


# -- changing some of it


def test_user_patch_changes_what_it_names(api):
    name = fresh()
    made = api.put(f"/v1/users/{name}", PROFILE).json
    reply = api.patch(f"/v1/users/{name}", {"nick": "Anna", "birthday": "2001-01-31"})
    assert (reply.status, profile_of(reply)) == (
        200,
        {**PROFILE, "nick": "Anna", "birthday": "2001-01-31"},
    )
    assert reply.json["created_at"] == made["created_at"]
    assert api.get(f"/v1/users/{name}").json == reply.json


def test_user_patch_takes_null_for_the_default(api):
    name = fresh()
    api.put(f"/v1/users/{name}", PROFILE)
    for field, default in DEFAULTS.items():
        reply = api.patch(f"/v1/users/{name}", {field: None})
        assert (reply.status, reply.json[field]) == (200, default)
    assert profile_of(api.get(f"/v1/users/{name}")) == DEFAULTS


def test_user_patch_of_nothing_changes_nothing(api):
    name = fresh()
    api.put(f"/v1/users/{name}", PROFILE)
    assert profile_of(api.patch(f"/v1/users/{name}", {})) == PROFILE


def test_user_patch_merges_custom_fields(api):
    name = fresh()
    api.put(f"/v1/users/{name}", {"custom": {"a": "1", "b": "2"}})
    reply = api.patch(f"/v1/users/{name}", {"custom": {"b": None, "c": "3", "d": None}})
    assert reply.json["custom"] == {"a": "1", "c": "3"}


def test_user_patch_keeps_custom_fields_within_their_limit(api, db):
    name = fresh()
    api.put(f"/v1/users/{name}", {"custom": {f"n{i}": "v" for i in range(64)}})
    with unchanged(db):
        reply = api.patch(f"/v1/users/{name}", {"custom": {"m": "v"}})
    assert (reply.status, reply.code, reply.pointers) == (400, "invalid_request", ["/custom"])
    assert reply.json["errors"][0]["detail"] == "would have more than 64 members"
    assert api.patch(f"/v1/users/{name}", {"custom": {"n0": None, "m": "v"}}).status == 200


@pytest.mark.parametrize(
    "field, refused",
    [
        ("nick", "x" * 257),
        ("nick", 1),
        ("level", -1),
        ("gender", "Male"),
        ("birthday", "2023-02-29"),
        ("custom", {"n": 1}),
        ("id", "other"),
        ("muted_until", None),
    ],
    ids=short,
)
def test_user_patch_refuses_what_a_profile_cannot_hold(api, ann, db, field, refused):
    with unchanged(db):
        reply = api.patch(f"/v1/users/{ann}", {field: refused, "location": "Graz"})
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert reply.pointers[0].startswith(f"/{field}")


def test_user_patch_knows_no_stranger(api, db):
    with unchanged(db):
        reply = api.patch(f"/v1/users/{fresh()}", {"nick": "Nobody"})
    assert (reply.status, reply.code) == (404, "user_unknown")


def test_a_user_changes_the_own_profile_but_not_the_level(api, ann, db):
    own = api.as_user(ann)
    assert own.patch(f"/v1/users/{ann}", {"nick": "Anna"}).json["nick"] == "Anna"
    for level in (9, 0, None):
        with unchanged(db):
            reply = own.patch(f"/v1/users/{ann}", {"nick": "Annika", "level": level})
        assert (reply.status, reply.code, reply.pointers) == (403, "forbidden", ["/level"])


def test_a_user_changes_no_other_profile(api, ann, bob, db):
    with unchanged(db):
        reply = api.as_user(bob).patch(f"/v1/users/{ann}", {"nick": "Bob"})
    assert (reply.status, reply.code) == (403, "forbidden")


def test_a_changed_profile_reaches_mutual_friends_and_the_own_devices(api, user, db):
    ann, bob, cid, dan = (user(nick=nick) for nick in ("Ann", "Bob", "Cid", "Dan"))
    befriend(db, ann, bob)
    befriend(db, ann, cid)
    db.execute(
        "update duet.contact set friend = false, friend_since = null"
        " where owner = (select user_no from duet.app_user where user_id = %s)",
        (cid,),
    )
    api.patch(f"/v1/users/{ann}", {"nick": "Anna", "signature": "hi"})
    api.put(f"/v1/users/{ann}", {"nick": "Anna", "avatar_url": "https://a"})
    told = [
        (ann, {"nick": "Anna", "avatar_url": ""}),
        (ann, {"nick": "Anna", "avatar_url": "https://a"}),
    ]
    assert profile_entries(db, ann) == told
    assert profile_entries(db, bob) == told
    assert profile_entries(db, cid) == []  # has ended the friendship
    assert profile_entries(db, dan) == []


def test_what_nobody_sees_of_a_profile_reaches_nobody(api, user, db):
    ann, bob = user(nick="Ann"), user(nick="Bob")
    befriend(db, ann, bob)
    api.patch(f"/v1/users/{ann}", {"nick": "Ann", "location": "Graz", "custom": {"a": "b"}})
    api.put(f"/v1/users/{ann}", {"nick": "Ann", "level": 3})
    assert profile_entries(db, ann) == profile_entries(db, bob) == []


# -- listing


def ids(reply):
    return [item["id"] for item in reply.json["items"]]


def test_user_list_pages_by_id(api):
    prefix = fresh()
    names = sorted((prefix + tail for tail in ("", "-1", "-2", "B", "a", "é", "日")), key=str.encode)
    for name in reversed(names):
        api.put(f"/v1/users/{quoted(name)}", {"nick": name})
    assert ids(api.get("/v1/users", params={"prefix": prefix})) == names

    seen, cursor = [], {}
    for _ in range(4):
        reply = api.get("/v1/users", params={"prefix": prefix, "limit": 2, **cursor})
        seen += ids(reply)
        cursor = {"cursor": reply.json["next_cursor"]}
    assert (seen, cursor) == (names, {"cursor": None})


def test_user_list_shows_users_as_reading_does(api, ann):
    (listed,) = api.get("/v1/users", params={"prefix": ann}).json["items"]
    assert listed == api.get(f"/v1/users/{ann}").json


def test_user_list_goes_on_while_users_are_made(api):
    prefix = fresh()
    for tail in "bd":
        api.put(f"/v1/users/{prefix}{tail}", {})
    first = api.get("/v1/users", params={"prefix": prefix, "limit": 1})
    for tail in "ac":
        api.put(f"/v1/users/{prefix}{tail}", {})
    cursor = {"prefix": prefix, "cursor": first.json["next_cursor"]}
    assert ids(api.get("/v1/users", params=cursor)) == [prefix + "c", prefix + "d"]


def test_user_list_of_nobody_is_empty(api):
    reply = api.get("/v1/users", params={"prefix": fresh()})
    assert (reply.status, reply.json) == (200, {"items": [], "next_cursor": None})


def test_user_list_without_a_prefix_has_everybody(api, ann):
    reply = api.get("/v1/users", params={"limit": 1})
    assert (reply.status, len(reply.json["items"])) == (200, 1)


@pytest.mark.parametrize("cursor", ["x", "6", "ff", "c3"])
def test_user_list_refuses_a_foreign_cursor(api, cursor):
    reply = api.get("/v1/users", params={"cursor": cursor})
    assert (reply.status, reply.code) == (400, "cursor_invalid")


def test_user_list_is_for_back_ends(api, ann):
    assert api.as_user(ann).get("/v1/users").code == "forbidden"


# -- many at once


def test_user_import_makes_and_replaces(api, ann):
    name = fresh()
    reply = api.post(
        "/v1/users", {"users": [{"id": name, **PROFILE}, {"id": ann}, {"id": name, "nick": "Two"}]}
    )
    assert (reply.status, reply.json["results"]) == (
        200,
        [
            {"id": name, "status": 201},
            {"id": ann, "status": 200},
            {"id": name, "status": 200},
        ],
    )
    assert profile_of(api.get(f"/v1/users/{name}")) == {**DEFAULTS, "nick": "Two"}
    assert profile_of(api.get(f"/v1/users/{ann}")) == DEFAULTS


def test_a_profile_that_an_import_changes_reaches_devices_by_a_job(api, user, server, db):
    ann, bob = user(), user()
    api.put(f"/v1/users/{ann}/friends/{bob}", {})
    reply = api.post("/v1/users", {"users": [{"id": ann, "nick": "Anna"}]})
    assert reply.json["results"] == [{"id": ann, "status": 200}]

    def told():
        api.post("/v1/jobs/profile_announce/run")  # or pg_cron comes first
        return profile_entries(db, ann) and profile_entries(db, bob)

    server.wait_until(told, what="the entries")
    assert profile_entries(db, ann) == profile_entries(db, bob)
    assert len(profile_entries(db, bob)) == 1


def test_user_import_stores_the_whole_profile(api):
    name = fresh()
    api.post("/v1/users", {"users": [{"id": name, **PROFILE}]})
    assert profile_of(api.get(f"/v1/users/{name}")) == PROFILE


def test_user_import_takes_null_for_absent(api):
    name = fresh()
    api.post("/v1/users", {"users": [{"id": name, **dict.fromkeys(PROFILE)}]})
    assert profile_of(api.get(f"/v1/users/{name}")) == DEFAULTS


@pytest.mark.parametrize("day", ["2023-02-29", "yesterday ", "0000-01-01", "1987/06/05"])
def test_user_import_leaves_out_only_what_is_wrong(api, day):
    good, wrong = fresh(), fresh()
    reply = api.post("/v1/users", {"users": [{"id": wrong, "birthday": day}, {"id": good}]})
    first, second = reply.json["results"]
    assert (first["id"], first["status"], first["problem"]["code"]) == (
        wrong,
        400,
        "invalid_request",
    )
    assert [error["pointer"] for error in first["problem"]["errors"]] == ["/users/0/birthday"]
    assert second == {"id": good, "status": 201}
    assert api.get(f"/v1/users/{wrong}").status == 404


def test_user_import_where_every_birthday_is_wrong_is_refused(api, db):
    users = [{"id": fresh(), "birthday": "2023-02-29"}, {"id": "a/b", "birthday": "2023-04-31"}]
    with unchanged(db):
        reply = api.post("/v1/users", {"users": users})
    assert (reply.status, reply.code) == (400, "invalid_request")
    assert reply.pointers == ["/users/0/birthday", "/users/1/birthday", "/users/1/id"]


def test_user_import_refuses_what_no_profile_can_hold(api, db):
    name = fresh()
    wrong = [{"id": "a/b"}, {"id": name, "nick": "x" * 257}, {"nick": "x"}, {"id": ".."}, 5]
    with unchanged(db):
        reply = api.post("/v1/users", {"users": wrong[1:3]})
        assert (reply.status, reply.pointers) == (400, ["/users/0/nick", "/users/1/id"])
        reply = api.post("/v1/users", {"users": [wrong[0], wrong[3]]})
        assert (reply.status, reply.pointers) == (400, ["/users/0/id", "/users/1/id"])
    reply = api.post("/v1/users", {"users": [*wrong, {"id": name, "nick": "Ann"}]})
    results = reply.json["results"]
    assert [one["id"] for one in results] == ["a/b", name, "", "..", "", name]
    assert [one["status"] for one in results] == [400, 400, 400, 400, 400, 201]
    told = [[error["pointer"] for error in one["problem"]["errors"]] for one in results[:5]]
    assert told == [["/users/0/id"], ["/users/1/nick"], ["/users/2/id"], ["/users/3/id"], ["/users/4"]]
    assert api.get(f"/v1/users/{name}").json["nick"] == "Ann"


def test_user_import_takes_100_users_and_no_more(api, db):
    prefix = fresh()
    users = [{"id": f"{prefix}-{i}"} for i in range(101)]
    with unchanged(db):
        for wrong in ([], users):
            reply = api.post("/v1/users", {"users": wrong})
            assert (reply.status, reply.pointers) == (400, ["/users"])
    reply = api.post("/v1/users", {"users": users[:100]})
    assert [one["id"] for one in reply.json["results"]] == [one["id"] for one in users[:100]]
    assert {one["status"] for one in reply.json["results"]} == {201}


def test_user_import_with_a_key_answers_a_retry_with_the_first_result(api):
    body = {"users": [{"id": fresh()}]}
    key = {"Idempotency-Key": fresh()}
    first = api.post("/v1/users", body, headers=key)
    again = api.post("/v1/users", body, headers=key)
    assert again.json == first.json
    assert again.json["results"][0]["status"] == 201


def test_user_import_is_for_back_ends(api, ann, db):
    with unchanged(db):
        assert api.as_user(ann).post("/v1/users", {"users": [{"id": ann}]}).code == "forbidden"


# -- mute


def test_a_muted_user_may_not_send(api, ann, bob):
    message = {"from": ann, "to": bob, "text": "hi"}
    reply = api.patch(f"/v1/users/{ann}/mute", {"until": "9999-12-31T01:00:00+01:00"})
    assert (reply.status, reply.json["muted_until"]) == (200, "9999-12-31T00:00:00.000Z")
    assert api.get(f"/v1/users/{ann}").json == reply.json
    assert api.as_user(ann).post("/v1/messages", message).code == "sender_muted"
    assert api.post("/v1/messages", message).status == 201

    reply = api.patch(f"/v1/users/{ann}/mute", {})
    assert reply.json["muted_until"] == "9999-12-31T00:00:00.000Z"
    reply = api.patch(f"/v1/users/{ann}/mute", {"until": None})
    assert (reply.status, reply.json["muted_until"]) == (200, None)
    assert api.as_user(ann).post("/v1/messages", message).status == 201


def test_a_mute_ends_by_itself(api, ann, bob):
    api.patch(f"/v1/users/{ann}/mute", {"until": "2020-01-01T00:00:00Z"})
    message = {"from": ann, "to": bob, "text": "hi"}
    assert api.as_user(ann).post("/v1/messages", message).status == 201


def test_a_mute_outlasts_a_new_profile(api, ann):
    api.patch(f"/v1/users/{ann}/mute", {"until": "2099-01-01T00:00:00Z"})
    assert api.put(f"/v1/users/{ann}", {}).json["muted_until"] == "2099-01-01T00:00:00.000Z"


def test_a_time_may_be_told_in_any_zone(api, ann):
    for offset, told in (("+14:00", "10:00"), ("-12:00", "12:00"), ("-15:59", "15:59")):
        reply = api.patch(f"/v1/users/{ann}/mute", {"until": f"2099-01-01T00:00:00{offset}"})
        assert reply.status == 200, reply
        assert reply.json["muted_until"][11:16] == told


def test_user_mute_refuses_what_is_no_time(api, ann, db):
    for until in ("soon", "infinity", 17, "2026-02-30T00:00:00Z", "2099-01-01T00:00:00+16:00"):
        with unchanged(db):
            reply = api.patch(f"/v1/users/{ann}/mute", {"until": until})
        assert (reply.status, reply.pointers) == (400, ["/until"])


def test_user_mute_knows_no_stranger(api):
    assert api.patch(f"/v1/users/{fresh()}/mute", {"until": None}).code == "user_unknown"


def test_nobody_ends_the_own_mute(api, ann, db):
    with unchanged(db):
        assert api.as_user(ann).patch(f"/v1/users/{ann}/mute", {"until": None}).code == "forbidden"
