"""The page of guarantees names existing tests, which `make test` runs."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from tests.capabilities import is_gone

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
# Each promise is one item of a list, with the names of its tests in comments below it.
PROMISES = {
    promise: re.findall(r"tests/\S+", comments)
    for promise, comments in re.findall(r"^- (.+)\n((?:  <!-- tests/\S+::\w+ -->\n)*)", PAGE, re.MULTILINE)
}
NAMED = sorted({name for names in PROMISES.values() for name in names})
ELSEWHERE = {"services", "stack", "compose", "demo", "images", "airflow", "spark"}


def test_every_promise_names_a_test() -> None:
    assert len(PROMISES) >= 20
    assert [promise for promise, names in PROMISES.items() if not names] == []
    assert sum(map(len, PROMISES.values())) == PAGE.count("<!--")


@pytest.mark.parametrize(
    "word", ["Event time", "Once", "Nothing vanishes", "Atomic results", "Same result anywhere"]
)
def test_every_promise_of_the_design_is_on_the_page(word: str) -> None:
    assert any(promise.startswith(f"**{word}.**") for promise in PROMISES)


@cache
def marks_of(path: str) -> dict[str, set[str]]:
    """The tests of a file, each with its markers and those of the file."""
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body

    def marks(nodes: list[ast.expr]) -> set[str]:
        return set(re.findall(r"pytest\.mark\.(\w+)", " ".join(map(ast.unparse, nodes))))

    of_file = marks(
        [
            node.value
            for node in body
            if isinstance(node, ast.Assign) and "pytestmark" in map(ast.unparse, node.targets)
        ]
    )
    return {
        node.name: marks(node.decorator_list) | of_file
        for node in body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


@pytest.mark.thorough
def test_every_test_that_holds_a_promise_exists() -> None:
    named = [name.split("::") for name in NAMED if not is_gone(name)]
    assert [path for path, test in named if test not in marks_of(path)] == []


@pytest.mark.thorough
def test_every_promise_that_needs_no_server_has_a_test_in_make_test() -> None:
    slow = []
    for promise, tests in PROMISES.items():
        names = [name.split("::") for name in tests if not is_gone(name)]
        here = [marks for path, test in names if not (marks := marks_of(path)[test]) & ELSEWHERE]
        if here and all("thorough" in marks for marks in here):
            slow.append(promise)
    assert slow == []
