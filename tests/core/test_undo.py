"""Undo: deleted footage no longer counts, and a correction counts as if made at the start."""

from __future__ import annotations

import datetime
import hashlib
import tempfile
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.examples import examples, first_quick
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.records import make_announcement, make_frame, make_manifest
from tests.kit.clips import grey_jpeg

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.books.change_preview import DayCounts, preview_counts
from frametally.books.status import Status, read_status
from frametally.console.option_values import parse_time_ms
from frametally.errors import Misconfigured
from frametally.media import corrections, forgetting, lookup, mending
from frametally.media.manifests import (
    find_manifest,
    list_manifests,
    list_tombstones,
    media_of,
    next_revision,
    pictures_identity,
    touches,
)
from frametally.media.overlapping import not_counted
from frametally.media.sources import joined
from frametally.media.stored_images import announced_images, bitmap_of
from frametally.ports.frame_log import consumer_group
from frametally.ports.ledger import Extent
from frametally.ports.opened import Ports
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameAnnouncement, FrameDetections, MediaManifest, decode, encode
from frametally.rules.once import one_line_per_frame
from frametally.rules.tombstones import forgotten_ranges, is_forgotten, merged
from frametally.segments.contents import encode_segment, list_segments, read_segment
from frametally.settings.loading import load_settings
from frametally.undo_records import FootageChange, Tombstone

MODEL, TOPIC = "pixels-1", "frames"
DAY_MS, START_MS = 86_400_000, 1_767_225_600_000
CAR = Detection(label="car", confidence=0.9, box=(1.0, 1.0, 4.0, 4.0))
JPEG = grey_jpeg(8, 8, 0)


class PowerCut(BaseException):
    """Simulates the death of the process."""


