"""Checks draw the same units each time: with some seeds an interval misses the truth, or is wide."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from tests.web.conftest import Place

SEED = "5"
"""A time at which the first clip has earlier footage."""


@pytest.fixture(autouse=True)
def one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all checks draw with one seed; otherwise each draws a new one."""
    monkeypatch.setattr("frametally_accuracy.starting.new_seed", lambda: SEED)


@pytest.fixture
def counted(place: Place) -> Place:
    """The counted footage of a gate, in a store that commands can open as well."""
    from tests.accuracy.test_accuracy_checks import count_gate

    return count_gate(place)


@pytest.fixture
def client(counted: Place) -> FlaskClient:
    """Queries the dashboard over that footage, without a server."""
    return counted.app().test_client()
