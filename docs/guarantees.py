"""Says of each promise in guarantees.md whether its tests passed: PASS, FAIL or NOT RUN.

python docs/guarantees.py RESULT.xml [--write]     RESULT.xml: of pytest --junit-xml
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_name("guarantees.md")
_ROW = re.compile(
    r"^\| (?P<promise>.+?) \| (?P<state>PASS|FAIL|NOT RUN) \| (?P<tests>`tests/.+`) \|$", re.MULTILINE
)
_TEST = re.compile(r"`(tests/[^`]+)`")


class Promise(NamedTuple):
    """A row of the page: the promise, and the tests that hold it as `path::name`."""

    text: str
    tests: tuple[str, ...]


def read_promises(page: str) -> list[Promise]:
    """The rows of the page."""
    return [Promise(row["promise"], tuple(_TEST.findall(row["tests"]))) for row in _ROW.finditer(page)]


def read_results(junit: Path) -> dict[str, set[str]]:
    """By test as `path::name`, its outcomes (one per parameter): `passed`, `failed`, `skipped`."""
    found: dict[str, set[str]] = defaultdict(set)
    for case in ElementTree.parse(junit).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        parts = (case.get("classname") or "").split(".")
        at = next((n for n, part in enumerate(parts, 1) if part.startswith("test_")), len(parts))
        path = "/".join(parts[:at]) + ".py"
        names = [*parts[at:], (case.get("name") or "").partition("[")[0]]
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[f"{path}::{names[0]}"].add(outcome)
    return found


def state_of(promise: Promise, results: dict[str, set[str]]) -> str:
    """`PASS` if all its tests passed, `FAIL` if one failed, else `NOT RUN`."""
    outcomes = [results.get(test, set()) for test in promise.tests]
    if any("failed" in found for found in outcomes):
        return "FAIL"
    return "PASS" if all(found == {"passed"} for found in outcomes) else "NOT RUN"


def with_states(page: str, results: dict[str, set[str]]) -> str:
    """The page with the states of these results."""

    def row(match: re.Match[str]) -> str:
        promise = Promise(match["promise"], tuple(_TEST.findall(match["tests"])))
        return f"| {match['promise']} | {state_of(promise, results)} | {match['tests']} |"

    return _ROW.sub(row, page)


def main(arguments: list[str]) -> int:
    """Print the states; exit code 1 if a promise is broken."""
    if not arguments:
        print(__doc__)
        return 2
    page, results = PAGE.read_text(encoding="utf-8"), read_results(Path(arguments[0]))
    states = [(state_of(promise, results), promise.text) for promise in read_promises(page)]
    for state, text in states:
        print(f"{state:8} {text}")
    if "--write" in arguments:
        PAGE.write_text(with_states(page, results), encoding="utf-8")
    return int(any(state == "FAIL" for state, _ in states))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
