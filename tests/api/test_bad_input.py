"""What is wrong is refused with a problem document that names it, and writes nothing."""

import json

import pytest

from support import short, text_message
from support.client import quoted
from support.database import unchanged

MIB = 1024 * 1024


# The id of no message, in the form of one.
MESSAGE = "AQIBAQHOubjG2ZyYA0HreSU"


def nested(depth):
    """A JSON object of this depth, in a member that no operation knows."""
    return b'{"x":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def with_text(ann, bob, text):
    """A message whose text is the given bytes, as they stand between the quotes."""
    return b'{"from":"%s","to":"%s","text":"%s"}' % (ann.encode(), bob.encode(), text)


@pytest.fixture
def refused(api, db):
    """Sends what must be refused: refused(reply status, code, method, path, …)."""

    def call(status, code, method, path, **more):
        with unchanged(db):
            reply = api.request(method, path, **more)
        assert (reply.status, reply.code) == (status, code), reply
        if method != "GET":
            assert reply.json["outcome"] == "not_applied"
        assert reply.json["retryable"] is False
        return reply

    return call


# -- JSON


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" \n", id="blanks"),
        pytest.param(b"{", id="half an object"),
        pytest.param(b'{"nick":"x"', id="no end"),
        pytest.param(b'{"nick":"x"}}', id="a brace too many"),
        pytest.param(b'{"nick":"x"} x', id="bytes behind it"),
        pytest.param(b'{"nick":"x"}{}', id="two objects"),
        pytest.param(b'{"nick":"x",}', id="a comma too many"),
        pytest.param(b"{'nick':'x'}", id="single quotes"),
        pytest.param(b'{nick:"x"}', id="a name without quotes"),
        pytest.param(b'{"level":01}', id="a leading zero"),
        pytest.param(b'{"level":NaN}', id="not a number"),
        pytest.param(b'{"level":1e400}', id="a number too large for any type"),
        pytest.param(b'{"level":9223372036854775808}', id="an integer of 65 bits"),
        pytest.param(b'{"nick":"x"} // comment', id="a comment"),
        pytest.param(b"[]", id="an array"),
        pytest.param(b'"nick"', id="a string"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"nick":"a","nick":"b"}', id="a name twice"),
        pytest.param(b'{"nick":"a","n\\u0069ck":"b"}', id="a name twice, one escaped"),
        pytest.param(b'{"custom":{"a":"1","\\u0061":"2"}}', id="a nested name twice"),
        pytest.param(b'{"nick":"a\\u0000b"}', id="an escaped NUL"),
        pytest.param(b'{"nick":"a\x00b"}', id="a NUL"),
        pytest.param(b'{"ni\\u0000ck":"x"}', id="a NUL in a name"),
        pytest.param(b'{"nick":"x"}\x00', id="a NUL behind it"),
        pytest.param(b'{"nick":"a\nb"}', id="a bare line feed in a string"),
        pytest.param(b'{"nick":"\xff"}', id="a byte that is not UTF-8"),
        pytest.param(b'{"nick":"\xc3"}', id="half a character"),
        pytest.param(b'{"nick":"\xc0\xaf"}', id="an overlong character"),
        pytest.param(b'{"nick":"\xed\xa0\x80"}', id="a surrogate as bytes"),
        pytest.param(b'{"nick":"\xf4\x90\x80\x80"}', id="a character beyond Unicode"),
        pytest.param(b'{"nick":"\\ud800"}', id="a lone surrogate"),
        pytest.param(b'{"nick":"\\udc00\\ud800"}', id="surrogates in the wrong order"),
        pytest.param(b'\xef\xbb\xbf{"nick":"x"}', id="a byte order mark"),
        pytest.param('{"nick":"x"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"nick":"\\x41"}', id="an unknown escape"),
        pytest.param(nested(33), id="33 levels"),
        pytest.param(b'{"custom":' + b"[" * 100000, id="100,000 levels"),
    ],
)
def test_json_that_is_none_is_refused(refused, ann, body):
    refused(400, "malformed_json", "PUT", f"/v1/users/{ann}", data=body)


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"", "there is none"),
        (b" \r\n", "there is none"),
        (b"{", "ends too early, at line 1, column 1"),
        (b'{"nick":"x"}}', "goes on behind its end, at line 1, column 13"),
        (b'{"nick":"a",\n"nick":"b"}', "a name stands twice in one object, at line 2"),
        (b'{"nick":"a\\u0000b"}', "U+0000 is not taken"),
        (b'{"ni\\u0000ck":"x"}', "U+0000 is not taken"),
        (b'{"nick":"\xff"}', "bytes that are not UTF-8"),
        (b'{"level":1e400}', "a number that is too large"),
        (b"{'nick':'x'}", "no JSON, at line 1, column 2"),
        (b"[]", "not an object"),
    ],
)
def test_json_that_is_none_is_refused_with_the_reason(refused, ann, body, reason):
    reply = refused(400, "malformed_json", "PUT", f"/v1/users/{ann}", data=body)
    assert reply.json["detail"].startswith(reason)


