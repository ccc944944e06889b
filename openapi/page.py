#!/usr/bin/python3
"""Makes a page for people of the OpenAPI document: page.py OPENAPI.json OUT.html

The page stands alone: no script, nothing fetched. The same document gives the same bytes.
"""

import json
import pathlib
import shlex
import sys

import jinja2
import markdown
import markupsafe

HERE = pathlib.Path(__file__).resolve().parent
METHODS = ("get", "put", "post", "patch", "delete")
# What a schema allows, in words.
LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "x-max-bytes": "at most {} bytes",
    "minimum": "from {}",
    "maximum": "to {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "maxProperties": "at most {} members",
    "pattern": "matches `{}`",
    "default": "default `{}`",
}


class Page:
    def __init__(self, document):
        self.document = document

    def named(self, value):
        """`value`, or what it refers to."""
        while "$ref" in value:
            _, section, name = value["$ref"].rsplit("/", 2)
            value = {**self.document["components"][section][name], **value, "$ref": None}
            del value["$ref"]
        return value

    def kind(self, schema):
        """The type of a schema in words; a link where it has a name."""
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[1]
            return markupsafe.Markup('<a href="#schema-{0}">{0}</a>').format(name)
        for joined in ("anyOf", "oneOf"):
            if joined in schema:
                return markupsafe.Markup(" or ").join(self.kind(one) for one in schema[joined])
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            return ", ".join(json.dumps(value) for value in schema["enum"])
        kind = schema.get("type", "any")
        if kind == "array":
            return markupsafe.Markup("list of {}").format(self.kind(schema.get("items", {})))
        if isinstance(kind, list):
            return " or ".join(kind)
        return schema.get("format", kind)

    def limits(self, schema):
        said = [
            text.format(json.dumps(schema[name]) if name == "default" else schema[name])
            for name, text in LIMITS.items()
            if name in schema
        ]
        if isinstance(schema.get("items"), dict) and "$ref" not in schema["items"]:
            said += [f"each {text}" for text in self.limits(schema["items"])]
        return said

    def members(self, schema, above=""):
        """Every member of an object and of the nameless objects in it, as rows of a table."""
        required = schema.get("required", [])
        for name, member in schema.get("properties", {}).items():
            yield {
                "name": above + name,
                "kind": self.kind(member),
                "limits": self.limits(member),
                "required": name in required,
                "description": member.get("description", ""),
            }
            inner = member.get("items", member)
            yield from self.members(inner, f"{above}{name}{'[]' if 'items' in member else ''}.")
        for part in schema.get("allOf", []):
            yield from self.members(self.named(part), above)

    def parameters(self, item, method):
        listed = item.get("parameters", []) + item[method].get("parameters", [])
        return [self.named(parameter) for parameter in listed]

    def operations(self, tag):
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item and tag in item[method]["tags"]:
                    yield {
                        **item[method],
                        "method": method.upper(),
                        "path": path,
                        "parameters": [
                            {"required": False, "description": "", **parameter}
                            for parameter in self.parameters(item, method)
                        ],
                        "curl": list(self.commands(method, path, item)),
                    }

    def commands(self, method, path, item):
        """The operation's examples as curl commands."""
        operation = item[method]
        for parameter in self.parameters(item, method):
            if parameter["in"] == "path":
                path = path.replace("{" + parameter["name"] + "}", str(parameter["example"]))
        words = ["curl", "-sS"]
        if operation["x-scope"] != "public":
            words.append('-H "Authorization: Bearer $TOKEN"')
        if method != "get":
            words.append(f"-X {method.upper()}")
        address = shlex.quote("http://127.0.0.1:8080" + path)
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            yield {"summary": "", "text": " ".join([*words, address])}
            return
        for example in content["examples"].values():
            body = shlex.quote(json.dumps(example["value"], ensure_ascii=False, indent=2))
            yield {
                "summary": example.get("summary", ""),
                "text": " ".join(
                    [*words, "-H 'Content-Type: application/json'", address, f"\\\n  -d {body}"]
                ),
            }


def as_html(text):
    return markupsafe.Markup(markdown.markdown(text))


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    document = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["markdown"] = as_html
    templates.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False, indent=2)
    html = templates.get_template("page.html").render(document=document, page=Page(document))
    pathlib.Path(sys.argv[2]).write_text(html + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
