"""Every published vector, against the server: what its `given` says is set up, and the answer is held to
its types and values. Wording is never compared. Those of webhooks are not among them: the server makes no
calls to the app's own server, as docs/migrating.md says."""

import json
import pathlib
import re
import time

import pytest

import given
from usersig import APP_ID, usersig

FOLDER = pathlib.Path(__file__).parent / "vectors"
# The vectors tell of a day long past; here it is two hours ago.
THEN = 1767225600
SHIFT = int(time.time()) // 3600 * 3600 - 2 * 3600 - THEN

# Vectors that another one contradicts, or that ask for what is not there, with what we answer instead.
CHOSEN = {
    "im_get_attr_name_not_admin": 60010,
    "sendmsg_not_admin": 60010,  # as common-errors has it: the front door answers before the service
}
SKIPPED = {
    "sendmsg_blocked_by_webhook": "the server calls no webhooks",
}

# What a vector shows and its notes call unconfirmed, as we have it.
ALTERED = {
    # The contents of a recalled message are gone.
    "admin_getroammsg_page2": lambda answer, actual: answer["MsgList"][0].update(MsgBody=[]),
    # The first character is mark 0.
    "search_contact_group": lambda answer, actual: answer["ContactResultItem"][0].update(StandardMark="1"),
    "get_contact_group": lambda answer, actual: answer["ContactItem"][0].update(StandardMark="1"),
    "get_list_marks": lambda answer, actual: answer["SessionItem"][0].update(StandardMark="1"),
}

def numbers(answer, actual):
    """Each day's numbers are texts; what they are is not the vector's to say."""
    assert actual["Result"], actual
    for day in actual["Result"]:
        assert day.keys() == answer["Result"][0].keys()
        assert all(isinstance(value, str) for value in day.values()), day
        assert re.fullmatch(r"\d{8}", day["Date"])
    answer["Result"] = actual["Result"]


ALTERED["getappinfo"] = numbers
# It calls no webhooks.
ALTERED["get_ip_list"] = lambda answer, actual: answer.update(IPList=[])

WORDING = {"ErrorInfo", "ResultInfo", "ErrorDisplay"}


def shifted(match):
    number = int(match[0])
    return str(number + SHIFT) if number >= THEN - 86400 else match[0]


def vectors():
    for path in sorted(FOLDER.glob("*.json")):
        if path.stem in ("elements", "usersig"):
            continue
        text = re.sub(r"(?<!\d)17\d{8}(?!\d)", shifted, path.read_text(encoding="utf-8"))
        for vector in json.loads(text)["vectors"]:
            yield pytest.param(vector, id=f"{path.stem}-{vector['id']}")


PLACEHOLDERS = {
    "<501 bytes>": "x" * 501,
    "<more than the maximum number of bytes>": "x" * 13000,
}
LISTS = {
    "<501 names>": [f"name{i}" for i in range(501)],
    "<101 names>": [f"name{i}" for i in range(101)],
    "<101 entries>": [{"To_Account": f"name{i}", "Tags": ["t"]} for i in range(101)],
    "<31 keys>": [f"{i}_{i}_{THEN}" for i in range(31)],
}


def filled(value):
    if isinstance(value, dict):
        return {name: filled(member) for name, member in value.items()}
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], str) and value[0] in LISTS:
            return LISTS[value[0]]
        return [filled(member) for member in value]
    return PLACEHOLDERS.get(value, value) if isinstance(value, str) else value


SIGNATURES = {
    "<ok>": lambda: usersig("administrator"),
    "<ok for alice>": lambda: usersig("alice"),
    "<expired>": lambda: usersig("administrator", made_at=1700000000),
    "<other key>": lambda: usersig("administrator", key="f" * 64),
    "<made for bob>": lambda: usersig("bob"),
    "<made for 1400000002>": lambda: usersig("administrator", app_id=1400000002),
}


def query_of(vector, v4):
    text = vector.get("query")
    if "not_admin" in vector["id"] and not text:
        return v4.query("alice", usersig("alice"))
    if text is None:
        return None
    text = text.replace("1400000001", str(APP_ID))
    for placeholder, make in SIGNATURES.items():
        text = text.replace(placeholder, make())
    return text


def check_text(shape, value):
    if shape.startswith("^"):
        assert re.search(shape, str(value)), (shape, value)
    elif shape == "unix seconds":
        assert isinstance(value, int) and abs(value - time.time()) < 60
    elif shape == "number":
        assert isinstance(value, int)
    else:
        assert isinstance(value, str)


def ordered(path, members):
    """Lists whose order says nothing, by what names their members."""
    for name in ("Tag", "GroupName"):
        if members and all(isinstance(one, dict) and name in one for one in members):
            return sorted(members, key=lambda one: one[name])
    if path.rpartition("/")[2] in ("Value", "Tags"):
        return sorted(members)
    return members


def check(expected, actual, dynamic, path=""):
    """`actual` may hold more; an empty list may be left out."""
    assert type(expected) is type(actual), (path, expected, actual)
    if isinstance(expected, dict):
        for name, value in expected.items():
            here = f"{path}/{name}"
            if name in dynamic and (name in actual or "left out" not in dynamic[name]):
                check_text(dynamic[name], actual[name])
            elif name in dynamic or (value == [] and name not in actual):
                continue
            else:
                assert name in actual, (here, actual)
                check(value, actual[name], dynamic, here)
    elif isinstance(expected, list):
        expected, actual = ordered(path, expected), ordered(path, actual)
        assert len(expected) == len(actual), (path, expected, actual)
        for i, value in enumerate(expected):
            check(value, actual[i], dynamic, f"{path}/{i}")
    elif path.rpartition("/")[2] not in WORDING:
        assert expected == actual, path


@pytest.mark.parametrize("vector", vectors())
def test_the_server_answers_as_published(vector, v4, api, world):
    if vector["id"] in SKIPPED:
        pytest.skip(SKIPPED[vector["id"]])
    endpoint = vector["endpoint"].removeprefix("v4/")
    request = filled(vector.get("request"))
    world.make_accounts(vector)
    given.set_up(vector["id"], world)
    request = given.REQUESTS.get(vector["id"], lambda world, request: request)(world, request)
    if vector["id"] in given.SERVERS:
        v4 = world.own_server(given.SERVERS[vector["id"]])
    answer = v4.post(endpoint, request, query_of(vector, v4), vector.get("raw_request"))
    if vector["id"] in given.REPEATED:
        answer = v4.post(endpoint, request, query_of(vector, v4))
    expected = vector["response"]
    if vector["id"] in CHOSEN:
        expected = {"ErrorCode": CHOSEN[vector["id"]]}
    ALTERED.get(vector["id"], lambda answer, actual: None)(expected, answer)
    dynamic = {**vector.get("dynamic", {}), **given.DYNAMIC.get(vector["id"], {})}
    check(expected, answer, dynamic)
