"""The small network and the real frames that the tests of detectors and of models share."""

from __future__ import annotations

import pytest
from tests.models.small_network import clip_frames, nncf, write_model

__all__ = ["clip_frames", "nncf", "write_model"]


@pytest.fixture(autouse=True)
def wait_briefly_for_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a consumer poll its log often, because a test's messages arrive at once or never."""
    monkeypatch.setattr("frametally_consumer.worker.loop._POLL_S", 0.01)
