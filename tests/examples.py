"""The number of examples in a property test: few in `make test`, all in `make test-all`."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Any

import pytest

THOROUGH = os.environ.get("FRAMETALLY_TESTS") == "thorough"
_QUICK_SHARE = 5


def examples(count: int) -> int:
    """Return `count`, or a fifth of it in the quick profile."""
    return count if THOROUGH else max(2, count // _QUICK_SHARE)


def first_quick(values: Iterable[Any]) -> list[Any]:
    """Return the parameters of a test; `make test` only tries the first."""
    first, *others = values
    return [first, *some_quick(others, ())]


def some_quick(values: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """Return the parameters of a test; `make test` only tries those in `quick`."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.thorough) for value in values]
