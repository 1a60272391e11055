"""A camera that should run and does not is reported for action, wherever a status is shown."""

from __future__ import annotations

import time
import uuid
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.memory import MemoryStore

from frametally.checkup.findings import Glance
from frametally.settings.loading import load_settings
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.findings import findings
from frametally_live.live_book_by_url import open_live_book


@pytest.mark.parametrize(
    ("state", "away_s", "needed"),
    [("running", None, 0), ("waiting", 5, 0), ("waiting", 60, 1), ("failed", None, 1)],
)
def test_a_camera_needs_attention_once_it_has_failed_or_was_silent_for_a_while(
    tmp_path: Path, state: str, away_s: float | None, needed: int
) -> None:
    settings = load_settings(data_dir=tmp_path)
    glance = Glance(settings, MemoryStore())
    assert [*findings(glance)] == []
    roof = Feed(str(uuid.uuid4()), "camera", "roof", "Roof", address="rtsp://10.0.0.1/a")
    away_ms = None if away_s is None else int((time.time() - away_s) * 1000)
    with closing(open_live_book(settings)) as book:
        assert book.put_camera(roof)
        claimed = book.claim_feed("w", ("camera",), lease_s=600)
        assert claimed
        told = FeedTold(state, "not responding", away_since_ms=away_ms)  # type: ignore[arg-type]
        if state == "failed":
            book.release_feed(claimed, told)
        else:
            book.renew_feed(claimed, told, lease_s=600)
        lines = [(found.area, found.name, found.page, found.line) for found in findings(glance)]
        line = "Roof: not responding; see the page /live"
        assert lines == [("camera", "Roof", "/live?camera=roof", line)] * needed
        book.remove_feed(roof.id)
        assert [*findings(glance)] == []
