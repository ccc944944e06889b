"""What the documents tell of settings, routes and metrics is what the program says."""

import re

import pytest

from support import ROOT
from support.server import run_duetd

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_with_its_default_and_no_other():
    printed = run_duetd("serve", "--print-settings")
    assert printed.returncode == 0, printed.stderr
    told = {}
    for line in printed.stdout.splitlines():
        variable, default = re.match(r"(DUET_\w+)=.*  # default (.*?); ", line).groups()
        told[variable] = "" if default == "empty" else default
    documented = dict(re.findall(r"^\| `(DUET_\w+)` \| `?([^`|]*?)`? \|", OPERATIONS, re.MULTILINE))
    assert documented == told


def test_the_readme_names_no_setting_that_is_none():
    documented = set(re.findall(r"`(DUET_\w+)`", OPERATIONS))
    assert {name.removesuffix("_FILE") for name in re.findall(r"DUET_\w+", README)} <= {
        name.removesuffix("_FILE") for name in documented
    }


def test_every_metric_is_documented_and_no_other(api):
    told = set(re.findall(r"^# TYPE (duet_\w+)", api.get("/metrics").text, re.MULTILINE))
    documented = set(re.findall(r"`(duet_\w+?)(?:\{[a-z,]*\})?`", OPERATIONS)) - {
        "duet_owner",
        "duet_server",
    }
    assert documented == told


@pytest.mark.parametrize("name", ["README.md", "docs/architecture.md", "docs/operations.md"])
def test_what_a_document_points_to_is_there(name):
    document = ROOT / name
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (document.parent / target).exists(), target
    for target in re.findall(r"`((?:src|include|sql|openapi|tests|docs|docker)/[\w./]*)`", text):
        # The README's example of an endpoint is about files that are yet to be written.
        assert (ROOT / target).exists() or "conversation" in target, target