class World:
    """A store and a log in memory, a small producer and consumer, and a power cut after any effect."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.log = MemoryLog()
        self.effects = 0
        self.cut_at: int | None = None
        self.cut_after = False
        self.settings = load_settings()
        for owner, name in ((self.store, "put"), (self.store, "delete"), (self.log, "publish")):
            setattr(owner, name, self._may_die(getattr(owner, name)))

    def _may_die(self, effect: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object, **options: object) -> object:
            self.effects += 1
            dies = self.effects == self.cut_at
            if dies and not self.cut_after:
                raise PowerCut
            result = effect(*arguments, **options)
            if dies:
                raise PowerCut
            return result

        return run

    def produce_video(
        self,
        name: str,
        source: str,
        *,
        start_ms: int = START_MS,
        frames: Iterable[int] = range(6),
        state: str = "complete",
        step_ms: int = 1_000,
    ) -> MediaManifest:
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        indices = list(frames)
        times = [start_ms + index * step_ms for index in indices]
        manifest = make_manifest(
            len(times),
            media=sha256,
            source=keys.slug(source),
            name=name,
            source_name=source,
            time_source="container",
            sampling="all",
            start_ms=start_ms,
            span_ms=(times[0], times[-1]),
            state=state,
            announced_frames=bitmap_of(indices),
            revision=next_revision(self.store, sha256),
        )
        self._announce(manifest, [(ms, sha256, index) for ms, index in zip(times, indices, strict=True)])
        return manifest

    def produce_pictures(
        self, source: str, times: Iterable[int], *, first_file: int = 0
    ) -> list[MediaManifest]:
        """A picture file per event time from `first_file` on; its index determines its bytes."""
        days: dict[str, list[tuple[int, str]]] = {}
        for number, ms in enumerate(times, first_file):
            file_sha256 = hashlib.sha256(f"picture {number}".encode()).hexdigest()
            days.setdefault(keys.utc_day(ms), []).append((ms, file_sha256))
        made = []
        for day, pictures in days.items():
            sha256 = pictures_identity(keys.slug(source), day)
            manifest = make_manifest(
                len(pictures),
                media=sha256,
                source=keys.slug(source),
                name="pics",
                source_name=source,
                kind="pictures",
                time_source="exif",
                sampling="all",
                span_ms=(min(pictures)[0], max(pictures)[0]),
                announced_pictures=sorted(f"{ms}-{file[:12]}" for ms, file in pictures),
                revision=next_revision(self.store, sha256),
            )
            self._announce(manifest, [(ms, file, 0) for ms, file in pictures])
            made.append(manifest)
        return made

    def _announce(self, manifest: MediaManifest, frames: list[tuple[int, str, int]]) -> None:
        self.log.create_topic(TOPIC, 2)
        messages = []
        for ms, sha256, index in frames:
            key = keys.image_key(manifest.source, ms, sha256, index)
            self.store.put(key, JPEG)
            announced = make_announcement(
                make_frame(
                    ms,
                    index,
                    source=manifest.source,
                    media=media_of(manifest),
                    size_px=(8, 8),
                    image_path=key,
                    time_source=manifest.time_source,
                ),
                JPEG,
            )
            messages.append((keys.frame_log_key(manifest.source, ms), encode(announced)))
        self.log.publish(TOPIC, messages)
        self.store.put(keys.media_key(manifest.sha256), encode(manifest))

    def detect(self) -> None:
        """All announced and undetected frames, a segment per partition."""
        consumer = self.log.subscribe(
            TOPIC, consumer_group(MODEL), on_assigned=lambda _: None, on_revoked=lambda _: None
        )
        by_partition: dict[int, list[tuple[int, FrameAnnouncement]]] = {}
        while records := consumer.poll(timeout_s=0):
            for record in records:
                found = decode(record.value, FrameAnnouncement)
                by_partition.setdefault(record.partition, []).append((record.offset, found))
        for partition, messages in by_partition.items():
            first, last = messages[0][0], messages[-1][0]
            names = {*FrameDetections.__struct_fields__} & {*FrameAnnouncement.__struct_fields__}
            frames = [
                FrameDetections(
                    model=MODEL,
                    detections=[CAR] * (1 + frame.frame_index % 3),
                    **{name: getattr(frame, name) for name in names},
                )
                for _, frame in messages
            ]
            where: dict[str, Any] = {
                "model": MODEL,
                "log_id": self.log.log_id(TOPIC),
                "topic": TOPIC,
                "partition": partition,
            }
            data = encode_segment(
                **where, first_offset=first, next_offset=last + 1, frames=frames, dead_letters=[]
            )
            self.store.put(keys.segment_key(*where.values(), first), data)
            consumer.commit(partition, last + 1)
        consumer.close()

    def counting(self) -> set[str]:
        """Identities of the valid frames, as every reader of segments finds them."""
        gone = not_counted(list_manifests(self.store), list_tombstones(self.store), "first")
        frames = [
            frame
            for key in list_segments(self.store)
            for frame in read_segment(self.store, key).frames()
            if not is_forgotten(frame.media, frame.captured_at_ms, gone)
        ]
        return set(one_line_per_frame((frame.image_path, encode(frame)) for frame in frames))

    def days(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Valid frames and detections, by source and UTC day."""
        gone = not_counted(list_manifests(self.store), list_tombstones(self.store), "first")
        frames = {
            frame.image_path: frame
            for key in list_segments(self.store)
            for frame in read_segment(self.store, key).frames()
            if not is_forgotten(frame.media, frame.captured_at_ms, gone)
        }
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for frame in frames.values():
            day = frame.source, keys.utc_day(frame.captured_at_ms)
            number, boxes = found.get(day, (0, 0))
            found[day] = number + 1, boxes + len(frame.detections)
        return found

    def preview(self, change: FootageChange, folder: Path) -> list[DayCounts]:
        with closing(open_ledger(f"sqlite:///{folder / 'preview.sqlite'}")) as ledger:
            ledger.refresh(self.store, NoProgress())
            found = preview_counts(self.store, ledger, self.settings, change, datetime.UTC)
        assert found is not None
        return found

    def status(self, folder: Path) -> Status:
        folder.mkdir(exist_ok=True)
        settings = load_settings(data_dir=folder)
        with (
            closing(open_ledger(settings.ledger_url)) as ledger,
            closing(open_count_index(settings.index_url)) as index,
        ):
            ports = Ports(settings=settings, store=self.store, log=self.log, index=index)
            return read_status(ports, ledger, model=MODEL)

    def forget(
        self,
        found: list[MediaManifest],
        folder: Path,
        *,
        from_ms: int | None = None,
        to_ms: int | None = None,
        delete_images: bool = False,
    ) -> list[forgetting.Target]:
        with closing(open_ledger(f"sqlite:///{folder / 'undo.sqlite'}")) as ledger:
            ledger.refresh(self.store, NoProgress())
            targets = forgetting.plan_forgetting(ledger, found, from_ms=from_ms, to_ms=to_ms)
        forgetting.forget(self.store, targets, delete_images=delete_images, progress=NoProgress())
        return targets

    def finish(self) -> None:
        for correction in corrections.pending(self.store):
            corrections.finish(self.store, self.log, self.settings, correction, NoProgress())

    def retime(self, name: str, start_ms: int, *, delete_images: bool = False) -> None:
        self.finish()
        manifest = lookup.one_medium(lookup.find_media(self.store, name), name)
        corrections.retime(self.store, manifest, start_ms=start_ms, delete_images=delete_images)
        self.finish()

    def move_picture(self, from_ms: int, to_ms: int) -> None:
        """Move the picture of source `cam` at one time to another, and the one after it by nothing."""
        self.finish()
        pictures = [
            mending.PictureTime(
                manifest, name, {from_ms: to_ms}.get(name.captured_at_ms, name.captured_at_ms)
            )
            for manifest in list_manifests(self.store)
            if (manifest.kind, manifest.source) == ("pictures", "cam")
            for name in announced_images(self.store, manifest)
        ]
        change = mending.plan_moving_pictures(pictures, "a.jpg", delete=True)
        for planned in mending.unfinished(self.store) or [change]:
            mending.carry_out(self, planned, NoProgress())

    def rename(self, old: str, new: str, *, delete_images: bool = False) -> None:
        self.finish()
        for manifest in [m for m in list_manifests(self.store) if m.source == old]:
            corrections.rename_source(
                self.store, manifest, source=keys.slug(new), source_name=new, delete_images=delete_images
            )
            self.finish()


