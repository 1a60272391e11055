"""Footage as values: segments that are made without a detector, counted, and read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_frame, make_segment, with_checksums
from tests.kit.stand_ins import Watched

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_parts
from frametally.history_records import list_in
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections
from frametally.settings.loading import Settings
from frametally_hadoop.driver import aggregate
from frametally_hadoop.planning.plan import ALL_DAYS, DaySelection

MODEL = "tiny-1"
NOON_MS = 1_767_268_800_000  # 2026-01-01T12:00:00Z


class Footage:
    """A store with segments, and their counts."""

    def __init__(self, folder: Path, store: ObjectStore | None = None) -> None:
        self.store: ObjectStore = store or MemoryStore()
        self.settings = Settings(data_dir=folder).resolved()
        self._next_offset = 0

    def frame(
        self,
        captured_at_ms: int = NOON_MS,
        *labels: str,
        source: str = "gate",
        index: int = 0,
        confidence: float = 0.9,
        box: tuple[float, float, float, float] = (1.0, 2.0, 30.5, 40.0),
        boxes: Sequence[tuple[float, float, float, float]] | None = None,
        model: str = MODEL,
    ) -> FrameDetections:
        """One frame with a box per label, all equal unless `boxes` are given."""
        return make_frame(
            captured_at_ms,
            index,
            [
                Detection(label=label, confidence=confidence, box=at)
                for label, at in zip(labels, boxes or [box] * len(labels), strict=True)
            ],
            source=source,
            size_px=(640, 480),
            model=model,
        )

    def segment(
        self,
        frames: Sequence[FrameDetections],
        *,
        model: str = MODEL,
        spoil: Callable[[bytes], bytes] | None = None,
    ) -> str:
        """Put one more segment of the chain; return its key.

        `spoil` changes the bytes of a segment, which gets the checksums of what it is then.
        """
        first = self._next_offset
        self._next_offset += max(len(frames), 1)
        data = make_segment(frames, [], first, next_offset=self._next_offset, model=model)
        key = keys.segment_key(model, "log-1", "frames", 0, first)
        if spoil is not None:
            spoilt = spoil(data)
            data = with_checksums(spoilt) if spoilt.startswith(b"{") and b"\n" in spoilt else spoilt
        assert self.store.put(key, data, if_absent=True)
        return key

    def film(
        self,
        count: int,
        *labels: str,
        start_ms: int = NOON_MS,
        step_ms: int = 1,
        first: int = 0,
        model: str = MODEL,
        spoil: Callable[[bytes], bytes] | None = None,
        **frame: Any,
    ) -> str:
        """Put a segment of frames that show the same, numbered from `first`; return its key."""
        frames = [
            self.frame(start_ms + n * step_ms, *labels, index=first + n, model=model, **frame)
            for n in range(count)
        ]
        return self.segment(frames, model=model, spoil=spoil)

    def segments(self, batches: Iterable[Sequence[FrameDetections]]) -> None:
        """Put a segment per batch."""
        for frames in batches:
            self.segment(frames)

    def aggregate(
        self,
        store: ObjectStore | None = None,
        runner: str | None = None,
        selection: DaySelection = ALL_DAYS,
        **settings: object,
    ) -> Any:
        """Count new segments; `settings` are those that differ from the default."""
        return aggregate(
            settings=self.settings.model_copy(update=settings),
            store=store or self.store,
            progress=NoProgress(),
            runner=runner,
            selection=selection,
        )

    def parts(self) -> dict[tuple[str, int, str], bytes]:
        """The part files of each current run, joined, by model, interval and day."""
        return {
            (run.model, run.interval_s, run.day): b"".join(lines for _, lines in read_parts(self.store, run))
            for run in current_runs(self.store)
        }

    def objects(self, prefix: str) -> dict[str, bytes]:
        """All objects in a folder; lists of hour files without histories, which contain wall-clock times."""
        data_of = {info.key: self.store.get(info.key) for info in self.store.list(prefix)}
        return {key: list_in(data) if key.endswith("_hours.json") else data for key, data in data_of.items()}

    def temporary_files(self) -> list[Path]:
        """The temporary files of aggregations."""
        return [path for path in (self.settings.data_dir / "tmp").rglob("*") if path.is_file()]


def without_index_41(segment: bytes) -> bytes:
    """Spoil the line of the frame with this index."""
    return segment.replace(b'"frame_index":41', b'"frame_index":')


class Reads:
    """The keys below a prefix that were read from a store, by any method."""

    def __init__(self, footage: Footage, prefix: str) -> None:
        self.keys: list[str] = []
        self._prefix = prefix
        self.store: Any = Watched(footage.store, self._watch)

    def _watch(self, call: str, key: str) -> None:
        if call in ("before get", "before get_range", "before address") and key.startswith(self._prefix):
            self.keys.append(key)


@pytest.fixture
def footage(tmp_path: Path) -> Footage:
    return Footage(tmp_path)


@pytest.fixture
def file_footage(tmp_path: Path) -> Footage:
    """In files, for other processes."""
    return Footage(tmp_path, open_object_store(f"file://{tmp_path / 'store with space'}"))


@pytest.fixture
def here(file_footage: Footage, monkeypatch: pytest.MonkeyPatch) -> Footage:
    """In files, where commands find it by the environment."""
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(file_footage.settings.data_dir))
    monkeypatch.setenv("FRAMETALLY_STORE_URL", file_footage.store.url)
    return file_footage


def twin(footage: Footage) -> Footage:
    """A copy of the footage in memory, to be killed, damaged or counted separately."""
    made = copy.copy(footage)
    made.store = MemoryStore()
    for key, data in footage.objects("metadata").items() | footage.objects("mapreduce-output").items():
        made.store.put(key, data)
    return made
