#!/usr/bin/env python3
"""Writes a C file that holds other files as text, so that the program is one binary.

    embed.py sql  OUT.c FILE...    src/store: every file of sql/, by its name below sql/
    embed.py docs OUT.c FILE...    src/ops: the OpenAPI document and its page, each as NAME_SUFFIX, also compressed
"""
import gzip
import pathlib
import sys


def c_string(data: bytes) -> str:
    """One C literal a line; '?' is escaped because of trigraphs."""
    lines = []
    for line in data.splitlines(keepends=True):
        text = "".join(
            chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in line
        )
        lines.append(f'    "{text}"')
    return "\n".join(lines) or '    ""'


def embed_sql(files: list[pathlib.Path]) -> str:
    entries = []
    for path in files:
        below_sql = path.parts[len(path.parts) - path.parts[::-1].index("sql"):]
        entries.append(f'{{"{"/".join(below_sql)}",\n{c_string(path.read_bytes())}}},')
    body = "\n".join(entries)
    return (
        '#include "store/schema.h"\n\n'
        f"const struct sql_file sql_bundle[] = {{\n{body}\n}};\n\n"
        "const size_t sql_bundle_size = sizeof(sql_bundle) / sizeof(sql_bundle[0]);\n"
    )


def embed_docs(files: list[pathlib.Path]) -> str:
    parts = ['#include "ops/docs.h"\n']
    for path in files:
        name = path.name.replace(".", "_")
        plain = path.read_bytes()
        for kind, data in (("plain", plain), ("gzip", gzip.compress(plain, mtime=0))):
            parts.append(f"static const char {name}_{kind}[] =\n{c_string(data)};\n")
        parts.append(
            f"const struct document {name} = {{\n"
            f"    {{{name}_plain, sizeof({name}_plain) - 1}},\n"
            f"    {{{name}_gzip, sizeof({name}_gzip) - 1}},\n}};\n"
        )
    return "\n".join(parts)


def main() -> None:
    kind, out, *files = sys.argv[1:]
    make = {"sql": embed_sql, "docs": embed_docs}[kind]
    pathlib.Path(out).write_text(make([pathlib.Path(f) for f in files]))


if __name__ == "__main__":
    main()
