"""Names say what they hold; the number of vague names should fall.

`python tests/core/test_names.py FOLDER` lists those of a folder.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.kit.growth import most_after
from tests.kit.processes import run_program

ROOT = Path(__file__).resolve().parents[2]

SAY_NOTHING = re.compile(
    r"_*(?:another|asked|at|both|each|found|given|gone|got|here|held|kept|known|made|meant|mine|named|noted|of|one"
    r"|others|ours|said|seen|sent|shown|some|taken|theirs|there|told|wanted|what|which|who|whom|whose)_*",
    re.IGNORECASE,
)
"""Pronouns, adverbs and participles: write the noun for the content (`segment`, `matches`), or a verb."""

RELEASED = {
    ".ci": 2,
    "capabilities": 157,
    "cli": 70,
    "cloud-services": 18,
    "consumer": 28,
    "core": 21,
    "docs": 15,
    "elasticsearch": 6,
    "hadoop": 30,
    "models": 16,
    "producer": 40,
    "simple_frontend": 58,
}
"""The vague names of each folder at the last release; other folders have none."""


def names_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the line and name of each function, parameter, variable and attribute that a module sets."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                yield node.lineno, name


def empty_names_in(source: str) -> list[tuple[int, str]]:
    """Return the vague names of a module with their lines."""
    names = names_in(ast.parse(source))
    return sorted({(line, name) for line, name in names if SAY_NOTHING.fullmatch(name)})


@cache
def files_by_folder() -> dict[str, list[str]]:
    """Return the Python files of git by top-level folder, without tests and benchmarks."""
    listed = run_program(["git", "ls-files", "*.py"], cwd=ROOT)
    folders: dict[str, list[str]] = {}
    for file in listed.stdout.splitlines():
        folders.setdefault(file.partition("/")[0], []).append(file)
    return {folder: files for folder, files in folders.items() if folder not in ("benchmarks", "tests")}


def empty_names_of(files: list[str]) -> list[str]:
    """Return a line for each such name of some files."""
    return [
        f"{file}:{line}: {name}"
        for file in files
        for line, name in empty_names_in((ROOT / file).read_text(encoding="utf-8"))
    ]


def changed_lines(diff: str) -> set[str]:
    """Return `<file>:<line>` of each line that a diff without context adds."""
    lines: set[str] = set()
    file = ""
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            lines |= {f"{file}:{number}" for number in range(first, first + count)}
    return lines


def names_of_change(names: list[str]) -> list[str]:
    """Return those in lines changed since the last commit, or else by it; all if there are none."""
    for commit in ("HEAD", "HEAD~1"):
        diff = run_program(["git", "diff", "-U0", commit, "--", "*.py"], code=None, cwd=ROOT).stdout
        lines = changed_lines(diff)
        if own := [name for name in names if name.rpartition(":")[0] in lines]:
            return own
    return names


@pytest.mark.parametrize("folder", sorted(files_by_folder()))
def test_names_say_what_they_hold(folder: str) -> None:
    names = empty_names_of(files_by_folder()[folder])
    most = most_after(RELEASED[folder]) if folder in RELEASED else 0
    if len(names) > most:
        pytest.fail("\n".join([f"{len(names) - most} too many:", *names_of_change(names)]), pytrace=False)


def test_only_a_changes_own_lines_are_named() -> None:
    diff = "--- a/core/a.py\n+++ b/core/a.py\n@@ -3 +3,2 @@ def f():\n@@ -9,2 +10,0 @@\n@@ -20,0 +19 @@\n"
    assert changed_lines(diff) == {"core/a.py:3", "core/a.py:4", "core/a.py:19"}


@pytest.mark.parametrize(
    "line",
    [
        "found = []",
        "def f(told): ...",
        "def asked(): ...",
        "[one for one in rows]",
        "self._kept = {}",
        "key = lambda at: at",
        "with open_file() as given: ...",
    ],
)
def test_a_vague_name_is_detected(line: str) -> None:
    assert empty_names_in(line)


@pytest.mark.parametrize(
    "line", ["segment = found", "book.at(1)", "f(one=1)", "kept_lines = label_counts = 0"]
)
def test_a_name_that_a_module_only_uses_is_not_its_own(line: str) -> None:
    assert not empty_names_in(line)


if __name__ == "__main__":
    for folder, files in files_by_folder().items():
        lines = empty_names_of(files)
        if folder in sys.argv[1:]:
            print("\n".join(lines))
        elif not sys.argv[1:] and lines:
            print(f'"{folder}": {len(lines)},')
