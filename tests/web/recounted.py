"""A gate whose day is counted repeatedly by the real counting job, and indexed in the place."""

from __future__ import annotations

from typing import Any

from tests.hadoop.conftest import Footage
from tests.kit.clips import grey_jpeg
from tests.web.conftest import Place

from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally.undo_records import Tombstone
from frametally_search.indexer import index_runs

JPEG = grey_jpeg(640, 480, 90)
MEDIUM = "ab" * 32
NOON_MS = 1_767_268_800_000  # 2026-01-01T12:00:00Z


class Gate:
    """The events of a gate's footage; each call of `count` is a run."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._footage = Footage(place.settings.data_dir, place.store)

    def film(
        self, first: int, count: int, *labels: str, source: str = "gate", confidence: float = 0.6
    ) -> None:
        """Put frames, one a second from `first` seconds after noon on."""
        frames = [
            self._footage.frame(NOON_MS + n * 1000, *labels, index=n, source=source, confidence=confidence)
            for n in range(first, first + count)
        ]
        for frame in frames:
            self._place.store.put(frame.image_path, JPEG)
        self._footage.segment(frames)

    def forget(self, first: int, count: int) -> None:
        """Delete the frames of this many seconds."""
        stone = Tombstone(
            media=MEDIUM,
            source="gate",
            name="cam.mp4",
            why="forget",
            from_ms=NOON_MS + first * 1000,
            to_ms=NOON_MS + (first + count) * 1000,
        )
        self._place.store.put(stone.key, encode(stone))

    def count(self, **changed: Any) -> None:
        """Count new footage, and index it."""
        self._footage.aggregate(runner="inline", **changed)
        index_runs(store=self._place.store, index=self._place.real_index, progress=NoProgress())


def three_changes(place: Place) -> Gate:
    """Count a gate, then late footage, then without a deleted range, then with another threshold."""
    gate = Gate(place)
    gate.film(0, 10, "car")
    gate.count()
    gate.film(20, 5, "car", "bus")
    gate.count()
    gate.forget(2, 3)
    gate.count()
    gate.film(30, 4, "car", confidence=0.3)
    gate.count()
    gate.count(count_min_confidence=0.5)
    return gate
