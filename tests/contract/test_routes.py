"""What the program says of itself (`duetd routes`) and what the OpenAPI file promises are one, both
ways: routes, scopes, statuses, error codes, and every field with its kind, limits and defaults."""

import json

import pytest

from support.contract import Contract
from support.server import run_duetd

CONTRACT = Contract()
PLACES = {"path": "path", "query": "query", "header": "header"}


@pytest.fixture(scope="module")
def described():
    done = run_duetd("routes")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def routes(described):
    return {route["operation"]: route for route in described["routes"]}


OPERATIONS = sorted(CONTRACT.operations.values(), key=lambda operation: operation.name)
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)


# -- a schema as the field table that it should be


def without_null(schema):
    """`null` is told by the schemas only: to the tables it is the same as absent."""
    schema = CONTRACT.resolved(schema)
    if "anyOf" in schema:
        (schema,) = [one for one in schema["anyOf"] if one.get("type") != "null"]
        schema = CONTRACT.resolved(schema)
    if isinstance(schema.get("type"), list):
        (kind,) = [kind for kind in schema["type"] if kind != "null"]
        schema = {**schema, "type": kind}
    return schema


def is_message_id(schema):
    return without_null(schema) == CONTRACT.resolved({"$ref": "#/components/schemas/MessageId"})


def variants_of(items, as_request):
    variants = {}
    for one in CONTRACT.resolved(items)["oneOf"]:
        one = CONTRACT.resolved(one)
        name = one["properties"]["type"]["const"]
        variants[name] = fields_of(one, as_request, without=("type",))
    return variants


def text_field(schema):
    if "enum" in schema:
        # null is told by the type.
        return {"kind": "text", "one_of": [one for one in schema["enum"] if one is not None]}
    if schema.get("format") == "date-time":
        return {"kind": "time"}
    if "x-max-bytes" in schema:
        assert schema["maxLength"] == schema["x-max-bytes"], schema
    return {"kind": "text", "min": schema.get("minLength"), "max": schema.get("x-max-bytes")}


def array_field(schema, as_request):
    limits = {"min": schema.get("minItems"), "max": schema.get("maxItems")}
    items = CONTRACT.resolved(schema["items"])
    if items.get("type") == "string":
        longest = {"max_value_bytes": items.get("x-max-bytes"), "one_of": items.get("enum")}
        return {"kind": "texts", **longest, **limits}
    if "oneOf" in items and "properties" not in items:
        return {"kind": "variants", "variants": variants_of(items, as_request), **limits}
    return {"kind": "list", "fields": fields_of(items, as_request), **limits}


def object_field(schema, as_request):
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        longest = values["x-max-bytes"]
        return {"kind": "map", "max": schema["maxProperties"], "max_value_bytes": longest}
    return {"kind": "object", "fields": fields_of(schema, as_request)}


def field_of(schema, as_request):
    schema = without_null(schema)
    if is_message_id(schema):
        return {"kind": "message_id"}
    if schema.get("x-json"):
        return {"kind": "json"}
    limits = {"min": schema.get("minimum"), "max": schema.get("maximum")}
    field = {
        "string": lambda: text_field(schema),
        "integer": lambda: {"kind": "int", **limits},
        "number": lambda: {"kind": "real", **limits},
        "boolean": lambda: {"kind": "bool"},
        "array": lambda: array_field(schema, as_request),
        "object": lambda: object_field(schema, as_request),
    }[schema["type"]]()
    if as_request and "default" in schema:
        field["default"] = schema["default"]
    return field


def fields_of(schema, as_request, without=()):
    schema = CONTRACT.resolved(schema)
    fields = {}
    for name, one in schema["properties"].items():
        # What is told alone is no field of a request, and what elements are made of is one table for both.
        if name in without or CONTRACT.resolved(one).get("readOnly"):
            continue
        field = field_of(one, as_request)
        if as_request:
            field = {**field, "from": "body", "required": name in schema.get("required", [])}
        fields[name] = field
    return fields


def request_fields(operation):
    fields = {}
    for parameter in operation.parameters:
        fields[parameter["name"]] = {
            **field_of(parameter["schema"], True),
            "from": PLACES[parameter["in"]],
            "required": parameter.get("required", False),
        }
    if operation.body_schema:
        fields.update(fields_of(operation.body_schema, True))
    return fields


# -- a field table as JSON, in the same shape


def told_field(field, as_request):
    told = {name: value for name, value in field.items() if name not in ("name", "header")}
    if "fields" in told:
        told["fields"] = told_fields(told["fields"], as_request)
    if "variants" in told:
        told["variants"] = {
            name: told_fields(fields, as_request) for name, fields in told["variants"].items()
        }
    return told


