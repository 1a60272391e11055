"""A data folder with days of cars that pass a line, counted, with a stored picture for each frame."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from tests.fakes.records import make_manifest, make_segment
from tests.traffic.zoned_footage import MODEL, START_MS, STEP_MS, drive

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.media.stored_images import bitmap_of
from frametally.packs.packed_store import plain_of
from frametally.packs.packing import pack_pictures
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StorePorts
from frametally.process.reports import NoProgress
from frametally.records import FrameDetections, encode
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_hadoop.driver import aggregate
from frametally_retention.rounds import RetentionReport, RetentionRound
from frametally_search.indexer import index_runs

FRAMES, BEST = 300, 41
"""The number of frames in a day, and the one of every 60 that the detector is surest of."""
AGES_MS = (30 * DAY_MS, 10 * DAY_MS, 0)
"""The age of the footage: a day each."""


@dataclass
class Filmed:
    """The open ports of the folder."""

    settings: Settings
    store: ObjectStore
    ledger: Ledger
    days: list[list[str]] = field(default_factory=list)
    """The keys of the frames of each day."""
    offset: int = 0

    @property
    def ports(self) -> StorePorts:
        return StorePorts(self.settings, self.store)

    def film(self, source: str, start_ms: int, *, frames: int = FRAMES, analysed: bool = True) -> list[str]:
        """Store frames of one medium, and its segment if they are analysed; return their keys."""
        lines = drive(source, frames=frames, start_ms=start_ms)
        medium = f"{source}-{start_ms}".encode().hex().ljust(64, "0")[:64]
        lines = [
            msgspec.structs.replace(
                line,
                media=medium,
                image_path=keys.image_key(source, line.captured_at_ms, medium, line.frame_index),
                detections=[
                    msgspec.structs.replace(box, confidence=0.95) if line.frame_index % 60 == BEST else box
                    for box in line.detections
                ],
            )
            for line in lines
        ]
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
            self.store.put(
                line.image_path, line.image_path.encode() + bytes(1000) + b"\xff\xd9", durable=False
            )
        if analysed:
            self.analyse(lines)
        return [line.image_path for line in lines]

    def analyse(self, lines: list[FrameDetections]) -> None:
        first, self.offset = self.offset, self.offset + len(lines)
        data = make_segment(lines, [], first, model=MODEL, log_id="log")
        self.store.put(keys.segment_key(MODEL, "log", "frames", 0, first), data)

    def count(self) -> None:
        report = aggregate(settings=self.settings, store=self.store, progress=NoProgress())
        assert not report.skipped
        with closing(open_count_index(self.settings.index_url)) as index:
            index_runs(store=self.store, index=index, progress=NoProgress())

    def pack(self, folder: str, now_ms: int) -> None:
        pack_pictures(self.store, folder, now_ms=now_ms, progress=NoProgress())

    def frames(self, source: str = "gate") -> list[str]:
        return [info.key for info in self.store.list(f"{keys.IMAGES}/{source}")]

    def round(self, *, dry: bool = False, clock_ms: int = START_MS + DAY_MS) -> RetentionReport:
        return RetentionRound(
            self.ports, self.ledger, clock_ms=clock_ms, progress=NoProgress(), dry=dry
        ).run()

    @property
    def plain(self) -> ObjectStore:
        """The store whose objects are the packs."""
        return plain_of(self.store)

    def objects(self) -> dict[str, bytes]:
        """All objects except the policy, which contains wall-clock times."""
        folders = ("images", "media", "metadata", "mapreduce-output", "hours")
        return {info.key: self.store.get(info.key) for folder in folders for info in self.store.list(folder)}


@contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[Filmed]:
    chosen = Settings(data_dir=folder, **settings).resolved()
    with (
        closing(open_object_store(chosen.store_url, chosen.store_access)) as store,
        closing(open_ledger(chosen.ledger_url)) as ledger,
    ):
        yield Filmed(chosen, store, ledger)


@cache
def _days(draw: Callable[[ObjectStore], object]) -> tuple[Path, list[list[str]]]:
    """A folder with three days of footage of `gate`, counted once for all tests of a process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    with opened(folder) as filmed:
        draw(filmed.store)
        days = [filmed.film("gate", START_MS - age_ms) for age_ms in AGES_MS]
        filmed.count()
    return folder, days


def draw_nothing(_: ObjectStore) -> None:
    """Draw no line."""


@contextmanager
def filmed_days(folder: Path, draw: Callable[[ObjectStore], object] = draw_nothing) -> Iterator[Filmed]:
    """Yield a folder with three days of footage of `gate`."""
    template, days = _days(draw)
    shutil.copytree(template, folder, dirs_exist_ok=True)
    with opened(folder) as filmed:
        filmed.days, filmed.offset = days, len(days) * FRAMES
        yield filmed


__all__ = ["AGES_MS", "FRAMES", "START_MS", "STEP_MS", "Filmed", "filmed_days", "opened"]
