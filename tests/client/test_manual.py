"""What the manual says is what there is."""

import re
import subprocess

import pytest

from conftest import BUILD, environment
from support import ROOT

MANUAL = ROOT / "docs/man/libduet.3"


def example():
    text = MANUAL.read_text(encoding="utf-8")
    return re.search(r"^\.EX\n(.*?)^\.EE", text, re.DOTALL | re.MULTILINE)[1].replace(r"\e", "\\")


def test_the_example_works(server, send, ann, bob, tmp_path):
    send(bob, ann, "Are you there?")
    source = tmp_path / "example.c"
    source.write_text(example(), encoding="utf-8")
    build = ["cc", "-Wall", "-Werror", f"-I{ROOT / 'include'}", source, "-o", tmp_path / "example"]
    sanitizer = ["-fsanitize=address,undefined"] if "sanitize" in BUILD.name else []
    subprocess.run(
        [*build, *sanitizer, f"-L{BUILD}", f"-Wl,-rpath,{BUILD}", "-lduet"], check=True, timeout=60
    )
    token = server.token(scope="user", sub=ann)
    done = subprocess.run(
        [tmp_path / "example", server.url, ann, token, bob, "Yes."],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    assert f"{bob}: Are you there?\n" in done.stdout


@pytest.mark.parametrize("standard", ["c99", "c11", "gnu17"])
def test_the_header_is_plain_c(standard):
    header = ROOT / "include/duet.h"
    subprocess.run(
        ["cc", f"-std={standard}", "-pedantic", "-Wall", "-Werror", "-fsyntax-only", "-xc", header],
        check=True,
        timeout=60,
    )


def test_all_calls_stand_in_the_manual():
    header = (ROOT / "include/duet.h").read_text(encoding="utf-8")
    calls = re.findall(r"^DUET_API .*?(duet_\w+)\(", header, re.MULTILINE)
    manual = MANUAL.read_text(encoding="utf-8")
    assert len(calls) > 20
    assert [call for call in calls if call + "(" not in manual] == []