def told_fields(fields, as_request):
    """By the name that a client uses: for a header, the header's."""
    return {field.get("header", field["name"]): told_field(field, as_request) for field in fields}


def pruned(field, as_request):
    """Limits bind requests only, and a limit of none is no limit."""
    ignored = () if as_request else ("min", "max", "max_value_bytes", "from", "required", "default")
    kept = {}
    for name, value in field.items():
        if value is None or name in ignored:
            continue
        if name == "fields":
            value = {inner: pruned(one, as_request) for inner, one in value.items()}
        if name == "variants":
            value = {
                variant: {inner: pruned(one, as_request) for inner, one in fields.items()}
                for variant, fields in value.items()
            }
        kept[name] = value
    return kept


def compare(told, promised, as_request):
    told = {name: pruned(field, as_request) for name, field in told.items()}
    promised = {name: pruned(field, as_request) for name, field in promised.items()}
    assert told.keys() == promised.keys()
    differing = {
        name: {"duetd": told[name], "openapi": promised[name]}
        for name in told
        if told[name] != promised[name]
    }
    assert not differing, json.dumps(differing, indent=2, ensure_ascii=False)


# -- the tests


def test_every_route_is_in_the_openapi_file_and_no_other(described):
    routes = described["routes"]
    told = {(route["method"], route["path"], route["operation"]) for route in routes}
    assert len(told) == len(routes)
    promised = {(one.method, one.path, one.name) for one in OPERATIONS}
    assert told == promised


def test_every_error_is_in_the_openapi_file_and_no_other(described):
    told = {error["code"]: (error["status"], error["title"]) for error in described["errors"]}
    promised = {
        code: (error["status"], error["title"]) for code, error in CONTRACT.errors.items()
    }
    assert told == promised


@each_operation
def test_scope_and_what_a_user_token_may_do_agree(routes, operation):
    route = routes[operation.name]
    assert route["scope"] == operation.spec["x-scope"]
    assert route["own"] == operation.spec["x-user-token"]
    assert (operation.spec.get("security") == []) == (route["scope"] == "public")


# Told by `sent_by` of the message itself, so that the audit does not slow sending.
TOLD_ELSEWHERE = {"message_send"}
# With a list that is too long for an address.
READ_BY_POST = {"friend_check", "block_check", "presence_list", "user_tag_query"}


@each_operation
def test_every_write_is_audited_and_no_read(routes, operation):
    writes = operation.method != "GET" and operation.name not in TOLD_ELSEWHERE | READ_BY_POST
    assert routes[operation.name]["audit"] == writes


@each_operation
def test_success_statuses_agree(routes, operation):
    success = {status for status in operation.responses if status.startswith("2")}
    told = str(routes[operation.name]["success"])
    assert told in success
    # A part of a file can be asked for, and of what is made a second one may be the first.
    assert success - {told} <= ({"206"} if routes[operation.name]["file"] else {"200"})


@each_operation
def test_what_can_be_followed_as_a_stream_is_told(routes, operation):
    content = operation.responses[str(routes[operation.name]["success"])].get("content", {})
    assert routes[operation.name]["follows"] == ("text/event-stream" in content)


@each_operation
def test_error_codes_agree(routes, operation):
    told = set(routes[operation.name]["refuses"])
    promised = set(operation.spec["x-errors"])
    shared = {code for code, error in CONTRACT.errors.items() if error["met_by"] != "named"}
    assert told - shared == promised - shared
    assert told <= {
        code
        for response in operation.responses.values()
        for code in response.get("x-error-codes", [])
    }


@each_operation
def test_request_fields_agree(routes, operation):
    told = told_fields(routes[operation.name]["in"], as_request=True)
    compare(told, request_fields(operation), as_request=True)


@each_operation
def test_reply_fields_agree(routes, operation):
    success = str(routes[operation.name]["success"])
    content = operation.responses[success].get("content", {})
    if "application/x-ndjson" in content:
        # Its lines are not all alike; each is held against its schema when it comes.
        assert routes[operation.name]["out"]
        return
    told = told_fields(routes[operation.name]["out"], as_request=False)
    if "application/json" not in content or not told:
        # What is no record, such as the metrics or this document itself, has no field table.
        assert not told
        return
    promised = fields_of(content["application/json"]["schema"], as_request=False)
    compare(told, promised, as_request=False)


@each_operation
def test_request_schemas_refuse_unknown_members(operation):
    def closed(schema):
        schema = CONTRACT.resolved(schema)
        inner = list(schema.get("properties", {}).values()) + schema.get("oneOf", [])
        inner += [schema["items"]] if "items" in schema else []
        inner = [one for one in inner if "required" not in one or "type" in one]
        own = "properties" not in schema or schema.get("additionalProperties") is False
        return own and all(closed(one) for one in inner)

    assert operation.body_schema is None or closed(operation.body_schema)