@pytest.fixture
def world() -> World:
    return World()


def balanced(status: Status) -> bool:
    """Whether the left side of the books is settled: these tests do not count."""
    return not status.broken and all(
        books.expected
        == books.announced
        == books.detected + books.dead_lettered + books.forgotten + books.overlapped
        for books in status.sources
    )


def test_the_rule_drops_only_what_a_tombstone_names() -> None:
    forgotten = forgotten_ranges([("a", None, None), ("b", 10, 20), ("b", None, 5), ("c", 7, None)])
    assert is_forgotten("a", 0, forgotten)
    assert [ms for ms in range(25) if is_forgotten("b", ms, forgotten)] == [*range(5), *range(10, 20)]
    assert [ms for ms in range(10) if is_forgotten("c", ms, forgotten)] == [7, 8, 9]
    assert not is_forgotten("a.1", 0, forgotten)


@given(st.lists(st.tuples(st.none() | st.integers(0, 20), st.none() | st.integers(0, 20))))
def test_merged_ranges_hold_the_same_times_once(ranges: list[tuple[int | None, int | None]]) -> None:
    ranges = [(a, b) for a, b in ranges if a is None or b is None or a < b]
    before = forgotten_ranges(("m", *one) for one in ranges)
    for ms in range(-1, 22):
        hits = sum(is_forgotten("m", ms, {"m": [one]}) for one in merged(ranges))
        assert hits == is_forgotten("m", ms, before)


@pytest.mark.parametrize(
    ("bounds", "day", "expected"),
    [
        ((None, None, 5, 9), 0, True),
        ((None, None, 5, 9), 1, False),
        ((None, None, None, None), 7, True),
        ((DAY_MS, None, None, None), 0, False),
        ((DAY_MS, None, None, None), 3, True),
        ((None, DAY_MS, None, None), 1, False),
        ((None, None, DAY_MS - 1, DAY_MS), 0, True),
        ((None, None, DAY_MS - 1, DAY_MS), 1, True),
    ],
)
def test_a_tombstone_affects_the_days_that_can_hold_its_frames(
    bounds: tuple[int | None, ...], day: int, expected: bool
) -> None:
    names = ("from_ms", "to_ms", "first_captured_at_ms", "last_captured_at_ms")
    stone = Tombstone(
        media="m", source="cam", name="n", why="forget", **dict(zip(names, bounds, strict=True))
    )
    day_ms = day * DAY_MS
    assert touches(stone, source="cam", from_ms=day_ms, to_ms=day_ms + DAY_MS) is expected
    assert not touches(stone, source="gate", from_ms=day_ms, to_ms=day_ms + DAY_MS)


def test_a_forgotten_medium_is_in_no_count_and_the_books_balance(world: World, tmp_path: Path) -> None:
    kept = world.produce_video("kept.mp4", "cam")
    gone = world.produce_video("gone.mp4", "cam", start_ms=START_MS + 6_000)
    world.detect()
    assert len(world.counting()) == 12
    [target] = world.forget(lookup.find_media(world.store, "gone.mp4"), tmp_path)
    assert (target.whole, target.extent) == (True, (6, 1))
    assert {path.split("-")[-2] for path in world.counting()} == {kept.sha256[:12]}
    assert find_manifest(world.store, gone.sha256) is None
    status = world.status(tmp_path)
    assert balanced(status)
    assert status.sources[0][2:6] == (6, 6, 6, 0)


