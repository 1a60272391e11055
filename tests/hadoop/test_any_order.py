"""Footage in any order gives the files of a count from scratch: late, repeated, split, deleted, retimed."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.capabilities import HERE
from tests.examples import examples
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_manifest, make_segment
from tests.hadoop.conftest import MODEL, Footage
from tests.hadoop.test_hours import from_nothing, stands
from tests.kit.clips import grey_jpeg

from frametally import keys
from frametally.adapters_by_url import open_ledger
from frametally.books.runs import current_runs, hour_files, read_parts
from frametally.media import corrections, forgetting
from frametally.media.manifests import list_manifests, list_tombstones
from frametally.media.overlapping import not_counted
from frametally.media.stored_images import announcement_of, bitmap_of
from frametally.process.reports import NoProgress
from frametally.records import (
    DeadLetter,
    Detection,
    FrameAnnouncement,
    FrameDetections,
    MediaManifest,
    decode,
    encode,
)
from frametally.rules.overlaps import joined_runs
from frametally.rules.times import DAY_MS, FIRST_MS, HOUR_MS, NEXT_MS
from frametally.rules.tombstones import is_forgotten
from frametally.segments.contents import frame_line
from frametally.undo_records import Correction
from frametally_hadoop.planning.hours import SegmentBook
from frametally_hadoop.planning.plan import DaySelection

JPEG = grey_jpeg(8, 8, 0)
MIDNIGHT_MS = 1_792_886_400_000  # 2026-10-25T00:00:00Z; an hour later, clocks in Europe are set back
BORDERS_MS = [MIDNIGHT_MS - 2 * HOUR_MS, MIDNIGHT_MS, MIDNIGHT_MS + HOUR_MS, MIDNIGHT_MS + DAY_MS]
STEP_MS, FRAMES = 200, 12


class Delivery(NamedTuple):
    """How frames arrive: in `pieces`, which are interleaved; 0 means with the next ones.

    Attributes:
        late: Bits of the pieces that arrive in a later round, or never.
        is_damaged: Whether the pieces that arrive now are damaged until they are mended.
    """

    pieces: int
    late: int = 0
    partition: int = 0
    is_repeated: bool = False
    is_damaged: bool = False


class Piece(NamedTuple):
    """A segment, and its frames."""

    key: str
    data: bytes
    frames: Sequence[FrameDetections]


EVERY_DAY_BY_NAME = DaySelection(from_ms=FIRST_MS, to_ms=NEXT_MS)
"""Accepts that a day loses the frames of missing segments, as `--from` and `--to` together do."""


class Scene:
    """A store that two machines count, with its footage."""

    topic = "frames"

    def __init__(self, folder: Path, how: dict[str, Any]) -> None:
        self.store = MemoryStore()
        self.machines = [Footage(folder / name, self.store) for name in ("first", "second")]
        self.how = how
        self.media: list[str] = []
        self.scenes: dict[str, tuple[Sequence[tuple[int, int, str]], str]] = {}
        self.waiting: list[FrameDetections] = []
        self.ends = [0, 0]
        self.late: list[Piece] = []
        self.damaged: list[Piece] = []
        self.there: dict[str, Piece] = {}
        self.unlisted: set[int] = set()

    # The events of footage.

    def film(
        self,
        at_ms: int,
        source: str,
        cars: Sequence[tuple[int, int, str]],
        jump_ms: int,
        shows: str,
        delivery: Delivery,
    ) -> None:
        """Film passing cars; halfway through, the camera's clock is set to another time."""
        sha256 = hashlib.sha256(b"%d" % len(self.media)).hexdigest()
        self.media.append(sha256)
        self.scenes[sha256] = cars, shows
        times = [at_ms + n * STEP_MS + jump_ms * (n > FRAMES // 2) for n in range(FRAMES)]
        made = make_manifest(
            FRAMES,
            media=sha256,
            source=source,
            name=f"{sha256[:4]}.mp4",
            source_name=source,
            start_ms=at_ms,
            span_ms=(min(times), max(times)),
            announced_frames=bitmap_of(range(FRAMES)),
            runs=joined_runs((ms, ms) for ms in times),
        )
        self.store.put(made.key, encode(made))
        for number, time_ms in enumerate(times):
            name = keys.ImageName(time_ms, sha256[:12], number)
            self.store.put(keys.image_key(source, *name), JPEG)
            self._detect(announcement_of(JPEG, name, media=sha256, source=source, time_source="start_time"))
        self.deliver(delivery)

    def _detect(self, announced: FrameAnnouncement) -> None:
        number = announced.frame_index
        cars, shows = self.scenes[keys.parse_media_id(announced.media)[0]]
        names = set(FrameDetections.__struct_fields__) & set(FrameAnnouncement.__struct_fields__)
        frame = FrameDetections(
            **{name: getattr(announced, name) for name in names} | {"width_px": 640, "height_px": 480},
            model=MODEL,
            detections=[
                Detection(label=label, confidence=0.9, box=(100.0 + x + number * dx, x % 211, 60.5, 40.1))
                for x, dx, label in cars
            ],
            picture_digest="same" if shows == "frozen" else f"{number:04d}",
        )
        self.waiting.append(
            msgspec.structs.replace(frame, shows="black", detections=[]) if shows == "black" else frame
        )

    def create_topic(self, *_: object) -> None:
        """Act as the log that receives a correction's announcements."""

    def publish(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Detect the frames that a correction announces."""
        del topic
        for _, message in messages:
            self._detect(decode(message, FrameAnnouncement))

    def manifest(self, number: int) -> MediaManifest | None:
        manifests = sorted(list_manifests(self.store), key=lambda manifest: self.media.index(manifest.sha256))
        return manifests[number % len(manifests)] if manifests else None

    def retime(self, number: int, shift_ms: int, delivery: Delivery) -> None:
        if manifest := self.manifest(number):
            start_ms = corrections.begins_at(manifest) + shift_ms
            self._correct(corrections.retime(self.store, manifest, start_ms=start_ms), delivery)

    def rename(self, number: int, source: str, delivery: Delivery) -> None:
        if manifest := self.manifest(number):
            correction = corrections.rename_source(self.store, manifest, source=source, source_name=source)
            self._correct(correction, delivery)

    def _correct(self, correction: Correction | None, delivery: Delivery) -> None:
        if correction:
            settings_now = self.machines[0].settings
            corrections.finish(self.store, self, settings_now, correction, NoProgress())  # type: ignore[arg-type]
            self.deliver(delivery)

    def forget(self, number: int, after: int | None) -> None:
        """Delete a medium, or its part after some frames."""
        if manifest := self.manifest(number):
            from_ms = None if after is None else corrections.begins_at(manifest) + after * STEP_MS
            [target] = forgetting.targets_in([manifest], from_ms=None, to_ms=None)
            target = target._replace(from_ms=from_ms)
            forgetting.forget(self.store, [target], delete_images=False, progress=NoProgress())

    def draw(self, *zones: object) -> None:
        from tests.traffic.test_zone_counts import draw

        draw(self.machines[0], *zones)  # type: ignore[arg-type]

    # Ways to put it into the store.

    def deliver(self, delivery: Delivery) -> None:
        """Put waiting pieces; each has its place in a partition, whether it arrives now or later."""
        if not delivery.pieces:
            return
        for number in range(delivery.pieces):
            frames = self.waiting[number :: delivery.pieces]
            piece = self._piece(frames, delivery.partition)
            if delivery.late >> number & 1:
                self.late.append(piece)
            elif delivery.is_damaged:
                self.store.put(piece.key, b"not a segment\n")
                self.damaged.append(piece)
            else:
                self._put(piece)
        if delivery.is_repeated:
            self._put(self._piece([self._surer(frame) for frame in self.waiting[::2]], 1))
        self.waiting = []

    def _surer(self, frame: FrameDetections) -> FrameDetections:
        """The same frame, detected by another consumer."""
        sure = [msgspec.structs.replace(one, confidence=0.95) for one in frame.detections]
        return msgspec.structs.replace(frame, detections=sure)

    def _piece(self, frames: Sequence[FrameDetections], partition: int) -> Piece:
        first = self.ends[partition]
        self.ends[partition] += len(frames) + 1
        data = self._segment(frames, partition, first)
        return Piece(keys.segment_key(MODEL, "log", self.topic, partition, first), data, frames)

    def _segment(self, frames: Sequence[FrameDetections], partition: int, first: int) -> bytes:
        last = first + len(frames)
        letter = DeadLetter(offset=last, message=b"{", stage="parse", cause="malformed", reason="no JSON")
        return make_segment(
            frames,
            [letter],
            first,
            next_offset=last + 1,
            model=MODEL,
            log_id="log",
            topic=self.topic,
            partition=partition,
        )

    def _put(self, piece: Piece) -> None:
        self.store.put(piece.key, piece.data)
        self.there[piece.key] = piece

    def come(self, number: int) -> None:
        """Put a late piece."""
        if self.late:
            self._put(self.late.pop(number % len(self.late)))

    def mend(self, number: int) -> None:
        """Restore a damaged segment."""
        if self.damaged:
            self._put(self.damaged.pop(number % len(self.damaged)))

    def lose(self, number: int) -> None:
        """Delete a segment by hand; the machines must count everything again, and accept the loss."""
        if self.there:
            key = sorted(self.there)[number % len(self.there)]
            self.late.append(self.there.pop(key))
            self.store.delete(key)
            self.unlisted = {0, 1}

    def detect_again(self, number: int) -> None:
        """Replace a segment by one from another version of the detector."""
        if self.there:
            key = sorted(self.there)[number % len(self.there)]
            place = keys.parse_segment_key(key)
            frames = [self._surer(frame) for frame in self.there[key].frames]
            self._put(Piece(key, self._segment(frames, place.partition, place.first_offset), frames))
            self.unlisted = {0, 1}

    # The ways to count it.

    def count(self, machine: int, changed: dict[str, Any], is_all: bool) -> dict[str, Any]:
        """Count on a machine; return the settings."""
        how = self.how | changed
        accepted = EVERY_DAY_BY_NAME if machine in self.unlisted else DaySelection()
        selection = accepted._replace(recount=is_all or machine in self.unlisted)
        self.unlisted.discard(machine)
        report = self.machines[machine].aggregate(selection=selection, **how)
        assert {item.name for item in report.skipped} == {piece.key for piece in self.damaged}
        return how

    def read_books(self, machine: int) -> None:
        """Have the books read the store on a machine before it counts."""
        with closing(open_ledger(self.machines[machine].settings.ledger_url)) as ledger:
            ledger.refresh(self.store, NoProgress())

    def counted_frames(self) -> list[FrameDetections]:
        """The valid frames, each once."""
        manifests, wins = [*list_manifests(self.store)], self.machines[0].settings.count_overlaps
        left_out = not_counted(manifests, list_tombstones(self.store), wins)
        by_line: dict[tuple[str, str], tuple[bytes, FrameDetections]] = {}
        for frame in (frame for piece in self.there.values() for frame in piece.frames):
            if not is_forgotten(frame.media, frame.captured_at_ms, left_out):
                line, place = frame_line(frame), (frame.media, frame.image_path)
                if place not in by_line or line < by_line[place][0]:
                    by_line[place] = line, frame
        return [frame for _, frame in by_line.values()]


def numbers_in(footage: Footage) -> dict[str, list[bytes]]:
    """The lines of part files and hour files, without their lists of inputs."""
    found = {}
    for run in current_runs(footage.store):
        for key, data in read_parts(footage.store, run):
            found[f"{run.model} {run.day} {key.rpartition('/')[2]}"] = data.splitlines()
        for file in (file for files in hour_files(footage.store, run).values() for file in files):
            lines = footage.store.get(file.key).splitlines()
            found[file.key.rpartition("-")[0]] = [line for line in lines if line[:7] != b'["hour"']
    return {name: lines for name, lines in found.items() if lines}


def numbers_as_if_it_had_been_right(scene: Scene, **how: Any) -> dict[str, list[bytes]]:
    """The result of all valid frames, each once, in one segment, without corrections."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Footage(Path(folder))
        for info in scene.store.list("drawings"):
            fresh.store.put(info.key, scene.store.get(info.key))
        if frames := scene.counted_frames():
            fresh.segment(frames)
        fresh.aggregate(**how)
        return numbers_in(fresh)


def book_of(scene: Scene, folder: Path) -> dict[str, Any]:
    """The segments in the store, according to a machine's ledger."""
    with closing(SegmentBook(f"sqlite:///{folder / 'ledger.sqlite'}")) as book:
        unreadable, lacking = book.refresh(scene.store, NoProgress())
        days = {
            (with_margin, *day): (segments.hours, segments.keys(), segments.own_keys(), segments.sizes())
            for with_margin in (True, False)
            for day, segments in book.days(with_margin=with_margin).items()
        }
        breaks = book.chain_breaks([MODEL])
        return {
            "days": days,
            "unreadable": unreadable,
            "lacking": lacking,
            "letters": book.with_dead_letters(),
            "breaks": breaks,
        }


TIMES_MS = st.builds(
    lambda border_ms, off_ms: border_ms + off_ms,
    st.sampled_from(BORDERS_MS),
    st.sampled_from([*[-1_200] * 7, -61_000, -59_000, 0, 1_000, 58_000, 1_800_000]),  # most over the border
)
SOURCES = st.sampled_from(["gate", "gate", "yard"])
CARS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(-9, 20), st.sampled_from(["car", "car", "truck", "person"])),
    min_size=1,
    max_size=2,
)
JUMPS_MS = st.sampled_from([*[0] * 8, -HOUR_MS, -1_000, HOUR_MS, 30_000])
SHOWS = st.sampled_from([*["cars"] * 6, "black", "frozen"])
SHIFTS_MS = st.sampled_from([-DAY_MS, -HOUR_MS, -60_000, -1_000, 1_000, 60_000, HOUR_MS, DAY_MS])
WHOLE = st.integers(1, 3).map(Delivery)
DELIVERIES = WHOLE | st.builds(
    Delivery,
    pieces=st.integers(0, 3),
    late=st.sampled_from([0, 1, 2, 5]),
    partition=st.integers(0, 1),
    is_repeated=st.booleans(),
    is_damaged=st.booleans(),
)
ANY = st.integers(0, 9)


def films(deliveries: st.SearchStrategy[Delivery]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just("film"), TIMES_MS, SOURCES, CARS, JUMPS_MS, SHOWS, deliveries)


COUNTS = st.tuples(
    st.just("count"),
    st.integers(0, 1),
    st.sampled_from([*[{}] * 6, {"count_min_confidence": 0.92}, {"count_labels": "bus"}]),
    st.sampled_from([*[False] * 6, True]),
)
CHANGES = [
    films(DELIVERIES),
    films(DELIVERIES),
    st.tuples(st.just("come"), ANY),
    st.tuples(st.just("forget"), ANY, st.none() | st.integers(1, FRAMES)),
    st.tuples(st.just("forget"), ANY, st.integers(FRAMES // 2, FRAMES - 2)),
    st.tuples(st.just("retime"), ANY, SHIFTS_MS, DELIVERIES),
    st.tuples(st.just("rename"), ANY, SOURCES, DELIVERIES),
    st.tuples(st.just("mend"), ANY),
    st.tuples(st.sampled_from(["lose", "detect_again"]), ANY),
    st.tuples(st.just("read_books"), st.integers(0, 1)),
]
BEGINNING: list[Any] = []
if "traffic" in HERE:
    from tests.traffic.test_zone_counts import RIGHT, zone

    BEGINNING = [("draw", zone())]
    CHANGES.append(st.tuples(st.just("draw"), st.sampled_from([zone(), zone(points=RIGHT)])))
STEPS = st.lists(st.one_of(CHANGES) | COUNTS, min_size=1, max_size=6)


@settings(max_examples=examples(60), deadline=None)
@given(
    first=st.lists(films(WHOLE), min_size=2, max_size=4),
    steps=STEPS,
    last=COUNTS,
    with_objects=st.sampled_from([True, True, True, False]),
    interval_s=st.sampled_from([60, 60, 60, 2700, 3600, 7200, 86_400]),
    most_listed=st.sampled_from([0, 10_000]),
)
def test_footage_in_any_order_gives_the_files_of_a_count_from_scratch(
    first: list[Any], steps: list[Any], last: Any, with_objects: bool, interval_s: int, most_listed: int
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("frametally.segments.stretches.MOST_LISTED", most_listed),
    ):
        scene = Scene(Path(folder), {"count_objects": with_objects, "interval_s": interval_s})
        for step, *values in [*BEGINNING, *first, ("count", 0, {}, False), *steps]:
            getattr(scene, step)(*values)
        _, machine, changed, is_all = last
        how, counted = scene.count(machine, changed, is_all), scene.machines[machine]
        expected, files = from_nothing(counted, **how), stands(counted)
        assert {name: files.get(name) for name in expected} == expected
        right, numbers = numbers_as_if_it_had_been_right(scene, **how), numbers_in(counted)
        assert {name: numbers.get(name) for name in right} == right
        with tempfile.TemporaryDirectory() as nothing:
            assert book_of(scene, counted.settings.data_dir) == book_of(scene, Path(nothing))
