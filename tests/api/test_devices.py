"""Devices: logging in and out, the policy of sessions, positions, kicking, presence, tokens of one device."""

import pytest

PUSH = {"vendor": "google", "token": "fcm:secret"}


def path_of(user, device=None):
    return f"/v1/users/{user}/devices" + (f"/{device}" if device else "")


def login(api, user, device, platform="android", **more):
    reply = api.put(path_of(user, device), {"platform": platform, **more})
    assert reply.status in (200, 201), reply
    return reply


def active(api, user):
    items = api.get(path_of(user)).json["items"]
    return [item["device"] for item in items if item["state"] != "kicked"]


def kicks(api, user):
    """What the user's mailbox tells of sessions that ended."""
    items = api.get(f"/v1/users/{user}/events?after=0").json["items"]
    return [item["details"] for item in items if item["kind"] == "kicked"]


# ---- logging in and out ----


def test_a_device_logs_in_and_again(api, ann):
    first = api.put(path_of(ann, "phone"), {"platform": "android", "push": PUSH})
    assert (first.status, first.headers["Location"]) == (201, path_of(ann, "phone"))
    assert first.json["state"] == "push" and first.json["position"] == 0
    again = api.put(path_of(ann, "phone"), {"platform": "ios"})
    assert (again.status, again.json["platform"], again.json["state"]) == (200, "ios", "offline")
    assert again.json["push_vendor"] is None
    assert again.json["created_at"] == first.json["created_at"]


def test_a_push_token_is_told_to_nobody(api, ann):
    login(api, ann, "phone", push=PUSH)
    told = api.get(path_of(ann, "phone")).text + api.get(path_of(ann)).text
    assert "google" in told and "fcm:secret" not in told


def test_a_device_that_logs_out_is_gone(api, ann):
    login(api, ann, "phone")
    assert api.delete(path_of(ann, "phone")).status == 204
    assert api.get(path_of(ann, "phone")).code == "device_unknown"
    assert api.delete(path_of(ann, "phone")).status == 204
    assert login(api, ann, "phone").status == 201


@pytest.mark.parametrize(
    "body, pointers",
    [
        ({}, ["/platform"]),
        ({"platform": "amiga"}, ["/platform"]),
        ({"platform": "ios", "push": {}}, ["/push/vendor", "/push/token"]),
        ({"platform": "ios", "push": {"vendor": "x", "token": ""}}, ["/push/vendor", "/push/token"]),
        ({"platform": "ios", "push": {**PUSH, "token": "t" * 1025}}, ["/push/token"]),
        ({"platform": "ios", "state": "online"}, ["/state"]),
    ],
)
def test_a_login_names_every_wrong_field(api, ann, body, pointers):
    reply = api.put(path_of(ann, "phone"), body)
    assert reply.status == 400 and sorted(reply.pointers) == sorted(pointers)
    assert active(api, ann) == []


@pytest.mark.parametrize("method", ["put", "get", "delete"])
def test_nobody_has_no_devices(api, method):
    body = {"json": {"platform": "web"}} if method == "put" else {}
    assert getattr(api, method)(path_of("nobody-at-all", "phone"), **body).code == "user_unknown"


def test_a_device_of_another_user_is_another_device(api, ann, bob):
    login(api, ann, "phone")
    assert api.get(path_of(bob, "phone")).code == "device_unknown"
    own = api.as_user(bob)
    for call in (
        lambda: own.get(path_of(ann)),
        lambda: own.put(path_of(ann, "phone"), {"platform": "web"}),
        lambda: own.put(path_of(ann, "phone") + "/position", {"seq": 0}),
        lambda: own.post(f"/v1/users/{ann}/kick", {}),
        lambda: own.get(f"/v1/users/{ann}/presence"),
        lambda: own.post("/v1/presence", {"users": [ann]}),
    ):
        assert call().code == "forbidden"
    assert active(api, ann) == ["phone"]


# ---- the policy of sessions ----

