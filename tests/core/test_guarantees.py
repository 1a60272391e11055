"""The page of guarantees names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| .+ \|$", PAGE, re.MULTILINE)[2:]
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)) - {"tests/core/test_guarantees.py"})


def test_every_promise_names_a_test() -> None:
    assert len(ROWS) >= 20
    assert all(re.fullmatch(r"\| .+ \|( `tests/[^`]+::\w+`)+ \|", row) for row in ROWS)


@pytest.mark.parametrize(
    "word", ["Event time", "Once", "Nothing vanishes", "Atomic results", "Same result anywhere"]
)
def test_the_promises_of_the_design_are_there(word: str) -> None:
    assert f"**{word}.**" in PAGE


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_holds_a_promise_exists(name: str) -> None:
    path, _, test = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert test in found
