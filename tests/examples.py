"""How much of a test runs: little in `make test`; in `make test-all`, thorough tests take turns."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import pytest

THOROUGH = os.environ.get("FRAMETALLY_TESTS") == "thorough"
_QUICK_SHARE = 5
EVERY_TURN = "all"
# In the environment, so that all processes of a run agree on it, also at midnight.
DAY = os.environ.setdefault("FRAMETALLY_TESTS_DAY", datetime.now(UTC).date().isoformat())
"""The day whose turn it is, such as `2026-05-01`; `all`: every value has its turn."""
_TURNS = 3

ValueT = TypeVar("ValueT")


def examples(count: int) -> int:
    """Return `count`, or a fifth of it in the quick profile."""
    return count if THOROUGH else max(2, count // _QUICK_SHARE)


def in_turn(values: Iterable[ValueT], day: str = DAY) -> list[ValueT]:
    """Return about a third of the values of a costly test, at least one: three days have them all.

    Without FRAMETALLY_TESTS=thorough, return all.
    """
    every = [*values]
    if day == EVERY_TURN or not THOROUGH or not every:
        return every
    turns = min(_TURNS, len(every))
    return every[date.fromisoformat(day).toordinal() % turns :: turns]


def first_quick(values: Iterable[Any]) -> list[Any]:
    """Return the parameters of a test; `make test` only tries the first."""
    first, *others = values
    return [first, *some_quick(others, ())]


def some_quick(values: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """Return the parameters of a test; `make test` only tries those in `quick`."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.thorough) for value in values]
