"""The C files of the project, and their text without comments and literals."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

COMMENT_OR_LITERAL = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.DOTALL | re.VERBOSE,
)


def c_files():
    found = [
        path
        for folder in ("include", "src", "tests")
        for path in sorted((TOP / folder).rglob("*"))
        if path.suffix in (".c", ".h", ".def")
    ]
    assert found, "there is no C file where they are looked for"
    return found


def name(path):
    return str(path.relative_to(TOP))


def code(path):
    """The text with each comment and literal blanked; lines keep their numbers."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    return COMMENT_OR_LITERAL.sub(blank, path.read_text(encoding="utf-8"))


def line_of(text, position):
    return text.count("\n", 0, position) + 1
