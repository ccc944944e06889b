"""Functions that write past their buffer, keep hidden state or hide errors are not called."""

import re

from source import c_files, code, line_of, name

INSTEAD = {
    "strcpy": "buf_add or memcpy with a length",
    "strcat": "buf_add",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "gets": "fgets",
    "strtok": "text functions; it keeps state between calls",
    "atoi": "text_to_i64; it hides errors",
    "atol": "text_to_i64; it hides errors",
    "localtime": "times are UTC",
    "gmtime": "gmtime_r",
    "rand": "getrandom",
}
CALL = re.compile(r"\b(%s)\s*\(" % "|".join(INSTEAD))


def test_forbidden_functions_are_not_called():
    wrong = []
    for path in c_files():
        text = code(path)
        for match in CALL.finditer(text):
            where = f"{name(path)}:{line_of(text, match.start())}"
            wrong.append(f"{where}: {match[1]} is not used here: {INSTEAD[match[1]]}")
    assert not wrong, "\n".join(wrong)