def test_footage_forgotten_before_its_detection_stays_forgotten(world: World, tmp_path: Path) -> None:
    world.produce_video("cam.mp4", "cam")
    world.forget(lookup.find_media(world.store, "cam.mp4"), tmp_path)
    world.detect()
    assert world.counting() == set()
    assert balanced(world.status(tmp_path))


@pytest.mark.thorough
def test_a_medium_produced_again_after_it_was_forgotten_counts(world: World, tmp_path: Path) -> None:
    for revision in range(3):
        manifest = world.produce_video("cam.mp4", "cam", start_ms=START_MS + revision * 7_000)
        assert manifest.revision == revision
        world.detect()
        assert len(world.counting()) == 6
        assert balanced(world.status(tmp_path))
        world.forget([manifest], tmp_path)
    assert world.counting() == set()


def test_forgetting_a_revision_leaves_the_manifest_of_a_later_one(tmp_path: Path) -> None:
    world = World()
    manifest = world.produce_video("cam.mp4", "Gate")
    later = msgspec.structs.replace(manifest, revision=1)
    target = forgetting.Target(manifest, None, None, Extent(0, 0))
    world.store.put(keys.media_key(manifest.sha256), encode(later))
    forgetting.forget(world.store, [target], delete_images=False, progress=NoProgress())
    assert find_manifest(world.store, manifest.sha256) == later


def test_a_range_is_forgotten_in_all_media_of_a_source(world: World, tmp_path: Path) -> None:
    world.produce_video("a.mp4", "Gate")
    world.produce_video("b.mp4", "Gate", start_ms=START_MS + 6_000)
    world.produce_video("c.mp4", "Yard")
    world.detect()
    targets = world.forget(
        lookup.media_of_source(world.store, "Gate"),
        tmp_path,
        from_ms=START_MS + 3_000,
        to_ms=START_MS + 60_000,
    )
    assert [(target.manifest.name, target.whole) for target in targets] == [("a.mp4", False), ("b.mp4", True)]
    left = sorted(int(path.rpartition("/")[2].split("-")[0]) - START_MS for path in world.counting())
    assert left == sorted([0, 1_000, 2_000, *range(0, 6_000, 1_000)])
    status = world.status(tmp_path)
    assert balanced(status)
    assert [(books.source, books.announced, books.forgotten) for books in status.sources] == [
        ("gate", 6, 3),
        ("yard", 6, 0),
    ]


def test_images_of_forgotten_footage_are_deleted_only_on_request(world: World, tmp_path: Path) -> None:
    [pictures] = world.produce_pictures("pics", [START_MS, START_MS + 1_000, START_MS + 2_000])
    video = world.produce_video("cam.mp4", "pics")
    every = {info.key for info in world.store.list(keys.IMAGES)}
    world.forget([pictures], tmp_path, to_ms=START_MS + 1_000)
    assert {info.key for info in world.store.list(keys.IMAGES)} == every
    world.forget([pictures], tmp_path, to_ms=START_MS + 1_000, delete_images=True)
    left = {info.key for info in world.store.list(keys.IMAGES)}
    assert len(every - left) == 1
    world.forget([video], tmp_path, delete_images=True)
    assert len(list(world.store.list(keys.IMAGES))) == 2


@pytest.mark.thorough
@pytest.mark.parametrize("delete_images", [False, True])
@pytest.mark.parametrize("shift_ms", [500, 1_000, -3_000, DAY_MS, -40 * DAY_MS])
def test_a_retimed_video_counts_as_if_it_had_been_right_from_the_start(
    world: World, tmp_path: Path, shift_ms: int, delete_images: bool
) -> None:
    other = world.produce_video("other.mp4", "cam")
    world.produce_video("cam.mp4", "cam")
    world.detect()
    world.retime("cam.mp4", START_MS + shift_ms, delete_images=delete_images)
    world.detect()
    right = World()
    right.produce_video("other.mp4", "cam")
    right.produce_video("cam.mp4", "cam", start_ms=START_MS + shift_ms)
    right.detect()
    assert world.counting() == right.counting()
    assert balanced(world.status(tmp_path))
    if abs(shift_ms) < DAY_MS:  # half a second later all except its last belong to the other
        assert len(world.counting()) == 6 + (1 if shift_ms > 0 else 3)
    assert media_of(other) in {media_of(manifest) for manifest in list_manifests(world.store)}
    if delete_images:
        assert {i.key for i in world.store.list(keys.IMAGES)} == {
            i.key for i in right.store.list(keys.IMAGES)
        }


