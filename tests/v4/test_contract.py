"""openapi/v4.yaml, the tables of the program, the vectors and the numbers of errors say the same."""

import json
import pathlib
import re

import pytest
import yaml

from support import ROOT
from support.server import run_duetd

FILE = yaml.safe_load((ROOT / "openapi/v4.yaml").read_text(encoding="utf-8"))
VECTORS = pathlib.Path(__file__).parent / "vectors"
KINDS = {
    "text": {"type": "string"},
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "map": {"type": "object"},
    "elements": {"$ref": "#/components/schemas/MsgBody"},
    "any": {},
}
# What is another name of a command that is there.
OTHER_NAMES = {"openim/querystate"}


@pytest.fixture(scope="module")
def told():
    done = run_duetd("routes")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def commands(told):
    return {f"{one['service']}/{one['command']}": one for one in told["v4"]}


def schema_of(field, as_request):
    """A row of a table as the schema that the file should have."""
    schema = dict(KINDS.get(field["kind"], {}))
    if field["kind"] == "object":
        schema = object_of(field["fields"], as_request) if "fields" in field else {"type": "object"}
    if field["kind"] == "list":
        items = object_of(field["fields"], as_request) if "fields" in field else {"type": "object"}
        schema = {"type": "array", "items": items}
    if "also" in field:
        schema["x-also"] = field["also"]
    if as_request:
        limit = {"int": "maximum", "text": "x-max-bytes", "texts": "maxItems", "list": "maxItems"}
        if "max" in field and field["kind"] in limit:
            schema[limit[field["kind"]]] = field["max"]
        if "code" in field:
            schema["x-error"] = field["code"]
        if "limit_code" in field:
            schema["x-limit-error"] = field["limit_code"]
    return schema


def object_of(fields, as_request):
    schema = {"type": "object"}
    required = [field["name"] for field in fields if field["required"]]
    if as_request and required:
        schema["required"] = required
    if fields:
        schema["properties"] = {field["name"]: schema_of(field, as_request) for field in fields}
    return schema


def paths():
    return {path.removeprefix("/v4/"): item["post"] for path, item in FILE["paths"].items()}


def test_the_file_and_the_program_have_the_same_commands(commands):
    assert set(paths()) == set(commands)


def test_the_vectors_and_the_program_have_the_same_commands(commands):
    named = set()
    for path in VECTORS.glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        for vector in document.get("vectors", []):
            named.add(vector.get("endpoint", "").removeprefix("v4/"))
    assert named - {"", "openim/no_such_command"} == set(commands)
    assert len(set(commands) - OTHER_NAMES) == 58


def test_the_guide_and_the_program_have_the_same_commands(commands):
    guide = (ROOT / "docs/migrating.md").read_text(encoding="utf-8")
    named = [
        f"{service}/{command}"
        for service, cell in re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|$", guide, re.MULTILINE)
        for command in re.findall(r"\w+", cell)
    ]
    assert sorted(named) == sorted(set(commands) - OTHER_NAMES)


@pytest.mark.parametrize("name", sorted(paths()))
def test_fields_agree(commands, name):
    spec = paths()[name]
    command = commands[name]
    assert spec["x-operations"] == command["operations"]
    body = spec["requestBody"]["content"]["application/json"]["schema"]
    assert body == object_of(command["in"], True)
    answer = spec["responses"]["200"]["content"]["application/json"]["schema"]["allOf"]
    assert answer[0] == {"$ref": "#/components/schemas/Envelope"}
    assert (answer[1:] or [{"type": "object"}]) == [object_of(command["out"], False)]


def test_each_command_calls_operations_that_are_there(told, commands):
    known = {route["operation"] for route in told["routes"]}
    for command in commands.values():
        assert set(command["operations"]) <= known


# ---- numbers ----


def numbers():
    lines = (pathlib.Path(__file__).parent / "errors.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t") for line in lines]


DEFINED = (ROOT / "include/http/v4/errors.def").read_text(encoding="utf-8")


def told_numbers():
    found = set()
    for arguments in re.findall(r"^(?:FAMILY|ERROR|NUMBER)\((.*)\)$", DEFINED, re.MULTILINE):
        found |= {int(number) for number in re.findall(r"\b\d{4,6}\b", arguments)}
    return found


def test_each_error_of_v1_has_a_number(told):
    rows = re.findall(r"^ERROR\((\w+),", DEFINED, re.MULTILINE)
    assert {row.lower() for row in rows} == {error["code"] for error in told["errors"]}
    assert len(rows) == len(set(rows))


def test_each_number_that_is_answered_has_an_error_of_v1():
    text = "".join(path.read_text() for path in (ROOT / "src/http/v4").glob("*.c"))
    answered = {int(number) for number in re.findall(r"\b(?:[2-9]\d{4}|1[03]00?\d\d|1[0-9]{5})\b", text)}
    known = {int(number) for number, *_ in numbers() if number.isdigit()}
    assert answered & known <= told_numbers()


def test_each_number_that_is_published_is_answered_or_has_a_reason():
    known = {int(number) for number, *_ in numbers() if number.isdigit()} - {0}
    missing = (ROOT / "docs/migrating.md").read_text(encoding="utf-8").partition("## Numbers that are never answered")[2]
    explained = set()
    for group in re.findall(r"\(([\d–,\s]+)\)", missing):
        for first, last in re.findall(r"\b(\d{4,6})(?:–(\d{4,6}))?\b", group):
            explained |= set(range(int(first), int(last or first) + 1))
    assert known <= told_numbers() | explained
    assert not told_numbers() & explained
