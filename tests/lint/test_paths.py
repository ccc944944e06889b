"""The tree stands on its own: no file names a place on the machine where it was written."""

import re

from source import TOP, name
from test_format import text_files

# Written so that this file does not hold what it looks for.
SOMEBODYS_FOLDER = re.compile(r"(?<![\w.$}])/(?:home|Users|work)/[A-Za-z]\w*")


def test_no_file_names_a_folder_of_one_machine():
    wrong = []
    for path in text_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if match := SOMEBODYS_FOLDER.search(line):
                wrong.append(f"{name(path)}:{number}: {match.group()}")
    assert not wrong, "\n".join(wrong)


def test_no_link_leads_out_of_the_tree():
    wrong = [
        name(path)
        for path in TOP.rglob("*")
        if path.is_symlink() and path.relative_to(TOP).parts[0] not in ("build", "var")
        if not path.resolve().is_relative_to(TOP)
    ]
    assert not wrong, "\n".join(wrong)