def test_a_video_can_be_retimed_again_and_back(world: World, tmp_path: Path) -> None:
    world.produce_video("cam.mp4", "cam")
    first = {info.key for info in world.store.list(keys.IMAGES)}
    world.detect()
    for shift_ms in (2_000, 5_500, 0):
        world.retime("cam.mp4", START_MS + shift_ms)
        world.detect()
        assert len(world.counting()) == 6
        assert balanced(world.status(tmp_path))
    assert world.counting() == first
    assert list_manifests(world.store)[0].revision == 3


def test_a_forgotten_range_of_a_video_stays_forgotten_at_its_new_time(world: World, tmp_path: Path) -> None:
    manifest = world.produce_video("cam.mp4", "cam")
    world.detect()
    world.forget([manifest], tmp_path, from_ms=START_MS + 4_000)
    world.retime("cam.mp4", START_MS + DAY_MS)
    world.detect()
    left = sorted(int(path.rpartition("/")[2].split("-")[0]) - START_MS - DAY_MS for path in world.counting())
    assert left == [0, 1_000, 2_000, 3_000]
    assert balanced(world.status(tmp_path))


@pytest.mark.thorough
@pytest.mark.parametrize("shift_ms", [1_000, DAY_MS - 1_500, -DAY_MS])
def test_retimed_pictures_move_to_the_days_where_they_belong(
    world: World, tmp_path: Path, shift_ms: int
) -> None:
    times = [START_MS, START_MS + 1_000, START_MS + 2_000]
    world.produce_pictures("pics", times)
    world.detect()
    world.retime("pics", START_MS + shift_ms)
    world.detect()
    right = World()
    right.produce_pictures("pics", [ms + shift_ms for ms in times])
    right.detect()
    assert world.counting() == right.counting()
    assert balanced(world.status(tmp_path))
    mine, theirs = (
        {m.sha256: m.announced_pictures for m in list_manifests(one.store)} for one in (world, right)
    )
    assert mine == theirs


@pytest.mark.parametrize("to_ms", [START_MS + 3_600_000, START_MS + DAY_MS, START_MS - DAY_MS])
def test_a_retimed_picture_counts_at_its_new_time_and_the_rest_of_its_day_stays(
    world: World, tmp_path: Path, to_ms: int
) -> None:
    times = [START_MS, START_MS + 1_000, START_MS + DAY_MS]
    world.produce_pictures("cam", times)
    world.detect()
    world.move_picture(START_MS + 1_000, to_ms)
    world.detect()
    assert balanced(world.status(tmp_path))
    days = {m.sha256: m for m in list_manifests(world.store)}
    moved = {int(name.partition("-")[0]) for m in days.values() for name in m.announced_pictures}
    assert moved == {START_MS, to_ms, START_MS + DAY_MS}
    assert sum(m.frames_announced for m in days.values()) == 3
    is_alone = to_ms < START_MS  # the weakest time of a day is that of the day
    source = "start_time" if is_alone else days[pictures_identity("cam", keys.utc_day(START_MS))].time_source
    assert days[pictures_identity("cam", keys.utc_day(to_ms))].time_source == source
    stored = {info.key.rpartition("/")[2].partition("-")[0] for info in world.store.list(keys.IMAGES)}
    assert stored == {str(ms) for ms in moved}  # its former one was deleted, as asked


def test_a_renamed_source_is_merged_with_an_existing_one_of_that_name(world: World, tmp_path: Path) -> None:
    world.produce_video("a.mp4", "Gate", start_ms=START_MS + 10_000)
    world.produce_pictures("Gate", [START_MS, START_MS + DAY_MS])
    world.produce_pictures("Front door", [START_MS, START_MS + 3_000])
    world.detect()
    world.rename("gate", "Front door")
    world.detect()
    assert {path.split("/")[1] for path in world.counting()} == {"front-door"}
    # The two sources share one picture of one time: it is one frame now.
    assert len(world.counting()) == 6 + 2 + 2 - 1
    assert {manifest.source for manifest in list_manifests(world.store)} == {"front-door"}
    status = world.status(tmp_path)
    assert balanced(status)
    assert [books.source_name for books in status.sources] == ["Front door"]


