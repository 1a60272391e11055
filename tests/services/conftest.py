"""Slow tests start first: they kill real servers and wait for minutes, while the others fill the gaps."""

from __future__ import annotations

from pathlib import Path

import pytest

LONG = (Path(__file__).parent, Path(__file__).parents[1] / "faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests with separate servers before the contract suites on the shared ones."""
    items.sort(key=lambda item: not (item.path.parent in LONG and item.get_closest_marker("services")))
