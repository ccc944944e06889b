"""The judge of all replies is no rubber stamp: what the file does not promise, it refuses."""

import email.message
import json

import pytest

from support.client import Reply
from support.contract import Contract

CONTRACT = Contract()
USER = CONTRACT.document["paths"]["/v1/users/{user}"]["get"]["responses"]["200"]["content"][
    "application/json"
]["examples"]["full"]["value"]
PROBLEM = {
    "type": "/problems/user_unknown",
    "title": "No user has this id.",
    "status": 404,
    "code": "user_unknown",
    "request_id": "r1",
    "retryable": False,
}


def reply(status, body, media_type="application/json", **headers):
    fields = email.message.Message()
    fields["Content-Type"] = media_type
    fields["X-Request-Id"] = "r1"
    if status == 200:
        fields["ETag"] = f'W/"{"0" * 32}"'
    for name, value in headers.items():
        fields[name.replace("_", "-")] = value
    return Reply(status, fields, json.dumps(body).encode())


def problem(status=404, **changed):
    document = {**PROBLEM, **changed}
    document = {name: value for name, value in document.items() if value is not None}
    return reply(status, document, "application/problem+json")


def check(one, method="GET", target="/v1/users/alice"):
    CONTRACT.check_reply(method, target, one)


@pytest.mark.parametrize("one", [reply(200, USER), problem()])
def test_a_promised_reply_passes(one):
    check(one)


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(reply(200, {**USER, "age": 3}), id="a member too many"),
        pytest.param(reply(200, {**USER, "nick": None}), id="a member of the wrong type"),
        pytest.param(
            reply(200, {name: USER[name] for name in USER if name != "level"}), id="one missing"
        ),
        pytest.param(reply(200, {**USER, "created_at": "yesterday"}), id="a time that is none"),
        pytest.param(reply(200, {**USER, "id": "é" * 33}), id="66 bytes in 33 characters"),
        pytest.param(reply(201, USER, Location="/v1/users/alice"), id="a status not listed"),
        pytest.param(reply(200, USER, "text/html"), id="another media type"),
        pytest.param(problem(title="Nobody."), id="another title"),
        pytest.param(problem(code="message_unknown"), id="a code of another operation"),
        pytest.param(problem(request_id="r2"), id="another request's id"),
        pytest.param(problem(retryable=True), id="a refusal that claims to be retryable"),
        pytest.param(problem(status=403, retryable=None), id="a status beside the code's"),
        pytest.param(reply(404, PROBLEM), id="a problem as plain JSON"),
    ],
)
def test_any_other_reply_fails(one):
    with pytest.raises(AssertionError):
        check(one)


def test_a_refused_write_must_tell_its_outcome():
    refused = {
        **PROBLEM,
        "type": "/problems/invalid_request",
        "title": CONTRACT.errors["invalid_request"]["title"],
        "status": 400,
        "code": "invalid_request",
    }
    with pytest.raises(AssertionError):
        check(reply(400, refused, "application/problem+json"), "PUT")
    told = {**refused, "outcome": "not_applied"}
    check(reply(400, told, "application/problem+json"), "PUT")


def test_a_405_must_allow_what_the_path_knows():
    def refusal(allow):
        body = {
            **PROBLEM,
            "type": "/problems/method_not_allowed",
            "title": CONTRACT.errors["method_not_allowed"]["title"],
            "status": 405,
            "code": "method_not_allowed",
        }
        return reply(405, body, "application/problem+json", Allow=allow)

    check(refusal("POST"), "DELETE", "/v1/messages")
    with pytest.raises(AssertionError):
        check(refusal("GET"), "DELETE", "/v1/messages")