def test_json_of_32_levels_is_read(refused, ann):
    reply = refused(400, "invalid_request", "PUT", f"/v1/users/{ann}", data=nested(32))
    assert reply.pointers == ["/x"]


def test_brackets_in_a_string_are_not_levels(api, ann):
    nick = '[{"\\' * 60
    reply = api.put(f"/v1/users/{ann}", {"nick": nick})
    assert (reply.status, reply.json["nick"]) == (200, nick)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"a\\u0000b", id="an escaped NUL"),
        pytest.param(b"a\x00b", id="a NUL"),
        pytest.param(b"\xed\xa0\x80", id="a surrogate as bytes"),
        pytest.param(b"\\ud83d", id="half of a pair"),
        pytest.param(b"\xff", id="a byte that is not UTF-8"),
    ],
)
def test_a_text_that_is_not_unicode_is_never_stored(refused, ann, bob, text):
    refused(400, "malformed_json", "POST", "/v1/messages", data=with_text(ann, bob, text))


@pytest.mark.parametrize(
    "text",
    [
        "\u2028\u2029",
        "\U0010ffff",
        "\uffff",
        "a\u0301",
        "\u202e",
        "👩‍👩‍👧",
        "tab\tand\r\nlines",
        "\\\"/",
        "  ",
    ],
)
def test_a_text_comes_back_as_it_was_sent(api, ann, bob, text):
    sent = api.post("/v1/messages", text_message(ann, bob, text))
    assert sent.status == 201
    stored = api.get(f"/v1/messages/{sent.json['id']}")
    assert stored.json["elements"] == [{"type": "text", "text": text}]


# -- fields


def test_every_wrong_field_is_named_at_once(refused, ann):
    wrong = {
        "nick": 1,
        "avatar_url": ["x"],
        "gender": "other",
        "birthday": "soon",
        "language": "x" * 36,
        "level": -1,
        "custom": {"a": 1},
        "friend_policy": None,
        "nickname": "x",
        "admin": True,
    }
    reply = refused(400, "invalid_request", "PUT", f"/v1/users/{ann}", json=wrong)
    assert sorted(reply.pointers) == sorted(
        [
            "/nick",
            "/avatar_url",
            "/gender",
            "/birthday",
            "/language",
            "/level",
            "/custom/a",
            "/nickname",
            "/admin",
        ]
    )


def test_wrong_fields_are_named_wherever_they_stand(refused, ann):
    body = {
        "from": ann,
        "text": "x",
        "options": {"push": 1, "store_seconds": "long"},
        "push": {"sound": "x"},
        "colour": "red",
    }
    headers = {"Idempotency-Key": "x" * 65}
    reply = refused(
        400, "invalid_request", "POST", "/v1/messages?dry_run=1", json=body, headers=headers
    )
    assert sorted(reply.pointers) == sorted(
        [
            "/to",
            "/options/push",
            "/options/store_seconds",
            "/push/sound",
            "/colour",
            "/Idempotency-Key",
            "/dry_run",
        ]
    )