# What a login ends where a phone (android), then a page (web) are logged in. The limit is one of all devices.
AGAIN, SAME_PLATFORM, OTHER_PLATFORM = ("phone", "android"), ("tablet", "android"), ("desk", "mac")
POLICIES = [
    ("many", 20, AGAIN, []),
    ("many", 20, SAME_PLATFORM, []),
    ("many", 20, OTHER_PLATFORM, []),
    ("many", 2, AGAIN, []),
    ("many", 2, SAME_PLATFORM, ["phone"]),
    ("many", 2, OTHER_PLATFORM, ["phone"]),
    ("one_per_platform", 20, AGAIN, []),
    ("one_per_platform", 20, SAME_PLATFORM, ["phone"]),
    ("one_per_platform", 20, OTHER_PLATFORM, []),
    ("one_per_platform", 2, AGAIN, []),
    ("one_per_platform", 2, SAME_PLATFORM, ["phone"]),
    ("one_per_platform", 2, OTHER_PLATFORM, ["phone"]),
    ("one_per_platform", 1, AGAIN, ["page"]),
    ("one", 20, AGAIN, ["page"]),
    ("one", 20, SAME_PLATFORM, ["page", "phone"]),
    ("one", 20, OTHER_PLATFORM, ["page", "phone"]),
]


@pytest.mark.parametrize("policy, limit, next_login, ended", POLICIES)
def test_the_policy_says_who_has_to_go(api, ann, settings, policy, limit, next_login, ended):
    login(api, ann, "phone", "android")
    login(api, ann, "page", "web")
    settings(sessions=policy, sessions_limit=limit)
    device, platform = next_login
    login(api, ann, device, platform)
    assert active(api, ann) == sorted({"phone", "page", device} - set(ended))
    told = sorted(kicks(api, ann), key=lambda kick: kick["device"])
    platforms = {"phone": "android", "page": "web"}
    assert told == [
        {"device": one, "platform": platforms[one], "reason": "policy", "by": device}
        for one in ended
    ]


def test_who_had_to_go_logs_in_again_in_its_turn(api, ann, settings):
    settings(sessions="one")
    for device in ("phone", "page", "phone"):
        login(api, ann, device)
    assert active(api, ann) == ["phone"]
    assert [(kick["device"], kick["by"]) for kick in kicks(api, ann)] == [
        ("phone", "page"),
        ("page", "phone"),
    ]


# ---- position ----


def test_a_position_moves_forward_only_and_not_beyond_the_mailbox(api, ann, bob):
    login(api, ann, "phone")
    for _ in range(3):
        api.post("/v1/messages", {"from": bob, "to": ann, "text": "hi"})
    path = path_of(ann, "phone") + "/position"
    assert [api.put(path, {"seq": n}).json["seq"] for n in (2, 1, 3)] == [2, 2, 3]
    lie = api.put(path, {"seq": 4})
    assert (lie.status, lie.pointers) == (400, ["/seq"])
    assert lie.json["errors"][0]["detail"] == "is beyond the last entry of the mailbox"
    assert api.get(path_of(ann, "phone")).json["position"] == 3


@pytest.mark.parametrize("seq", [-1, 0.5, "1", None, 2**63])
def test_a_position_is_a_number(api, ann, seq):
    login(api, ann, "phone")
    reply = api.put(path_of(ann, "phone") + "/position", {"seq": seq})
    assert reply.status == 400


def test_deliveries_tell_of_each_device(api, ann, bob):
    sent = api.post("/v1/messages", {"from": bob, "to": ann, "text": "hi"}).json["id"]
    login(api, ann, "phone")
    login(api, ann, "tablet")
    api.put(path_of(ann, "phone") + "/position", {"seq": 1})
    told = api.get(f"/v1/messages/{sent}/deliveries").json["devices"]
    assert told == [
        {"device": "phone", "position": 1, "delivered": True},
        {"device": "tablet", "position": 0, "delivered": False},
    ]


# ---- kicking ----


