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
    make_coverage,
    make_frame,
    make_manifest,
    make_run,
    put_run,
)

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.books.unanalysed import find_unanalysed
from frametally.process.reports import NoProgress
from frametally.records import DeadLetter, FrameAnnouncement, encode
from frametally.segments.contents import encode_segment
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
            DeadLetter(
                offset=first + len(seconds) + number,
                message=encode(announcement(s, media)),
                source="cam",
                image_path=keys.image_key("cam", DAY_MS + s * S, media, 0),
                stage="decode",
                cause="undecodable",
                reason="torn",
            )
            for number, s in enumerate(dead)
        ]
        data = encode_segment(
            model=MODEL,
            log_id="log",
            topic="frames",
            partition=0,
            first_offset=first,
            next_offset=self.offset,
            frames=[make_frame(DAY_MS + s * S, media=media) for s in seconds],
            dead_letters=letters,
        )
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
    return FrameAnnouncement(
        image_path=keys.image_key("cam", DAY_MS + second * S, media, 0),
        source="cam",
        frame_index=0,
        captured_at_ms=DAY_MS + second * S,
        time_source="start_time",
        width_px=64,
        height_px=48,
        bytes=1,
        sha256="00" * 32,
        media=media,
    )