A_LONG_ID = "x" * 65
TO_ONE = {"to": {"users": ["a"]}}
ITEM = {"from": "a", "to": "b", "text": "x", "sent_at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "path, body, pointers",
    [
        ("/v1/messages", {}, ["/from", "/to", "/elements"]),
        ("/v1/messages", {"from": "a", "to": "a"}, ["/to", "/elements"]),
        ("/v1/messages", {"from": "a", "to": "a", "text": ""}, ["/to", "/text"]),
        ("/v1/messages", {"from": "a", "to": "a", "text": 5}, ["/to", "/text"]),
        ("/v1/messages", {"from": "a", "to": "a", "elements": 5}, ["/to", "/elements"]),
        (
            "/v1/messages",
            {"from": "a", "text": "x", "elements": [{}]},
            ["/to", "/elements/0/type", "/text"],
        ),
        ("/v1/messages", {"from": 1, "to": 1, "text": "x"}, ["/from", "/to"]),
        ("/v1/messages", {"from": A_LONG_ID, "to": A_LONG_ID, "text": "x"}, ["/from", "/to"]),
        ("/v1/messages", {"from": "a", "to": "a", "text": "x" * 12288}, ["/to", "/text"]),
        (
            "/v1/messages/batch",
            {"from": "a", "to": ["b", "", 5], "text": ""},
            ["/text", "/to/1", "/to/2"],
        ),
        (
            "/v1/messages/batch",
            {"from": "a", "to": ["a", "b", "b", 5]},
            ["/elements", "/to/0", "/to/2", "/to/3"],
        ),
        ("/v1/messages/batch", {"to": ["b"], "text": 1}, ["/from", "/text"]),
        ("/v1/messages/batch", {"from": "a", "to": 5}, ["/to", "/elements"]),
        (
            "/v1/messages/import",
            {"messages": [{**ITEM, "to": "a", "text": ""}]},
            ["/messages/0/to", "/messages/0/text"],
        ),
        (
            "/v1/messages/import",
            {"messages": [{}]},
            [f"/messages/0/{name}" for name in ("from", "to", "sent_at", "elements")],
        ),
        ("/v1/messages/import", {"messages": [7]}, ["/messages/0"]),
        (
            "/v1/messages/import",
            {"messages": [ITEM, {**ITEM, "to": "a"}], "x": 1},
            ["/x", "/messages/1/to"],
        ),
        ("/v1/users", {"users": [{"id": "a/b", "level": -1}]}, ["/users/0/id", "/users/0/level"]),
        ("/v1/users", {"users": [{"id": 5}]}, ["/users/0/id"]),
        ("/v1/users/a/friend-requests", {"to": "a", "remark": 5}, ["/to", "/remark"]),
        ("/v1/users/a/friend-requests", {}, ["/to"]),
        (f"/v1/users/{A_LONG_ID}/friend-requests", {}, ["/user", "/to"]),
        ("/v1/notifications", {}, ["/to", "/elements"]),
        ("/v1/notifications", {"to": 5, "payload": 5}, ["/to", "/payload"]),
        (
            "/v1/notifications",
            {"to": {"all": True, "users": "x"}, "text": "x", "payload": "x"},
            ["/to/users", "/elements"],
        ),
        (
            "/v1/notifications",
            {**TO_ONE, "text": "", "include_new_users_until": "2030-01-01T00:00:00Z"},
            ["/text", "/include_new_users_until"],
        ),
        (
            "/v1/notifications",
            {**TO_ONE, "text": "x", "include_new_users_until": 5},
            ["/include_new_users_until"],
        ),
    ],
    ids=short,
)
def test_rules_are_held_against_what_else_is_wrong(refused, path, body, pointers):
    reply = refused(400, "invalid_request", "POST", path, json=body)
    assert sorted(reply.pointers) == sorted(pointers)


@pytest.mark.parametrize(
    "method, path, body, pointers",
    [
        ("PUT", "/v1/users/a", {"birthday": "2023-02-29", "nick": 5}, ["/birthday", "/nick"]),
        ("PUT", "/v1/users/a", {"birthday": 20230229}, ["/birthday"]),
        ("PATCH", "/v1/users/a", {"birthday": "2023-02-29", "x": 5}, ["/birthday", "/x"]),
        ("PUT", "/v1/users/a/friends/a", {"remark": 5}, ["/peer", "/remark"]),
        ("PUT", f"/v1/users/{A_LONG_ID}/friends/{A_LONG_ID}", {}, ["/user", "/peer"]),
        ("PUT", "/v1/users/a/blocks/a?x=1", None, ["/peer", "/x"]),
        ("PATCH", "/v1/users/a/conversations/a", {"marks": "2", "x": 1}, ["/peer", "/marks", "/x"]),
        ("PATCH", "/v1/users/a/conversations/b", {"marks": 5}, ["/marks"]),
        ("PUT", "/v1/users/a/conversations/a/read", {"up_to": 5}, ["/peer", "/up_to"]),
        ("PUT", "/v1/users/a/conversations/b/read", {"x": 1}, ["/up_to", "/x"]),
        ("PATCH", f"/v1/messages/{MESSAGE}", {"text": 5}, ["/text"]),
        ("PATCH", f"/v1/messages/{MESSAGE}", {"elements": [], "text": "x"}, ["/elements"]),
        ("PATCH", f"/v1/messages/{MESSAGE}", {"x": 1}, ["/x"]),
        ("GET", "/v1/archives/2026?x=1", None, ["/hour", "/x"]),
        ("GET", "/v1/archives/2026-01-01X00?x=1", None, ["/hour", "/x"]),
        ("GET", "/v1/users/a/events?after=x&wait=y", None, ["/after", "/wait"]),
        ("GET", "/readyz?verbose=5", None, ["/verbose"]),
    ],
    ids=short,
)
def test_rules_hold_of_what_is_not_there(refused, method, path, body, pointers):
    reply = refused(400, "invalid_request", method, path, json=body)
    assert sorted(reply.pointers) == sorted(pointers)