def test_another_spelling_of_a_source_needs_no_new_revision(world: World) -> None:
    world.produce_video("a.mp4", "gate")
    world.rename("gate", "Gate")
    [manifest] = list_manifests(world.store)
    assert (manifest.source_name, manifest.revision) == ("Gate", 0)
    assert list(world.store.list(keys.TOMBSTONES)) == []


def test_a_sources_new_name_is_written_as_its_media_spell_it(world: World) -> None:
    world.produce_video("a.mp4", "Gate 1")
    manifests = list_manifests(world.store)
    assert joined(manifests, "gate-1") == joined(manifests, "Gate 1") == ("gate-1", "Gate 1")
    assert joined([], "GATE 1") == ("gate-1", "GATE 1")


def scenarios() -> dict[str, Callable[[World, Path], None]]:
    def forget(world: World, folder: Path) -> None:
        found = lookup.media_of_source(world.store, "cam") if world.store.head(keys.MEDIA) else []
        found = found or [m for m in list_manifests(world.store) if m.source == "cam"]
        world.forget(found, folder, delete_images=True)

    def forget_renamed(world: World, folder: Path) -> None:
        world.rename("cam", "yard", delete_images=False)
        found = [m for m in list_manifests(world.store) if m.source == "yard"]
        world.forget(found, folder, delete_images=True)

    def forget_retimed(world: World, folder: Path) -> None:
        for name in ("cam.mp4", pictures_identity("cam", keys.utc_day(START_MS))):
            with suppress(Misconfigured):  # in a repeated run it may already be deleted
                world.retime(name, START_MS + 3_000)
        forget(world, folder)

    def change(world: World, plan: Callable[[list[MediaManifest]], FootageChange]) -> None:
        world.finish()
        media = [m for m in list_manifests(world.store) if m.source == "cam"]
        for one in mending.unfinished(world.store) or [plan(media)]:
            mending.carry_out(world, one, NoProgress())

    def retime_all(world: World, _: Path) -> None:
        later = START_MS + DAY_MS
        change(world, lambda media: mending.plan_retiming(media, "cam", start_ms=later, delete=True))

    def forget_range(world: World, _: Path) -> None:
        upto = START_MS + 1_500
        change(
            world, lambda media: mending.plan_forgetting(media, "cam", from_ms=None, to_ms=upto, delete=True)
        )

    return {
        "forget": forget,
        "retime all of a source": retime_all,
        "forget a range of a source": forget_range,
        "forget what was renamed": forget_renamed,
        "forget what was put to another time": forget_retimed,
        "retime": lambda world, _: world.retime("cam.mp4", START_MS + 3_000, delete_images=True),
        "retime pictures": lambda world, _: world.retime(
            pictures_identity("cam", keys.utc_day(START_MS)), START_MS + 1_000, delete_images=True
        ),
        "move a picture": lambda world, _: world.move_picture(START_MS, START_MS + DAY_MS),
        "rename": lambda world, _: world.rename("cam", "gate", delete_images=True),
    }


def filled() -> World:
    world = World()
    world.produce_video("cam.mp4", "cam", frames=range(3))
    world.produce_pictures("cam", [START_MS, START_MS + 1_000, START_MS + DAY_MS - 500])
    world.produce_pictures("gate", [START_MS + 1_000])
    world.detect()
    world.effects = 0
    return world


def outcome(world: World) -> dict[str, object]:
    world.detect()
    return {
        "counting": world.counting(),
        "manifests": list_manifests(world.store),
        "tombstones": list_tombstones(world.store),
        "images": [info.key for info in world.store.list(keys.IMAGES)],
        "corrections": [*world.store.list(keys.CORRECTIONS), *world.store.list(keys.CHANGES)],
    }


def a_range(world: World, media: list[MediaManifest]) -> FootageChange:
    return mending.plan_forgetting(media, "cam", from_ms=START_MS + 2_000, to_ms=None, delete=False)


def all_of_it(world: World, media: list[MediaManifest]) -> FootageChange:
    return mending.plan_forgetting(media, "cam", from_ms=None, to_ms=None, delete=False)


def another_day(world: World, media: list[MediaManifest]) -> FootageChange:
    return mending.plan_retiming(media, "cam", start_ms=START_MS - 2_000, delete=False)


