"""GET /v1/audit: who did what on whose behalf."""

import datetime
import json
import secrets

import pytest

from support import text_message
from support.contract import Contract, first_example, target_of
from support.server import run_duetd

CONTRACT = Contract()
WRITES = sorted(
    (one for one in CONTRACT.operations.values() if one.method != "GET"),
    key=lambda one: one.name,
)
each_write = pytest.mark.parametrize("operation", WRITES, ids=lambda one: one.name)


@pytest.fixture(scope="module", name="audited")
def fixture_audited():
    """What the program says that it audits; the contract test says which those must be. A single send
    is none, because its message tells by `sent_by`."""
    done = run_duetd("routes")
    names = {route["operation"] for route in json.loads(done.stdout)["routes"] if route["audit"]}
    assert "user_put" in names and "message_send" not in names
    return names


def fresh(prefix="audit"):
    return f"{prefix}-{secrets.token_hex(6)}"


def audit(api, **filters):
    reply = api.get("/v1/audit", params=filters)
    assert reply.status == 200, reply
    return reply.json["items"]


def is_wrong(result):
    """Of an item that is wrong by itself: it is left out before the database learns of it."""
    return result.get("problem", {}).get("code") == "invalid_request"


def users_of(values, body, sender, results):
    """On whose behalf a request is made; of one about a message, its sender's."""
    if "user" in values:
        return [values["user"]]
    if "id" in values:  # of a message
        return [sender]
    body = body if isinstance(body, dict) else {}
    if "from" in body:
        return [body["from"]]
    items = [item for name in ("users", "changes", "messages") for item in body.get(name, [])]
    if results:
        items = [item for item, result in zip(items, results) if not is_wrong(result)]
    objects = [item for item in items if isinstance(item, dict)]
    named = {item.get("user") or item.get("from") or item["id"] for item in objects}
    return sorted(named) or [None]


@pytest.fixture(name="call")
def fixture_call(api, ann, bob):
    """Calls an operation as the first example of the OpenAPI file does, about two users of its own."""
    message = api.post("/v1/messages", text_message(ann, bob)).json["id"]
    names = {"alice": ann, "bob": bob}

    def call(operation, token, request_id):
        values, body, headers = first_example(operation, names, message)
        headers["X-Request-Id"] = request_id
        target = target_of(operation, values)
        reply = api.request(operation.method, target, json=body, headers=headers, token=token)
        results = reply.json.get("results") if reply.body else None
        return reply, target, users_of(values, body, sender=ann, results=results)

    return call


def expected(server_token_subject, operation, reply, target, on_behalf_of, request_id):
    return {
        "subject": server_token_subject,
        "key_id": "h1",
        "address": "127.0.0.1",
        "operation": operation.name,
        "resource": target.partition("?")[0],
        "on_behalf_of": on_behalf_of,
        "request_id": request_id,
        "outcome": "ok" if reply.status < 300 else reply.code,
    }


@each_write
def test_a_write_by_a_service_leaves_exactly_one_entry_for_each_user(api, server, call, audited, operation):
    subject, request_id = fresh("service"), fresh()
    reply, target, users = call(operation, server.token(sub=subject), request_id)
    items = audit(api, request_id=request_id)
    if operation.name not in audited:
        assert items == []
        return
    items.sort(key=lambda one: one["on_behalf_of"] or "")
    assert [{name: one[name] for name in one if name != "at"} for one in items] == [
        expected(subject, operation, reply, target, user, request_id) for user in users
    ]
    assert len(audit(api, subject=subject)) == len(items)


@each_write
def test_a_write_by_a_users_own_token_leaves_none(api, server, call, ann, operation):
    request_id = fresh()
    call(operation, server.token(scope="user", sub=ann), request_id)
    assert audit(api, request_id=request_id) == []


def test_a_write_that_is_refused_leaves_an_entry_with_the_code(api):
    request_id = fresh()
    headers = {"X-Request-Id": request_id, "If-Match": '"0"'}
    assert api.patch("/v1/settings", {}, headers=headers).status == 412
    (item,) = audit(api, request_id=request_id)
    assert (item["outcome"], item["on_behalf_of"]) == ("precondition_failed", None)


def test_what_is_turned_away_before_leaves_none(api, server, ann):
    request_id = fresh()
    headers = {"X-Request-Id": request_id}
    assert api.put(f"/v1/users/{ann}", {"nick": 1}, headers=headers).status == 400
    no_scope = server.token(scope="users:read")
    assert api.put(f"/v1/users/{ann}", {}, headers=headers, token=no_scope).status == 403
    assert api.put(f"/v1/users/{ann}", {}, headers=headers, token=None).status == 401
    assert audit(api, request_id=request_id) == []


def test_the_key_of_the_token_is_told(api, server, ann):
    for kid in ("h1", "e1", "r1"):
        for _ in range(2):  # the second time the token is known
            request_id = fresh()
            headers = {"X-Request-Id": request_id}
            api.put(f"/v1/users/{ann}", {}, headers=headers, token=server.token(kid=kid))
            assert [item["key_id"] for item in audit(api, request_id=request_id)] == [kid]


def test_reads_leave_none(api, ann):
    request_id = fresh()
    headers = {"X-Request-Id": request_id}
    assert api.get(f"/v1/users/{ann}", headers=headers).status == 200
    assert api.get("/v1/audit", headers=headers).status == 200
    assert audit(api, request_id=request_id) == []