def test_a_thousand_wrong_fields_are_refused_in_a_short_answer(refused, ann):
    body = {f"field{i}": i for i in range(1000)}
    reply = refused(400, "invalid_request", "PUT", f"/v1/users/{ann}", json=body)
    assert len(reply.pointers) == 32


def test_a_long_name_is_cut_between_characters(refused, ann):
    name = "x" * 63 + "é"
    reply = refused(400, "invalid_request", "PUT", f"/v1/users/{ann}", json={name * 4: 1})
    assert len(reply.pointers) == 1


def test_a_pointer_escapes_what_a_pointer_must(refused, ann):
    reply = refused(400, "invalid_request", "PUT", f"/v1/users/{ann}", json={"a/b~c": 1})
    assert reply.pointers == ["/a~1b~0c"]


@pytest.mark.parametrize("value", [None, 1, True, [], {}])
def test_a_user_id_is_a_string(refused, ann, value):
    body = {"from": ann, "to": value, "text": "x"}
    reply = refused(400, "invalid_request", "POST", "/v1/messages", json=body)
    assert reply.pointers == ["/to"]


@pytest.mark.parametrize("value", ["", "x" * 65, "é" * 33, "a\nb", "a\u0090b"], ids=short)
def test_a_user_id_in_a_body_has_the_same_limits(refused, ann, value):
    body = {"from": ann, "to": value, "text": "x"}
    reply = refused(400, "invalid_request", "POST", "/v1/messages", json=body)
    assert reply.pointers == ["/to"]


@pytest.mark.parametrize(
    "path", ["/v1/users/{ann}?verbose=1", "/v1/messages/x?expand=all", "/healthz?x", "/metrics?a=b"]
)
def test_an_unknown_query_parameter_is_refused(refused, ann, path):
    refused(400, "invalid_request", "GET", path.replace("{ann}", ann))


# -- bodies


def test_a_body_of_1_mib_is_read(refused, ann):
    body = b'{"x":"%s"}' % (b"x" * (MIB - len(b'{"x":""}')))
    assert len(body) == MIB
    reply = refused(400, "invalid_request", "PUT", f"/v1/users/{ann}", data=body)
    assert reply.pointers == ["/x"]


def test_a_body_over_1_mib_is_refused_before_it_is_sent(refused, ann):
    headers = {"Content-Length": str(MIB + 1), "Content-Type": "application/json"}
    reply = refused(413, "body_too_large", "PUT", f"/v1/users/{ann}", headers=headers)
    assert str(MIB) in reply.json["detail"]


def test_a_body_over_1_mib_in_chunks_is_refused(refused, ann):
    chunks = [b'{"x":"'] + [b"x" * 65536] * 16 + [b'"}']
    reply = refused(413, "body_too_large", "PUT", f"/v1/users/{ann}", data=iter(chunks))
    assert str(MIB) in reply.json["detail"]


