"""What takes minutes of waiting begins first: real servers are killed here, all else fills the gaps."""

from __future__ import annotations

from pathlib import Path

import pytest

LONG = (Path(__file__).parent, Path(__file__).parents[1] / "faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that need servers of their own before the contract suites on the shared ones."""
    items.sort(key=lambda item: not (item.path.parent in LONG and item.get_closest_marker("services")))