def test_no_contents_are_in_the_audit(api, db, ann, bob):
    mark = fresh("contents")
    api.post("/v1/messages", text_message(ann, bob, mark, custom_data=mark))
    api.put(f"/v1/users/{ann}", {"nick": mark, "custom": {"a": mark}})
    found = db.execute(
        "select count(*) from duet.audit_entry as a where a::text like %s", (f"%{mark}%",)
    ).fetchone()
    assert found == (0,)


@pytest.fixture(name="entries")
def fixture_entries(api, server, user):
    """Nine writes by three services about three users: [(subject, user, request id)], oldest first."""
    users = [user() for _ in range(3)]
    subjects = [fresh("service") for _ in range(3)]
    made = []
    for name in users:
        for subject in subjects:
            request_id = fresh()
            token = server.token(sub=subject)
            headers = {"X-Request-Id": request_id}
            assert api.put(f"/v1/users/{name}", {}, headers=headers, token=token).status == 200
            made.append((subject, name, request_id))
    return made


def ids(items):
    return [item["request_id"] for item in items]


def test_filters_by_each_member(api, entries):
    subject, name, request_id = entries[4]
    newest_first = entries[::-1]
    of_subject = [one[2] for one in newest_first if one[0] == subject]
    assert ids(audit(api, subject=subject)) == of_subject
    of_user = [one[2] for one in newest_first if one[1] == name]
    assert ids(audit(api, on_behalf_of=name, limit=3)) == of_user
    assert ids(audit(api, request_id=request_id)) == [request_id]
    assert ids(audit(api, resource=f"/v1/users/{name}", limit=3)) == of_user
    for name_of_filter, value, other in (
        ("operation", "user_put", "user_get"),
        ("outcome", "ok", "internal"),
        ("key_id", "h1", "e1"),
        ("address", "127.0.0.1", "127.0.0.2"),
    ):
        assert ids(audit(api, subject=subject, **{name_of_filter: value})) == of_subject
        assert audit(api, subject=subject, **{name_of_filter: other}) == []


def test_since_is_inclusive_and_until_exclusive(api, db, entries):
    at = dict(
        db.execute(
            "select request_id, at from duet.audit_entry where request_id = any(%s)",
            ([one[2] for one in entries],),
        ).fetchall()
    )
    times = [at[one[2]].astimezone(datetime.timezone.utc).isoformat() for one in entries]
    in_between = [item for item in audit(api, since=times[2], until=times[5], limit=200)]
    assert ids(in_between) == [one[2] for one in entries[2:5]][::-1]


def test_pages_hold_everything_once_while_entries_are_added(api, entries):
    subject = entries[0][0]
    seen, cursor = [], None
    while True:
        params = {"subject": subject, "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = api.get("/v1/audit", params=params).json
        seen += ids(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
        token = api.server.token(sub=subject)
        api.put(f"/v1/users/{entries[0][1]}", {}, token=token)
    assert seen == [one[2] for one in entries if one[0] == subject][::-1]


@pytest.mark.parametrize("cursor", ["x", "1", "1.2.3", "-1.1", "1.x"])
def test_a_cursor_that_was_not_given_out_is_refused(api, cursor):
    reply = api.get("/v1/audit", params={"cursor": cursor})
    assert (reply.status, reply.code) == (400, "cursor_invalid")


@pytest.mark.parametrize(
    "params, pointer",
    [
        ({"limit": 201}, "/limit"),
        ({"since": "yesterday"}, "/since"),
        ({"subject": "x" * 65}, "/subject"),
        ({"key": "k1"}, "/key"),
    ],
)
def test_a_wrong_parameter_is_named(api, params, pointer):
    reply = api.get("/v1/audit", params=params)
    assert (reply.status, reply.pointers) == (400, [pointer])


def test_the_audit_is_for_administrators(api, server, ann):
    everything = " ".join(
        {one.spec["x-scope"] for one in CONTRACT.operations.values()} - {"public", "admin", "user"}
    )
    for token in (server.token(scope=everything), server.token(scope="user", sub=ann)):
        assert api.get("/v1/audit", token=token).status == 403
    assert api.get("/v1/audit", token=None).status == 401


def test_entries_are_there_for_90_days(api, db, ann):
    """To the second; partitions, which hold a week, may stay longer."""
    request_id = fresh()
    api.put(f"/v1/users/{ann}", {}, headers={"X-Request-Id": request_id})
    horizon = "duet.audit_horizon(now() + interval '90 days')"
    late = db.execute(
        f"select at < {horizon} from duet.audit_entry where request_id = %s", (request_id,)
    ).fetchone()
    assert late == (True,)
    early = db.execute(
        "select at >= duet.audit_horizon(now() + interval '90 days - 1 minute')"
        " from duet.audit_entry where request_id = %s",
        (request_id,),
    ).fetchone()
    assert early == (True,)


def test_a_page_may_be_short_and_go_on(api, db):
    """Where a filter has no index, only so many entries are looked at for a page."""
    subject, key = fresh(), fresh("key")
    db.execute(
        "insert into duet.audit_entry"
        " (at, subject, key_id, address, operation, resource, request_id, outcome)"
        " select now() - i * interval '1 microsecond', %s, case i when 12000 then %s else 'k' end,"
        "     'a', 'o', 'r', 'q', 'ok'"
        " from generate_series(1, 12000) as i",
        (subject, key),
    )
    params = {"subject": subject, "key_id": key}
    first = api.get("/v1/audit", params=params).json
    assert first["items"] == []
    second = api.get("/v1/audit", params={**params, "cursor": first["next_cursor"]}).json
    assert ([one["key_id"] for one in second["items"]], second["next_cursor"]) == ([key], None)
