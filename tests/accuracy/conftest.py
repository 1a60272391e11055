"""Checks draw the same units each time: by some seeds an interval misses the truth, or is wide."""

from __future__ import annotations

from functools import partial

import pytest

SEED = "1"


@pytest.fixture(autouse=True)
def one_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the API draw by one seed, which it otherwise makes anew for each check."""
    from frametally_accuracy import routes

    monkeypatch.setattr(routes, "start_check", partial(routes.start_check, seed=SEED))
