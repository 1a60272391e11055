"""A data folder with footage of two sources, counted; one label appears only in the erased range."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tests.fakes.records import make_frame, make_manifest, make_segment

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.media.stored_images import bitmap_of
from frametally.packs.packed_store import plain_of
from frametally.packs.packing import pack_pictures
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections, encode
from frametally.settings.loading import Settings
from frametally_hadoop.driver import aggregate
from frametally_search.indexer import index_runs

MINUTE_MS = 60_000
MODEL = "pixels-1"
START_MS = keys.day_start_ms("2024-05-14") + 12 * 60 * MINUTE_MS
STEP_MS, FRAMES = 1000, 240
FROM_MS, TO_MS = START_MS + MINUTE_MS, START_MS + 2 * MINUTE_MS
RANGE = ("--from", "2024-05-14T12:01Z", "--to", "2024-05-14T12:02Z")
ERASED, KEPT = "giraffe", "car"
"""Labels of what appears within the range, and of what appears outside."""


@dataclass
class Footage:
    """The open ports of the folder."""

    settings: Settings
    store: ObjectStore
    offset: int = 0

    def film(self, source: str, *, start_ms: int = START_MS, frames: int = FRAMES) -> list[str]:
        """Store and analyse a video of a source; return the keys of its pictures."""
        medium = f"{source}-{start_ms}".encode().hex().ljust(64, "0")[:64]
        lines = [self._line(source, medium, start_ms, number) for number in range(frames)]
        manifest = make_manifest(
            frames,
            media=medium,
            source=source,
            span_ms=(start_ms, lines[-1].captured_at_ms),
            start_ms=start_ms,
            announced_frames=bitmap_of(range(frames)),
        )
        self.store.put(manifest.key, encode(manifest))
        for line in lines:
            self.store.put(line.image_path, self._picture(line), durable=False)
        first, self.offset = self.offset, self.offset + frames
        data = make_segment(lines, [], first, model=MODEL, log_id="log")
        self.store.put(keys.segment_key(MODEL, "log", "frames", 0, first), data)
        return [line.image_path for line in lines]

    def _line(self, source: str, medium: str, start_ms: int, number: int) -> FrameDetections:
        at_ms = start_ms + number * STEP_MS
        label = ERASED if source == "gate" and FROM_MS <= at_ms < TO_MS else KEPT
        box = (float(number % 20), 10.0, 20.0, 20.0)
        line = make_frame(
            at_ms,
            number,
            [Detection(label=label, confidence=0.9, box=box)],
            source=source,
            media=medium,
            model=MODEL,
        )
        return msgspec.structs.replace(line, picture_digest=f"{number:04d}")

    def _picture(self, line: FrameDetections) -> bytes:
        return f"a picture of a {line.detections[0].label} {line.image_path}".encode() + b"\xff\xd9"

    def count(self, interval_s: int = 60) -> None:
        settings = self.settings.model_copy(update={"interval_s": interval_s})
        assert not aggregate(settings=settings, store=self.store, progress=NoProgress()).skipped
        with closing(open_count_index(self.settings.index_url, self.settings.index_access)) as index:
            index_runs(store=self.store, index=index, progress=NoProgress())

    def pack(self, source: str) -> None:
        folder = f"{keys.IMAGES}/{source}"
        pack_pictures(self.store, folder, now_ms=START_MS + 10**12, progress=NoProgress())

    def stored(self) -> dict[str, bytes]:
        """Return all objects of the store, with part files and packs in readable form."""
        plain = plain_of(self.store)
        objects = {info.key: plain.get(info.key) for info in plain.list("")}
        return {
            key: gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for key, data in objects.items()
        }

    def holding(self, text: str) -> list[str]:
        """Return the keys of the objects whose key or bytes contain a text."""
        return [key for key, data in self.stored().items() if text in key or text.encode() in data]

    def lost(self) -> int:
        """Return how many announced frames the ledger does not find in segments."""
        with closing(open_ledger(self.settings.ledger_url, self.settings.ledger_access)) as ledger:
            ledger.refresh(self.store, NoProgress())
            assert ledger.problems(None) == []
            (link,) = ledger.chain(MODEL)
            return link.next_offset - link.first_offset - link.frames - link.dead_letters


@contextmanager
def opened(folder: Path) -> Iterator[Footage]:
    settings = Settings(data_dir=folder, interval_s=60).resolved()
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        yield Footage(settings, store)


@contextmanager
def filmed(folder: Path) -> Iterator[Footage]:
    """Yield a folder with four minutes of `gate` and of `dock`, counted by the minute and by ten."""
    with opened(folder) as footage:
        footage.film("dock")
        footage.count()
        footage.film("gate")
        footage.count()
        footage.count(600)
        yield footage