def another_name(world: World, media: list[MediaManifest]) -> FootageChange:
    return mending.plan_renaming(world.store, "cam", "gate", delete=False)


@pytest.mark.parametrize("plan", [a_range, all_of_it, another_day, another_name])
def test_the_preview_of_a_change_matches_what_it_does_to_each_day(
    world: World, tmp_path: Path, plan: Callable[[World, list[MediaManifest]], FootageChange]
) -> None:
    world.settings = load_settings(data_dir=tmp_path)
    world.produce_video("cam.mp4", "cam")
    world.produce_video("overlapping.mp4", "cam", start_ms=START_MS + 3_500)
    world.produce_video("gate.mp4", "gate", start_ms=START_MS + 1_500)
    world.produce_pictures("cam", [START_MS + DAY_MS - 500, START_MS + DAY_MS + 60_000])
    world.detect()
    forgotten = [one for one in list_manifests(world.store) if one.name == "overlapping.mp4"]
    world.forget(forgotten, tmp_path, from_ms=START_MS + 7_000, to_ms=None)
    change = plan(world, [one for one in list_manifests(world.store) if one.source == "cam"])
    before = world.days()
    told = world.preview(change, tmp_path)
    mending.carry_out(world, change, NoProgress())
    world.detect()
    after = world.days()
    assert told
    for one in told:
        day = one.source, one.day.isoformat()
        assert (one.frames_before, one.detections_before) == before.get(day, (0, 0)), day
        assert (one.frames_after, one.detections_after) == after.get(day, (0, 0)), day
    shown = {(one.source, one.day.isoformat()) for one in told}
    assert {day for day in before.keys() | after.keys() if before.get(day) != after.get(day)} <= shown


@pytest.mark.parametrize("shift_ms", [DAY_MS // 2, -DAY_MS // 2])
def test_all_footage_of_a_source_moves_by_the_same_amount_on_every_day(shift_ms: int) -> None:
    worlds = World(), World()
    for world, start_ms in zip(worlds, (START_MS, START_MS + shift_ms), strict=True):
        world.produce_video("cam.mp4", "cam", start_ms=start_ms)
        hours = (1, 20, 30, 50)
        world.produce_pictures("cam", [start_ms + hour * 3_600_000 for hour in hours])
        world.detect()
    mended, right = worlds
    media = list_manifests(mended.store)
    change = mending.plan_retiming(media, "cam", start_ms=START_MS + shift_ms, delete=False)
    done = mending.carry_out(mended, change, NoProgress())
    assert sum(one.frames for one in done.corrected) == 6 + 4
    mended.detect()
    assert mended.counting() == right.counting() != set()
    assert mending.unfinished(mended.store) == []


@pytest.mark.parametrize("cut_after", [False, True])
@pytest.mark.parametrize("name", first_quick(scenarios()))
def test_a_command_interrupted_at_any_effect_finishes_when_run_again(
    tmp_path: Path, name: str, cut_after: bool
) -> None:
    command = scenarios()[name]
    undisturbed = filled()
    command(undisturbed, tmp_path)
    effects = undisturbed.effects
    assert effects >= 6
    expected = outcome(undisturbed)
    for cut_at in range(1, effects + 1):
        world = filled()
        world.cut_at, world.cut_after = cut_at, cut_after
        with pytest.raises(PowerCut):
            command(world, tmp_path)
        world.detect()  # the consumer continues meanwhile
        command(world, tmp_path)
        assert outcome(world) == expected, f"cut at effect {cut_at}"
        if cut_at in (1, effects // 2, effects):
            assert balanced(world.status(tmp_path / f"{cut_at}"))


def test_an_unfinished_correction_is_behind_not_broken(world: World, tmp_path: Path) -> None:
    world.produce_video("cam.mp4", "cam")
    world.detect()
    world.effects, world.cut_at = 0, 10  # all is announced again, and the manifest is still the old one
    with pytest.raises(PowerCut):
        world.retime("cam.mp4", START_MS + 60_000)
    world.detect()
    status = world.status(tmp_path)
    assert status.broken == []
    assert any("run the same command again" in finding.line for finding in status.behind)


def test_a_lost_picture_is_named_and_must_be_produced_again(world: World, tmp_path: Path) -> None:
    manifest = world.produce_video("cam.mp4", "cam")
    world.detect()
    world.store.delete(keys.image_key("cam", START_MS + 2_000, manifest.sha256, 2))
    world.retime("cam.mp4", START_MS + 60_000)
    [changed] = list_manifests(world.store)
    assert (changed.state, changed.frames_expected, changed.frames_announced) == ("producing", 6, 5)
    assert any("1 frame to announce" in finding.line for finding in world.status(tmp_path).behind)


def names_of_media(world: World) -> Iterator[str]:
    yield "videos/cam.mp4"
    yield "videos"
    yield hashlib.sha256(b"videos/cam.mp4").hexdigest()
    yield hashlib.sha256(b"videos/cam.mp4").hexdigest()[:8]


def test_a_medium_is_found_by_path_folder_sha256_or_its_beginning(world: World, tmp_path: Path) -> None:
    made = world.produce_video("videos/cam.mp4", "cam")
    for name in names_of_media(world):
        assert lookup.find_media(world.store, name) == [made]
    moved = tmp_path / "moved.mp4"
    moved.write_bytes(b"videos/cam.mp4")
    assert lookup.find_media(world.store, str(moved)) == [made]


def test_a_name_that_matches_no_medium_or_several_is_refused_in_one_line(world: World) -> None:
    world.produce_pictures("pics", [START_MS, START_MS + DAY_MS])
    with pytest.raises(Misconfigured, match=r"no footage named 'x\.mp4' has been produced"):
        lookup.find_media(world.store, "x.mp4")
    with pytest.raises(Misconfigured, match="pics matches 2 recordings"):
        lookup.one_medium(lookup.find_media(world.store, "pics"), "pics")
    with pytest.raises(Misconfigured, match="sources: pics"):
        lookup.media_of_source(world.store, "gate")


def test_an_unknown_source_is_answered_with_the_names_that_people_gave(world: World) -> None:
    world.produce_video("a.mp4", "Straße Süd")
    world.produce_video("b.mp4", "Gate")
    with pytest.raises(Misconfigured, match=r"sources: Gate, Straße Süd$"):
        lookup.media_of_source(world.store, "Sued")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-01T01:00:00.250+01:00", 250),
        ("1970-01-02", 86_400_000 - 3_600_000),
        ("2026-10-25T02:30:00", 1_792_888_200_000),  # occurs twice in Berlin: the first
        ("2026-03-29T02:30:00", 1_774_747_800_000),  # skipped there: 03:30 of summer
        ("1767225600000", 1_767_225_600_000),
        ("-1767225600000", -1_767_225_600_000),
    ],
)
def test_a_time_on_the_command_line_is_read_in_the_requested_zone(text: str, expected: int) -> None:
    assert parse_time_ms("--from", text, zoneinfo.ZoneInfo("Europe/Berlin")) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "20260501x", "2026-13-01", "0001-01-01T00:00:00+23:00"])
