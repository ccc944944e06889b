"""/healthz, /readyz, /metrics, /openapi.json, request ids, headers, logs."""

import html.parser
import json
import re

import pytest

from support import short, text_message


def samples(api):
    """Of /metrics, by name and labels as they are written."""
    found = {}
    for line in api.get("/metrics", token=None).text.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in found
            found[name] = float(value)
    return found


def test_health_get_says_ok(api):
    reply = api.get("/healthz", token=None)
    assert (reply.status, reply.json) == (200, {"status": "ok"})


def test_ready_get_names_its_checks(api):
    reply = api.get("/readyz", token=None)
    assert (reply.status, reply.json["status"]) == (200, "ready")
    assert reply.json["checks"]
    assert all(check["ok"] for check in reply.json["checks"])


def test_metrics_get_is_what_prometheus_reads(api, ann):
    assert ann
    reply = api.get("/metrics", token=None)
    assert reply.headers["Content-Type"].replace(" ", "").startswith("text/plain;version=0.0.4")
    sample = re.compile(r'^[a-z_]+(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? [0-9.e+-]+$')
    typed = set()
    for line in reply.text.splitlines():
        if line.startswith("# TYPE "):
            name = line.split()[2]
            assert name not in typed and name.startswith("duet_")
            typed.add(name)
        elif not line.startswith("#"):
            assert sample.match(line), line
            family = re.sub(r"_(bucket|sum|count)$", "", re.split(r"[ {]", line)[0])
            assert {family, re.split(r"[ {]", line)[0]} & typed, line


def test_requests_are_counted_by_operation_and_status(api, ann, bob):
    def count(status):
        found = samples(api)
        return sum(
            value
            for name, value in found.items()
            if name.startswith("duet_")
            and "_total{" in name
            and 'operation="message_send"' in name
            and f'status="{status}"' in name
        )

    sent, refused = count(201), count(400)
    api.post("/v1/messages", text_message(ann, bob))
    api.post("/v1/messages", text_message(ann, ann))
    assert (count(201), count(400)) == (sent + 1, refused + 1)


def test_metrics_name_no_user(api, ann, bob):
    api.post("/v1/messages", text_message(ann, bob))
    assert ann not in api.get("/metrics", token=None).text


def test_openapi_get_serves_the_contract(api, contract):
    reply = api.get("/openapi.json", token=None)
    assert reply.json["info"]["title"] == "Duet"
    assert set(reply.json["paths"]) == {path for _, path in contract.operations}


class Anchors(html.parser.HTMLParser):
    """What a page defines, refers to, and fetches."""

    def __init__(self, page):
        super().__init__()
        self.ids, self.links, self.fetched = set(), set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        if tag == "a":
            self.links.add(attrs["href"])
        self.fetched |= {attrs["src"]} if "src" in attrs else set()
        self.fetched |= {attrs["href"]} if tag == "link" else set()


def test_docs_get_shows_each_operation_on_one_page(api, contract):
    reply = api.get("/docs", token=None)
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    page = Anchors(reply.text)
    assert {one.spec["operationId"] for one in contract.operations.values()} <= page.ids
    assert {link for link in page.links if link[1:] not in page.ids} == {"/openapi.json"}
    assert not page.fetched and "<script" not in reply.text


def test_a_request_id_is_made_where_none_is_sent(api):
    ids = {api.get("/healthz", token=None).headers["X-Request-Id"] for _ in range(10)}
    assert len(ids) == 10


def test_a_request_id_is_echoed_and_logged(api, server, ann):
    mark = len(server.log)
    reply = api.get(f"/v1/users/{ann}", headers={"X-Request-Id": "trace.1-a_Z"})
    assert reply.headers["X-Request-Id"] == "trace.1-a_Z"
    entry = server.wait_for_log("request", after=mark, request_id="trace.1-a_Z")
    assert (entry["operation"], entry["status"]) == ("user_get", 200)


@pytest.mark.parametrize("bad", ["", "x" * 65, "a b", 'a"b', "a/b", "{}"], ids=short)
def test_a_request_id_that_is_none_is_replaced(api, bad):
    reply = api.get("/healthz", token=None, headers={"X-Request-Id": bad})
    assert reply.status == 200
    assert reply.headers["X-Request-Id"] != bad


def test_replies_are_neither_kept_by_caches_nor_guessed_at(api, ann):
    for path in (f"/v1/users/{ann}/messages", "/v1/nothing", "/healthz"):
        reply = api.get(path)
        assert reply.headers["Cache-Control"] == "no-store", path
        assert reply.headers["X-Content-Type-Options"] == "nosniff", path
    assert api.get(f"/v1/users/{ann}").headers["Cache-Control"] == "private, no-cache"


def test_a_long_reply_is_compressed_where_the_client_accepts_it(api, ann, bob):
    for number in range(20):
        api.post("/v1/messages", text_message(ann, bob, f"{number} {'x' * 200}"))
    path = f"/v1/users/{bob}/messages"
    plain = api.get(path)
    assert plain.headers["Content-Encoding"] is None
    for accept in ("gzip", "br;q=1.0, GZip;q=0.5, *;q=0.1"):
        packed = api.get(path, headers={"Accept-Encoding": accept})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Vary"] == "Accept-Encoding"
        assert (packed.json, len(packed.sent) < len(plain.sent)) == (plain.json, True)
    for accept in ("identity", "gzip;q=0", "br", ""):
        reply = api.get(path, headers={"Accept-Encoding": accept})
        assert reply.headers["Content-Encoding"] is None


def test_every_log_line_is_one_json_object(api, server, ann, bob):
    api.post("/v1/messages", text_message(ann, bob))
    for line in server.stderr:
        assert isinstance(json.loads(line), dict), line


def test_logs_hold_no_message_and_no_token(api, server, ann, bob):
    mark = len(server.log)
    token = server.token()
    api.post("/v1/messages", text_message(ann, bob, "a very secret text"), token=token)
    api.post("/v1/messages", text_message(ann, ann, "a very secret text"), token=token)
    api.post("/v1/messages", data=b'{"text": "a very secret text"', token=token)
    api.get(f"/v1/users/{ann}", token=token + "x", headers={"X-Request-Id": "last"})
    server.wait_for_log("request", after=mark, request_id="last")
    written = "\n".join(server.stderr)
    assert "secret text" not in written
    assert token[-43:] not in written
    assert token.split(".")[1] not in written
