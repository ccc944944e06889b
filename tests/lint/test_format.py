"""The C files look as .clang-format says, and every text file is tidy."""

import subprocess

from source import TOP, c_files, name

SKIPPED = {".git", "build", "var", "__pycache__"}
BINARY = {".png", ".bin", ".gz"}


def text_files():
    for path in sorted(TOP.rglob("*")):
        parts = path.relative_to(TOP).parts
        # What a fuzzer starts from is any bytes at all, on purpose.
        if parts[0] in SKIPPED or "__pycache__" in parts or parts[:2] == ("tests", "fuzz"):
            continue
        if path.is_file() and path.suffix not in BINARY:
            yield path


def test_c_files_are_formatted():
    files = [path for path in c_files() if path.suffix != ".def"]
    run = subprocess.run(
        ["clang-format", "--dry-run", "-Werror", *files], cwd=TOP, capture_output=True, text=True
    )
    wrong = {line.split(":")[0] for line in run.stderr.splitlines() if "error:" in line}
    assert not wrong, "clang-format -i " + " ".join(sorted(wrong))
    assert run.returncode == 0, run.stderr  # clang-format itself broke down


def test_text_files_have_no_tabs_in_c_no_blanks_at_the_end_and_a_last_newline():
    wrong = []
    for path in text_files():
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            wrong.append(f"{name(path)}: no newline at the end")
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                wrong.append(f"{name(path)}:{number}: blanks at the end of the line")
            if "\t" in line and path.suffix in (".c", ".h", ".sql", ".py"):
                wrong.append(f"{name(path)}:{number}: a tab")
    assert not wrong, "\n".join(wrong)