def test_an_invalid_time_is_refused_with_a_valid_example(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"--from .* 2026-05-01T08:00:00\+02:00"):
        parse_time_ms("--from", text, zoneinfo.ZoneInfo("Europe/Berlin"))


steps = st.lists(
    st.tuples(
        st.sampled_from(["produce", "produce", "forget", "retime"]), st.integers(0, 2), st.integers(0, 12)
    ),
    min_size=3,
    max_size=9,
)


@pytest.mark.thorough
@given(steps)
@hypothesis_settings(max_examples=examples(40))
def test_any_sequence_of_produce_forget_and_retime_ends_as_if_right_from_the_start(
    done: list[tuple[str, int, int]],
) -> None:
    world, right = World(), World()
    for one in (world, right):
        one.log.create_topic(TOPIC, 2)
    there: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for what, number, seconds in done:
            name, start_ms = f"{number}.mp4", START_MS + 500 * seconds
            if what == "produce" and name not in there:
                there[name] = start_ms
                world.produce_video(name, "cam", start_ms=start_ms, frames=range(6 + number))
            elif what == "forget" and there.pop(name, None) is not None:
                world.forget(lookup.find_media(world.store, name), Path(folder), delete_images=True)
            elif what == "retime" and name in there:
                there[name] = start_ms
                world.retime(name, start_ms, delete_images=True)
            if seconds % 2:
                world.detect()
        world.detect()
        assert balanced(world.status(Path(folder)))
    for name, start_ms in sorted(there.items(), reverse=True):
        right.produce_video(name, "cam", start_ms=start_ms, frames=range(6 + int(name[0])))
    right.detect()
    assert world.counting() == right.counting()
    times = [int(path.rpartition("/")[2].split("-")[0]) for path in world.counting()]
    assert len(times) == len(set(times))
