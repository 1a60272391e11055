"""How much of a test runs: little in `make test`; in CI, costly tests take turns day by day."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, TypeVar

import pytest

THOROUGH = os.environ.get("FRAMETALLY_TESTS") == "thorough"
_QUICK_SHARE = 5
EVERY_TURN = "all"
DAY = os.environ.get("FRAMETALLY_TESTS_DAY", EVERY_TURN)
"""The day whose turn it is, such as `2026-05-01`; `all`: every value has its turn."""
_TURNS_OF_CASES, TURNS_OF_TESTS = 6, 7
"""In how many days all cases, and all costly tests, have their turn. They have no common factor: otherwise a
test would have the same cases each time that it runs."""

ValueT = TypeVar("ValueT")


def examples(count: int) -> int:
    """Return `count`, or a fifth of it in the quick profile."""
    return count if THOROUGH else max(2, count // _QUICK_SHARE)


def in_turn(values: Iterable[ValueT], turns: int = _TURNS_OF_CASES, day: str = DAY) -> list[ValueT]:
    """Return about a `turns`-th of the values of a costly test, at least one: so many days have them all."""
    every = [*values]
    if day == EVERY_TURN or not every:
        return every
    turns = min(turns, len(every))
    return every[date.fromisoformat(day).toordinal() % turns :: turns]


def first_quick(values: Iterable[Any]) -> list[Any]:
    """Return the parameters of a test; `make test` only tries the first."""
    first, *others = values
    return [first, *some_quick(others, ())]


def some_quick(values: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """Return the parameters of a test; `make test` only tries those in `quick`."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.thorough) for value in values]
