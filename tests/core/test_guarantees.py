"""The page of guarantees names tests that exist, and tells their state from what pytest wrote."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("guarantees", ROOT / "docs/guarantees.py")
assert _spec is not None
assert _spec.loader is not None
guarantees = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(guarantees)

PAGE = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
PROMISES = guarantees.read_promises(PAGE)
NAMED = sorted({test for promise in PROMISES for test in promise.tests})

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.core.test_a" name="test_one[x]"/>
<testcase classname="tests.core.test_a" name="test_one[y]"/>
<testcase classname="tests.core.test_a" name="test_two"><failure/></testcase>
<testcase classname="tests.core.test_a" name="test_three"><skipped/></testcase>
<testcase classname="tests.core.test_a.TestFour" name="runTest"/>
</testsuite></testsuites>"""


def test_every_row_of_the_table_is_read() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]
    assert len(PROMISES) == len(rows) >= 20


@pytest.mark.parametrize(
    "word", ["Event time", "Once", "Nothing vanishes", "Atomic results", "Same result anywhere"]
)
def test_the_promises_of_the_design_are_there(word: str) -> None:
    assert f"**{word}.**" in PAGE


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_holds_a_promise_exists(name: str) -> None:
    path, _, test = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert test in found


def test_a_promise_passes_when_all_its_tests_have(tmp_path: Path) -> None:
    result = tmp_path / "result.xml"
    result.write_text(JUNIT)
    results = guarantees.read_results(result)

    def state(*names: str) -> str:
        tests = tuple(f"tests/core/test_a.py::{name}" for name in names)
        return guarantees.state_of(guarantees.Promise("it", tests), results)

    assert state("test_one", "TestFour") == "PASS"
    assert state("test_one", "test_two", "test_three") == "FAIL"
    assert state("test_one", "test_three") == "NOT RUN"
    assert state("test_one", "test_unheard_of") == "NOT RUN"
    row = "| it | NOT RUN | `tests/core/test_a.py::test_one` |"
    assert guarantees.with_states(f"a\n{row}\nb", results) == f"a\n{row.replace('NOT RUN', 'PASS')}\nb"
