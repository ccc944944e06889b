"""The OpenAPI file as the judge of what the server answers."""

import json
import re
import secrets
import subprocess
import sys
import tempfile
import urllib.parse

import jsonschema

from support import ROOT

WRITES = ("PUT", "POST", "PATCH", "DELETE")


def bundled():
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        bundle = str(ROOT / "openapi" / "bundle.py")
        subprocess.run([sys.executable, bundle, file.name], check=True)
        return json.load(file)


def _max_bytes(_validator, limit, value, _schema):
    if isinstance(value, str) and len(value.encode("utf-8", "surrogatepass")) > limit:
        yield jsonschema.ValidationError(f"is longer than {limit} bytes")


def _visible_ascii(_validator, wanted, value, _schema):
    if wanted and isinstance(value, str) and not all("!" <= c <= "~" for c in value):
        yield jsonschema.ValidationError("holds more than visible ASCII")


_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"x-max-bytes": _max_bytes, "x-visible-ascii": _visible_ascii},
)


def _closed(schema):
    """Clients bear with members they do not know; the server under test must not send any."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(item) for name, item in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


class Operation:
    def __init__(self, method, path, spec, parameters):
        self.method = method
        self.path = path
        self.spec = spec
        self.name = spec["operationId"]
        self.parameters = parameters
        self.responses = spec["responses"]

    @property
    def body_schema(self):
        content = self.spec.get("requestBody", {}).get("content", {})
        return content.get("application/json", {}).get("schema")


class Contract:
    def __init__(self):
        self.document = bundled()
        self.errors = self.document["components"]["x-errors"]
        self._closed = {**self.document, **_closed({"components": self.document["components"]})}
        self.operations = {}
        self._paths = []
        for path, item in self.document["paths"].items():
            literals = re.split(r"\{\w+\}", path)
            self._paths.append((re.compile("[^/]+".join(map(re.escape, literals))), path))
            shared = self.resolved_list(item.get("parameters", []))
            for method in ("get", "put", "post", "patch", "delete"):
                if method in item:
                    own = self.resolved_list(item[method].get("parameters", []))
                    one = Operation(method.upper(), path, item[method], shared + own)
                    self.operations[one.method, path] = one

    def resolved(self, value):
        """What a reference names; members beside it win."""
        while isinstance(value, dict) and "$ref" in value:
            target = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            value = {**target, **{name: item for name, item in value.items() if name != "$ref"}}
        return value

    def resolved_list(self, values):
        return [self.resolved(value) for value in values]

    def paths_of(self, target):
        """The templates that a raw path matches; literal ones first."""
        found = [path for pattern, path in self._paths if pattern.fullmatch(target)]
        return sorted(found, key=lambda path: path.count("{"))

    # -- schemas

    def violations(self, schema, value, closed=False):
        document = self._closed if closed else self.document
        schema = _closed(schema) if closed else schema
        resolver = jsonschema.RefResolver("", document)
        validator = _Validator(schema, resolver=resolver)
        return [
            f"/{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
            for error in validator.iter_errors(value)
        ]

    # -- replies

    def check_reply(self, method, target, reply):
        """Fails unless the reply is one that the file promises for this request."""
        paths = self.paths_of(target)
        asked = "GET" if method == "HEAD" else method
        known = [self.operations[asked, path] for path in paths if (asked, path) in self.operations]
        operation = known[0] if known else None
        told = f"{method} {target} answered {reply.status}"
        assert reply.headers.get_all("X-Request-Id"), f"{told} without X-Request-Id"
        if operation is None:
            self._check_without_operation(told, paths, reply)
            return
        response = operation.responses.get(str(reply.status))
        assert response is not None, f"{told}, which {operation.name} does not list: {reply}"
        self._check_headers(told, response, reply)
        if method == "HEAD" or "content" not in response:
            assert reply.body == b"", f"{told} with a body"
            return
        self._check_body(told, operation, response, reply)

    def _check_without_operation(self, told, paths, reply):
        problem = self._check_problem(told, reply)
        expected = {
            code
            for code, error in self.errors.items()
            if error["met_by"] in ("any", "body")
            or code == ("method_not_allowed" if paths else "route_unknown")
        }
        assert problem["code"] in expected, f"{told} and {problem['code']}: {reply}"
        if problem["code"] == "method_not_allowed":
            methods = {m for m, known in self.operations if known in paths}
            allow = {word.strip() for word in reply.headers.get("Allow", "").split(",")}
            assert allow - {"HEAD"} == methods, f"{told}; Allow: {reply.headers.get('Allow')}"

    def _check_headers(self, told, response, reply):
        for name, header in response.get("headers", {}).items():
            header = self.resolved(header)
            value = reply.headers.get(name)
            if value is None:
                assert not header.get("required"), f"{told} without {name}: {reply}"
                continue
            faults = self.violations(header["schema"], value)
            assert not faults, f"{told}; {name}: {value}: {faults}"

    def _check_body(self, told, operation, response, reply):
        media_type = reply.headers.get("Content-Type", "")
        content = response.get("content", {})
        known = [known for known in content if media_type.split(";")[0] == known.split(";")[0]]
        assert known, f"{told} as {media_type or 'nothing'}, not {list(content)}"
        if "x-error-codes" in response:
            problem = self._check_problem(told, reply)
            assert problem["code"] in response["x-error-codes"], (
                f"{told} with {problem['code']}, which {operation.name} does not list there"
            )
            if operation.method in WRITES:
                assert "outcome" in problem, f"{told} without an outcome: {reply}"
        elif known[0] == "application/json":
            faults = self.violations(content[known[0]]["schema"], reply.json, closed=True)
            assert not faults, f"{told}: {faults}: {reply}"
        elif known[0] == "application/x-ndjson":
            for line in reply.lines:
                faults = self.violations(content[known[0]]["schema"], line, closed=True)
                assert not faults, f"{told}: {faults}: {line}"

    def _check_problem(self, told, reply):
        media_type = reply.headers.get("Content-Type", "")
        assert media_type.split(";")[0] == "application/problem+json", (
            f"{told} as {media_type}: {reply}"
        )
        problem = reply.json
        faults = self.violations(
            {"$ref": "#/components/schemas/Problem"}, problem, closed=True
        )
        assert not faults, f"{told}: {faults}: {reply}"
        error = self.errors[problem["code"]]
        expected = {
            "status": error["status"],
            "title": error["title"],
            "type": f"/problems/{problem['code']}",
            "request_id": reply.headers["X-Request-Id"],
            "retryable": error["status"] in (429, 503) or problem["code"] == "idempotency_key_in_use",
        }
        assert reply.status == error["status"], f"{told} with {problem['code']}"
        differing = {name: problem[name] for name in expected if problem[name] != expected[name]}
        assert not differing, f"{told}: {differing}, not {expected}"
        return problem


def target_of(operation, values):
    """The path and query of a request; `values` by parameter name."""
    path = operation.path
    query = {}
    for parameter in operation.parameters:
        name = parameter["name"]
        if name not in values:
            continue
        if parameter["in"] == "path":
            path = path.replace("{" + name + "}", urllib.parse.quote(str(values[name]), safe=""))
        elif parameter["in"] == "query":
            value = values[name]
            query[name] = str(value).lower() if isinstance(value, bool) else value
    return path + ("?" + urllib.parse.urlencode(query) if query else "")


def about(value, names):
    """An example of the OpenAPI file, about other users than alice and bob."""
    if isinstance(value, dict):
        return {name: about(item, names) for name, item in value.items()}
    if isinstance(value, list):
        return [about(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def first_example(operation, names, message):
    """What the OpenAPI file's first example of an operation asks for, about users of these names and
    this message: values of its path, body, headers. So a route that is new is called too."""
    values = {
        one["name"]: about(one["example"], names)
        for one in operation.parameters
        if one["in"] == "path"
    }
    if "id" in values and "/messages/" in operation.path:
        values["id"] = message
    body = None
    if operation.body_schema is not None:
        examples = operation.spec["requestBody"]["content"]["application/json"]["examples"]
        body = about(next(iter(examples.values()))["value"], names)
    headers = {
        one["name"]: secrets.token_hex(8) if one["name"] == "Idempotency-Key" else one["example"]
        for one in operation.parameters
        if one["in"] == "header" and "example" in one
    }
    return values, body, headers