def test_kicking_a_user_ends_all_sessions_and_voids_tokens_on_every_server(
    api, ann, bob, start_server, client_of
):
    other = client_of(start_server())
    token = api.post(f"/v1/users/{ann}/tokens", {}).json["token"]
    login(api, ann, "phone")
    login(api, ann, "page", "web")
    for server in (api, other):
        assert server.with_token(token).get(f"/v1/users/{ann}").status == 200
    assert api.post(f"/v1/users/{ann}/kick", {}).json == {"kicked": 2}
    for server in (api, other):
        own = server.with_token(token)
        refused = own.get(f"/v1/users/{ann}")
        assert refused.code == "unauthenticated"
        assert refused.json["detail"] == "the token is older than the end of its session"
        sent = own.post("/v1/messages", {"from": ann, "to": bob, "text": "hi"})
        assert (sent.status, sent.code) == (401, "unauthenticated")
    assert active(api, ann) == []
    assert {kick["device"] for kick in kicks(api, ann)} == {"page", "phone", None}


def test_a_token_that_does_not_say_when_it_was_issued_counts_as_older_than_a_kick(api, server, ann):
    own = api.with_token(server.token(scope="user", sub=ann, iat=None))
    assert own.get(f"/v1/users/{ann}").status == 200
    api.post(f"/v1/users/{ann}/kick", {})
    assert own.get(f"/v1/users/{ann}").code == "unauthenticated"


def test_a_token_made_right_after_a_kick_counts(api, ann):
    api.post(f"/v1/users/{ann}/kick", {})
    made = api.post(f"/v1/users/{ann}/tokens", {})
    assert api.with_token(made.json["token"]).get(f"/v1/users/{ann}").status == 200


def test_a_token_for_any_device_made_right_after_the_kick_of_one_counts_for_that_one(api, ann):
    login(api, ann, "phone")
    api.post(f"/v1/users/{ann}/kick", {"device": "phone"})
    own = api.with_token(api.post(f"/v1/users/{ann}/tokens", {}).json["token"])
    assert own.put(path_of(ann, "phone"), {"platform": "android"}).status == 200


def test_kicking_a_device_leaves_the_others(api, ann):
    login(api, ann, "phone")
    login(api, ann, "page", "web")
    assert api.post(f"/v1/users/{ann}/kick", {"device": "phone"}).json == {"kicked": 1}
    assert api.post(f"/v1/users/{ann}/kick", {"device": "phone"}).json == {"kicked": 0}
    assert active(api, ann) == ["page"]
    assert kicks(api, ann) == [
        {"device": "phone", "platform": "android", "reason": "kicked", "by": None}
    ]
    unknown = api.post(f"/v1/users/{ann}/kick", {"device": "tablet"})
    assert (unknown.code, unknown.status) == ("device_unknown", 404)


def test_kicking_a_platform_leaves_the_others(api, ann):
    for device, platform in (("a", "web"), ("b", "web"), ("c", "mac")):
        login(api, ann, device, platform)
    assert api.post(f"/v1/users/{ann}/kick", {"platform": "web"}).json == {"kicked": 2}
    assert active(api, ann) == ["c"]


def test_a_kicked_device_must_log_in_again_with_a_newer_token(api, ann):
    old = api.post(f"/v1/users/{ann}/tokens", {}).json["token"]
    login(api, ann, "phone")
    api.post(f"/v1/users/{ann}/kick", {"device": "phone"})
    position = path_of(ann, "phone") + "/position"
    assert api.put(position, {"seq": 0}).code == "device_kicked"
    own = api.with_token(old)
    for refused in (
        own.put(path_of(ann, "phone"), {"platform": "web"}),
        own.put(position, {"seq": 0}),
        own.get(f"/v1/users/{ann}/events", params={"device": "phone"}),
        own.delete(path_of(ann, "phone")),
    ):
        assert (refused.status, refused.code) == (401, "unauthenticated")
        assert refused.json["detail"] == "the token is older than the end of its session"
    assert own.get(f"/v1/users/{ann}").status == 200  # for another device it is good
    new = api.post(f"/v1/users/{ann}/tokens", {"device": "phone"}).json["token"]
    renewed = api.with_token(new)
    assert renewed.put(position, {"seq": 0}).code == "device_kicked"
    assert renewed.put(path_of(ann, "phone"), {"platform": "web"}).status == 200
    assert renewed.put(position, {"seq": 0}).status == 200


