"""Includes point downward between the layers: http sees ops and base, ops sees store and base,
store sees base, base sees nothing of ours, and main.c alone sees everything. The client library stands
beside them: it sees base and its own header, duet.h, and is seen by nobody; what is built on it sees
duet.h alone."""

import re

from source import TOP, c_files, line_of, name

MAY_INCLUDE = {
    "base": {"base"},
    "store": {"store", "base"},
    "ops": {"ops", "store", "base"},
    "http": {"http", "ops", "base"},
    "client": {"client", "base"},
}
PUBLIC_HEADER = "include/duet.h"
ON_THE_CLIENT = ["src/client/chat.c", "tests/client/driver.c"]
OURS = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


def layer_of(path):
    top, *rest = path.relative_to(TOP).parts
    return rest[0] if top in ("include", "src") and len(rest) > 1 else None


def layer_of_included(path, included):
    """"store/call.h" names its layer; "call_private.h" is the neighbour of the file."""
    first = included.split("/")[0]
    return first if first in MAY_INCLUDE else layer_of(path.parent / included)


def test_no_include_points_upward_between_layers():
    wrong = []
    for path in c_files():
        layer = layer_of(path)
        if layer not in MAY_INCLUDE:
            continue
        text = path.read_text(encoding="utf-8")
        for match in OURS.finditer(text):
            target = layer_of_included(path, match[1])
            if target in MAY_INCLUDE and target not in MAY_INCLUDE[layer]:
                line = line_of(text, match.start())
                wrong.append(f"{name(path)}:{line}: {layer} includes {match[1]}")
    assert not wrong, "\n".join(wrong)


def test_every_source_file_lies_in_a_layer_or_is_main():
    strangers = [
        name(path)
        for path in c_files()
        if path.is_relative_to(TOP / "src") or path.is_relative_to(TOP / "include")
        if layer_of(path) not in MAY_INCLUDE and name(path) not in ("src/main.c", PUBLIC_HEADER)
    ]
    assert not strangers, "\n".join(strangers)


def test_what_is_built_on_the_client_library_sees_its_public_header_alone():
    for file in ON_THE_CLIENT:
        assert OURS.findall((TOP / file).read_text(encoding="utf-8")) == ["duet.h"], file


def test_the_public_header_includes_nothing_of_ours():
    assert OURS.findall((TOP / PUBLIC_HEADER).read_text(encoding="utf-8")) == []


def test_the_server_does_not_see_the_client():
    wrong = [
        name(path)
        for path in c_files()
        if layer_of(path) in MAY_INCLUDE and layer_of(path) != "client"
        if "duet.h" in OURS.findall(path.read_text(encoding="utf-8"))
    ]
    assert not wrong, "\n".join(wrong)