def test_a_body_in_chunks_is_read(api, ann):
    reply = api.put(f"/v1/users/{ann}", data=iter([b"{", b'"nick"', b":", b'"chunky"}']))
    assert (reply.status, reply.json["nick"]) == (200, "chunky")


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/json; charset=latin1",
        "application/problem+json",
        "multipart/form-data; boundary=x",
        "json",
    ],
)
def test_a_body_of_another_type_is_refused(refused, ann, media_type):
    refused(
        415,
        "unsupported_media_type",
        "PUT",
        f"/v1/users/{ann}",
        data=b"{}",
        headers={"Content-Type": media_type},
    )


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
def test_json_may_name_its_encoding(api, ann, media_type):
    reply = api.put(f"/v1/users/{ann}", data=b"{}", headers={"Content-Type": media_type})
    assert reply.status == 200


def test_a_write_without_a_body_is_refused(refused, ann):
    headers = {"Content-Length": "0", "Content-Type": "application/json"}
    refused(400, "malformed_json", "PUT", f"/v1/users/{ann}", headers=headers)


# -- addresses


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/users/x",
        "/v1/user/x",
        "/v1/Users/x",
        "/v1/users/x/friends/y/z",
        "/healthz/x",
        "/favicon.ico",
    ],
)
def test_an_unknown_address_is_refused(refused, path):
    refused(404, "route_unknown", "GET", path)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/users/a%00b",
        "/v1/users/%",
        "/v1/users/%4",
        "/v1/users/%zz",
        "/v1/users/.",
        "/v1/users/..",
        "/v1/users/%2e%2e",
        "/v1//users/x",
        "//v1/users/x",
        "/v1/users/x/",
        "/v1/users/",
        "/v1/users/x/../y",
        "/v1/./users/x",
    ],
)
def test_an_address_that_two_readers_may_read_differently_is_refused(api, path):
    reply = api.get(path)
    assert (reply.status, reply.code) in (
        (400, "malformed_request"),
        (400, "invalid_request"),
        (404, "route_unknown"),
    )


@pytest.mark.parametrize("encoded", ["%ff", "%c3", "%c0%af", "%ed%a0%80", "%F5%80%80%80"])
def test_a_user_id_that_is_not_utf8_is_refused(refused, encoded):
    refused(400, "invalid_request", "PUT", f"/v1/users/{encoded}", json={})


@pytest.mark.parametrize(
    "method, path, allow",
    [
        ("POST", "/v1/users/x", {"GET", "PUT", "HEAD", "PATCH", "DELETE"}),
        ("DELETE", "/v1/users", {"GET", "HEAD", "POST"}),
        ("GET", "/v1/messages", {"POST"}),
        ("PUT", "/v1/messages", {"POST"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("PUT", "/v1/messages/x", {"GET", "HEAD", "PATCH", "DELETE"}),
    ],
)
def test_a_method_that_the_resource_does_not_know_is_refused(api, db, method, path, allow):
    with unchanged(db):
        body = {} if method in ("POST", "PUT", "PATCH") else None
        reply = api.request(method, path, json=body)
    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert {word.strip() for word in reply.headers["Allow"].split(",")} == allow


def test_a_long_address_is_refused(refused):
    refused(414, "uri_too_long", "GET", f"/v1/users/{'x' * 3000}")


@pytest.mark.parametrize("encoded", ["a%2Fb", "a%2fb", "a%5Cb", "a%5cb"])
def test_a_slash_in_a_user_id_is_refused(refused, encoded):
    # Programs on the way take an escaped slash for a border, or do not.
    refused(400, "malformed_request", "PUT", f"/v1/users/{encoded}", json={})


def test_hostile_text_is_only_text(api, db, user):
    bob = user()
    for text in (
        "'; drop table duet.app_user; --",
        "$1",
        "\\",
        '{"type":"text"}',
        "NULL",
        "%s%n",
        "<script>",
        "../../etc/passwd",
    ):
        name = "x" + text.replace("/", "|").replace("\\", "|")  # neither can stand in a path
        api.put(f"/v1/users/{quoted(name)}", {"nick": text})
        sent = api.post("/v1/messages", text_message(name, bob, text, custom_data=text))
        assert sent.status == 201, sent
        assert sent.json["sender_profile"]["nick"] == text
        assert api.get(f"/v1/messages/{sent.json['id']}").json["custom_data"] == text
    assert db.execute("select count(*) > 0 from duet.app_user").fetchone()[0]


def test_problems_are_json_whatever_the_client_accepts(api):
    for accept in ("text/html", "*/*", "application/xml"):
        reply = api.get("/v1/nothing", headers={"Accept": accept})
        assert json.loads(reply.body)["code"] == "route_unknown"
