"""A source with one frame per second; a test says how many are detected and counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from tests.fakes.memory import MemoryStore
from tests.fakes.records import (
    DAY_MS,
    MEDIUM,
    MODEL,
    make_announcement,
    make_coverage,
    make_frame,
    make_letter,
    make_manifest,
    make_run,
    make_segment,
    put_run,
)

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.books.unanalysed import find_unanalysed
from frametally.process.reports import NoProgress
from frametally.records import FrameAnnouncement, encode
from frametally.settings.loading import Settings

S = 1000
OTHER = "cd" * 32


class Books:
    """A store of one source, its ledger and its index."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.ledger = open_ledger(f"sqlite:///{folder}/ledger.sqlite")
        self.index = open_count_index(f"sqlite:///{folder}/index.sqlite")
        self.offset = 0
        self.segments: list[str] = []

    def medium(self, first_s: int, last_s: int, *, media: str = MEDIUM, **changes: Any) -> None:
        """Announce a frame a second."""
        manifest = make_manifest(last_s - first_s + 1, media=media)
        changes = {
            "first_captured_at_ms": DAY_MS + first_s * S,
            "last_captured_at_ms": DAY_MS + last_s * S,
            **changes,
        }
        self.store.put(keys.media_key(media), encode(msgspec.structs.replace(manifest, **changes)))

    def detect(self, seconds: Sequence[int], dead: Sequence[int] = (), media: str = MEDIUM) -> None:
        first, self.offset = self.offset, self.offset + len(seconds) + len(dead)
        letters = [
            make_letter(offset, make_frame(DAY_MS + s * S, media=media), cause="undecodable", reason="torn")
            for offset, s in enumerate(dead, first + len(seconds))
        ]
        frames = [make_frame(DAY_MS + s * S, media=media) for s in seconds]
        data = make_segment(frames, letters, first, log_id="log")
        self.segments.append(keys.segment_key(MODEL, "log", "frames", 0, first))
        self.store.put(self.segments[-1], data)

    def count(self, frames: int, *, sequence: int = 1, day_ms: int = DAY_MS, indexed: bool = True) -> None:
        coverage = make_coverage(day_ms, frames, model=MODEL, source="cam")
        run = make_run(sequence, model=MODEL, frames=frames, day=keys.utc_day(day_ms))
        run = put_run(self.store, run, [], [coverage])
        if indexed:
            assert self.index.publish(run, [], [coverage])

    def unanalysed(self) -> list[tuple[float, float]]:
        """Seconds of the day."""
        self.ledger.refresh(self.store, NoProgress())
        assert self.ledger.problems(MODEL) == []
        found = find_unanalysed(store=self.store, ledger=self.ledger, index=self.index, settings=Settings())
        [spans] = [of_model.get("cam", []) for of_model in found.values()]
        return [((first - DAY_MS) / S, (end - DAY_MS) / S) for first, end in spans]


def announcement(second: int, media: str) -> FrameAnnouncement:
    return make_announcement(make_frame(DAY_MS + second * S, media=media))