# ---- tokens of one device ----


def test_a_token_of_one_device_acts_as_no_other(api, ann):
    token = api.post(f"/v1/users/{ann}/tokens", {"device": "phone"}).json["token"]
    own = api.with_token(token)
    assert own.put(path_of(ann, "phone"), {"platform": "ios"}).status == 201
    login(api, ann, "tablet")
    for call in (
        lambda: own.put(path_of(ann, "tablet"), {"platform": "ios"}),
        lambda: own.put(path_of(ann, "tablet") + "/position", {"seq": 0}),
        lambda: own.delete(path_of(ann, "tablet")),
    ):
        assert call().code == "forbidden"


@pytest.mark.parametrize("kick", [{"device": "phone"}, {"platform": "android"}], ids=str)
def test_kicking_a_device_voids_its_own_token_for_everything_on_every_server(
    api, ann, bob, start_server, client_of, kick
):
    other = client_of(start_server())
    login(api, ann, "phone")
    phone, tablet = (
        api.post(f"/v1/users/{ann}/tokens", {"device": device}).json["token"]
        for device in ("phone", "tablet")
    )
    message = {"from": ann, "to": bob, "text": "x"}
    for server in (api, other):
        assert server.with_token(phone).get(f"/v1/users/{ann}").status == 200
    assert api.post(f"/v1/users/{ann}/kick", kick).json == {"kicked": 1}
    for server in (api, other):
        own = server.with_token(phone)
        assert own.get(f"/v1/users/{ann}").code == "unauthenticated"
        assert own.post("/v1/messages", message).code == "unauthenticated"
        batch = own.post("/v1/messages/batch", {**message, "to": [bob]})
        assert batch.code == "unauthenticated"
        assert server.with_token(tablet).post("/v1/messages", message).status == 201


@pytest.mark.parametrize(
    "claims",
    [
        {"device": ""},
        {"device": 5},
        {"device": []},
        {"device": "d" * 65},
        {"device": "a\x00b"},
        {"scope": "admin", "device": "phone"},
    ],
)
def test_a_token_with_a_bad_device_is_none(api, server, ann, claims):
    token = server.token(**{"scope": "user", "sub": ann, **claims})
    assert api.with_token(token).get(f"/v1/users/{ann}").status == 401


# ---- presence ----


def test_presence_tells_who_can_be_reached(api, ann, bob, db):
    assert api.get(f"/v1/users/{ann}/presence").json == {
        "user": ann,
        "state": "offline",
        "last_seen_at": None,
        "devices": [],
    }
    login(api, ann, "phone", push=PUSH)
    login(api, ann, "page", "web")
    seen = api.as_user(ann).get(f"/v1/users/{ann}/presence").json
    assert seen["state"] == "push" and seen["last_seen_at"] is not None
    assert [(one["device"], one["state"]) for one in seen["devices"]] == [
        ("page", "offline"),
        ("phone", "push"),
    ]
    many = api.post("/v1/presence", {"users": [bob, "nobody-at-all", ann, bob]}).json["items"]
    assert [(one["user"], one["state"]) for one in many] == [
        (bob, "offline"),
        ("nobody-at-all", "unknown"),
        (ann, "push"),
        (bob, "offline"),
    ]


@pytest.mark.parametrize("users", [[], ["u"] * 501, [""], "u", None])
def test_presence_is_asked_of_1_to_500_users(api, users):
    assert api.post("/v1/presence", {"users": users}).status == 400


def test_presence_of_500_users_is_one_call(api):
    users = [f"nobody-{n}" for n in range(500)]
    assert len(api.post("/v1/presence", {"users": users}).json["items"]) == 500
