"""The table of docs/security.md has every requirement of ASVS 5.0, level 2, and names existing tests."""

from __future__ import annotations

import re
from pathlib import Path

from tests.capabilities import is_gone
from tests.core.test_guarantees import marks_of

PAGE = (Path(__file__).resolve().parents[2] / "docs/security.md").read_text(encoding="utf-8")
ROWS = [
    (number, state.strip(), how, named.split())
    for number, state, how, named in re.findall(
        r"^\| (\d+\.\d+\.\d+) \| [^|]+ \|([^|]+)\| ([^|]+) \|([^|]*)\|$", PAGE, re.MULTILINE
    )
]
STATES = {"met", "partly", "not met", "n/a"}
# The number of requirements of levels 1 and 2 in each section; none has a gap before those of level 3.
SECTIONS = {
    **{"6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4},
    **{"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2},
    **{"8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1},
}


def test_exactly_the_requirements_of_level_2_have_a_row() -> None:
    wanted = [f"{section}.{at}" for section, number in SECTIONS.items() for at in range(1, number + 1)]
    assert [number for number, *_ in ROWS] == wanted
    assert {state for _, state, *_ in ROWS} <= STATES
    assert all(how.strip() for _, _, how, _ in ROWS)


def test_a_test_shows_each_requirement_that_is_met_and_those_not_met_are_listed_below() -> None:
    missing = re.findall(r"\d+\.\d+\.\d+", PAGE.partition("## What is missing")[2])
    for number, state, _, named in ROWS:
        assert bool(named) or state in ("n/a", "not met"), number
        assert (state in ("partly", "not met")) == (number in missing), number


def test_each_test_that_shows_a_requirement_exists() -> None:
    for name in {name.strip("`") for *_, named in ROWS for name in named}:
        path, test = name.split("::")
        assert is_gone(path) or test in marks_of(path), name
