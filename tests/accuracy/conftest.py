"""Checks draw the same units each time: by some seeds an interval misses the truth, or is wide."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from tests.web.conftest import Place

SEED = "5"
"""A time at which the first clip has earlier footage."""


@pytest.fixture(autouse=True)
def one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have checks draw by one seed, which is otherwise made anew for each of them."""
    monkeypatch.setattr("frametally_accuracy.starting.new_seed", lambda: SEED)


@pytest.fixture
def counted(place: Place) -> Place:
    """The footage of a gate, counted, in a store that commands open too."""
    from tests.accuracy.test_accuracy_checks import count_gate

    return count_gate(place)


@pytest.fixture
def client(counted: Place) -> FlaskClient:
    """Asks the dashboard over that footage, without a server."""
    return counted.app().test_client()
