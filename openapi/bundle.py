#!/usr/bin/python3
"""Makes one OpenAPI document of the files beside this one: bundle.py OUT.json

References into components/ become #/components/…; other references are replaced by what they name.
The responses that operations share are written into each of them from components/errors.yaml. The
same files give the same bytes.
"""

import json
import pathlib
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
BODY_METHODS = ("put", "post", "patch")
IDEMPOTENCY_KEY = "#/components/parameters/IdempotencyKey"
METHODS = ("get", "delete") + BODY_METHODS


class Loader(yaml.SafeLoader):
    """A name that stands twice, as a merge may leave it, is a mistake and not the last one's."""

    def construct_mapping(self, node, deep=False):
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise SystemExit(f"{name} stands twice:\n{node.start_mark}")
        return super().construct_mapping(node, deep)


class Bundle:
    def __init__(self):
        self.files = {}
        self.components = {}
        self.origins = {}

    def read(self, path):
        if path not in self.files:
            self.files[path] = yaml.load(path.open(encoding="utf-8"), Loader)
        return self.files[path]

    def named(self, path, fragment):
        value = self.read(path)
        for part in fragment.strip("/").split("/"):
            if part not in value:
                raise SystemExit(f"{path}: there is no #{fragment}")
            value = value[part]
        return value

    def resolve(self, value, path):
        """`value`, which stands in the file `path`, without references to files."""
        if isinstance(value, list):
            return [self.resolve(item, path) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" not in value:
            return {name: self.resolve(item, path) for name, item in value.items()}
        file, _, fragment = value["$ref"].partition("#")
        target = (path.parent / file).resolve() if file else path
        if target.parent.name != "components":
            return self.resolve(self.named(target, fragment), target)
        beside = {name: self.resolve(item, path) for name, item in value.items() if name != "$ref"}
        return {"$ref": self.component(target, fragment), **beside}

    def component(self, path, fragment):
        _, section, name = fragment.split("/")
        if self.origins.setdefault((section, name), path) != path:
            raise SystemExit(f"{path}: {self.origins[section, name]} has a {section}/{name} too")
        made = self.components.setdefault(section, {})
        if name not in made:
            made[name] = None  # a component may refer to itself
            made[name] = self.resolve(self.named(path, fragment), path)
        return f"#/components/{section}/{name}"


def codes_of(operation, method, errors):
    """Every code the operation may answer with."""
    met = {"any"}
    if operation["x-scope"] != "public":
        met.add("token")
    if method in BODY_METHODS:
        met.add("body")
    if {"$ref": IDEMPOTENCY_KEY} in operation.get("parameters", []):
        met.add("key")
    unknown = set(operation["x-errors"]) - set(errors)
    if unknown:
        raise SystemExit(f"{operation['operationId']}: errors.yaml has no {sorted(unknown)}")
    return [
        code
        for code, error in errors.items()
        if error["met_by"] in met or code in operation["x-errors"]
    ]


def problem_response(codes, errors):
    return {
        "description": "\n".join(f"- `{code}`: {errors[code]['title']}" for code in codes),
        "x-error-codes": codes,
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }


def add_shared_responses(operation, method, errors, headers):
    by_status = {}
    for code in codes_of(operation, method, errors):
        by_status.setdefault(errors[code]["status"], []).append(code)
    responses = operation["responses"]
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = problem_response(codes, errors)
    for status, response in responses.items():
        own = response.get("headers", {})
        shared = {**headers.get("any", {}), **headers.get(status, {})}
        if operation["x-scope"] != "public":
            shared.update(headers["token"])
        response["headers"] = {**shared, **own}


def bundle():
    one = Bundle()
    common = HERE / "components" / "common.yaml"
    document = one.resolve(one.read(HERE / "duet.yaml"), HERE / "duet.yaml")
    errors = one.read(HERE / "components" / "errors.yaml")
    one.component(HERE / "components" / "problems.yaml", "/schemas/Problem")
    one.components["schemas"]["ErrorCode"]["enum"] = sorted(errors)

    headers = {}
    for status, header, component in (
        ("any", "X-Request-Id", "RequestId"),
        ("token", "RateLimit-Policy", "RateLimitPolicy"),
        ("token", "RateLimit", "RateLimit"),
        ("401", "WWW-Authenticate", "WwwAuthenticate"),
        ("429", "Retry-After", "RetryAfter"),
        ("503", "Retry-After", "RetryAfter"),
    ):
        reference = {"$ref": one.component(common, f"/headers/{component}")}
        headers.setdefault(status, {})[header] = reference
    for item in document["paths"].values():
        for method in METHODS:
            if method in item:
                add_shared_responses(item[method], method, errors, headers)

    for section, components in one.components.items():
        ours = document["components"].setdefault(section, {})
        ours.update(sorted(components.items()))
    document["components"]["x-errors"] = errors
    return document


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    text = json.dumps(bundle(), ensure_ascii=False, separators=(",", ":"))
    pathlib.Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
