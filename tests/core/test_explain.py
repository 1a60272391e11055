"""Explaining a bar: every frame behind it, and a total that equals the bar."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.memory import MemoryStore
from tests.fakes.records import (
    DAY_MS,
    make_count,
    make_coverage,
    make_frame,
    make_manifest,
    make_run,
    make_segment,
)

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.books.bars import NoSuchBar, find_bar
from frametally.books.counted_days import CountedWith
from frametally.books.evidence import frames_of_bar, frames_of_medium
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.live_records import LiveMinute, Outage
from frametally.media.overlapping import NotCounted
from frametally.ports.count_index import CountIndex
from frametally.ports.ledger import Ledger
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections, encode
from frametally.rules.counted_boxes import CountedBoxes
from frametally.rules.times import utc
from frametally.settings.loading import load_settings
from frametally.undo_records import Tombstone
from frametally_cli.main import main

MODEL, MEDIA = "pixels-1", "ab" * 32
LIMITS = CountedBoxes(min_confidence=2_500, min_side=50)
MINUTE_MS = 60_000


def box(label: str, confidence: float, side: float) -> Detection:
    return Detection(label=label, confidence=confidence, box=(1.0, 2.0, side, side + 1))


def frame(at_ms: int, boxes: list[Detection], *, source: str = "cam", media: str = MEDIA) -> FrameDetections:
    path = keys.image_key(source, at_ms, MEDIA, 0)
    return make_frame(
        at_ms, 0, boxes, source=source, media=media, model=MODEL, time_source="exif", image_path=path
    )


class Reading(MemoryStore):
    """A store that records each full read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_in_full: list[str] = []

    def get(self, key: str) -> bytes:
        self.read_in_full.append(key)
        return super().get(key)


def put_segments(store: MemoryStore, segments: list[list[FrameDetections]]) -> None:
    first = 0
    for frames in segments:
        data = make_segment(frames, (), first, model=MODEL, log_id="log")
        store.put(keys.segment_key(MODEL, "log", "frames", 0, first), data)
        first += len(frames)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")) as opened:
        yield opened


def explained(store: MemoryStore, ledger: Ledger, from_ms: int, to_ms: int, **options: object) -> list:
    gone = NotCounted(ledger).by("first")
    options = {"labels": ["car"], "limits": LIMITS, "not_counted": gone} | options
    return list(
        frames_of_bar(store, ledger, model=MODEL, source="cam", from_ms=from_ms, to_ms=to_ms, **options)
    )


def test_only_boxes_that_count_are_listed_in_order_of_time(ledger: Ledger, store: MemoryStore) -> None:
    yes, weak, small, other = box("car", 0.25, 5), box("car", 0.2499, 9), box("car", 1, 4.9), box("bus", 1, 9)
    frames = [
        frame(59_999, [yes]),
        frame(60_000, [yes, weak, yes]),
        frame(61_000, [weak, small, other]),
        frame(119_999, [other, yes]),
        frame(120_000, [yes]),
        frame(70_000, [yes], source="gate"),
    ]
    put_segments(store, [frames[3:], frames[:3]])
    ledger.refresh(store, NoProgress())
    found = explained(store, ledger, 60_000, 120_000)
    assert [(one.frame.captured_at_ms, one.boxes) for one in found] == [
        (60_000, [yes, yes]),
        (119_999, [yes]),
    ]


def test_a_page_starts_after_the_last_frame_shown(ledger: Ledger, store: MemoryStore) -> None:
    put_segments(store, [[frame(ms, [box("car", 1, 9)]) for ms in range(0, 3 * 600_000, 100_000)]])
    ledger.refresh(store, NoProgress())
    everything = explained(store, ledger, 0, 10**9)
    assert len(everything) == 18
    for at, shown in enumerate(everything):
        after = (shown.frame.captured_at_ms, shown.frame.image_path)
        assert explained(store, ledger, 0, 10**9, after=after) == everything[at + 1 :]


@pytest.mark.thorough
def test_a_bars_proof_leaves_out_the_same_frames_as_the_proof_of_the_whole(ledger: Ledger) -> None:
    rng, store, frames = random.Random(5), MemoryStore(), []  # noqa: S311
    while len(frames) < 600:
        shows = rng.choice(["black", msgspec.UNSET])
        frames += [
            msgspec.structs.replace(
                frame(1000 * number, [box("car", 1, 9)] if rng.random() < 0.02 else []), shows=shows
            )
            for number in range(len(frames), len(frames) + rng.randint(1, 30))
        ]
    put_segments(store, [frames])
    ledger.refresh(store, NoProgress())
    whole = explained(store, ledger, 0, 10**6, empty=True)
    assert 0 < len(whole) < len(frames)
    proofs = [one.image_path for one in frames if one.detections]
    assert [one.frame.image_path for one in explained(store, ledger, 0, 10**6)] == proofs
    for _ in range(60):
        from_ms, to_ms = sorted(1000 * rng.randint(0, 600) for _ in range(2))
        of_bar = [one for one in whole if from_ms <= one.frame.captured_at_ms < to_ms]
        assert explained(store, ledger, from_ms, to_ms, empty=True) == of_bar, (from_ms, to_ms)


def test_no_segment_is_read_whole_or_without_frames_of_the_bar(ledger: Ledger) -> None:
    store = Reading()
    put_segments(store, [[frame(minute * MINUTE_MS + 30_000, [box("car", 1, 9)])] for minute in range(30)])
    ledger.refresh(store, NoProgress())
    store.read_in_full.clear()
    ranges: list[str] = []
    get_range = store.get_range

    def noted(key: str, first_byte: int, next_byte: int) -> bytes:
        ranges.append(key)
        return MemoryStore.get(store, key)[first_byte:next_byte]

    store.get_range = noted  # type: ignore[method-assign]
    assert len(explained(store, ledger, 7 * MINUTE_MS, 8 * MINUTE_MS)) == 1
    assert (len(ranges), store.read_in_full) == (1, [])
    store.get_range = lambda key, first, end: get_range(key, first, end - 1)  # type: ignore[method-assign]
    with pytest.raises(Retryable, match="arrived incomplete"):
        explained(store, ledger, 7 * MINUTE_MS, 8 * MINUTE_MS)


def test_a_mediums_proof_shows_only_its_own_frames_at_shared_times(ledger: Ledger) -> None:
    store, other = MemoryStore(), "cd" * 32
    frames = [frame(n * MINUTE_MS, []) for n in (1, 2)]
    frames += [
        msgspec.structs.replace(
            one, media=other, image_path=keys.image_key("cam", one.captured_at_ms, other, 0)
        )
        for one in frames
    ]
    put_segments(store, [frames])
    ledger.refresh(store, NoProgress())
    manifest = make_manifest(2, media=other, source="cam")
    yielded = frames_of_medium(store, ledger, manifest, model=MODEL, from_ms=0, to_ms=2 * MINUTE_MS)
    assert [(one.media, one.captured_at_ms) for one in yielded] == [(other, MINUTE_MS)]


def test_lines_damaged_on_disk_prove_nothing(ledger: Ledger, store: MemoryStore) -> None:
    put_segments(store, [[frame(MINUTE_MS, [box("car", 0.9643, 20.0)])]])
    ledger.refresh(store, NoProgress())
    assert len(explained(store, ledger, MINUTE_MS, 2 * MINUTE_MS)) == 1
    key = keys.segment_key(MODEL, "log", "frames", 0, 0)
    changed = store.get(key).replace(b"0.9643", b"0.1643")
    store.get_range = lambda key, first, end: changed[first:end]  # type: ignore[method-assign]
    with pytest.raises(Poison, match=f"{key}, cam: damaged"):
        explained(store, ledger, MINUTE_MS, 2 * MINUTE_MS)


labels = st.sampled_from(["car", "bus"])
detections = st.lists(
    st.builds(box, labels, st.sampled_from([0.2, 0.25, 0.9]), st.sampled_from([4.0, 5.0, 80.0]))
)
frames = st.builds(
    frame,
    st.integers(0, 40).map(lambda n: n * 30_000),
    detections,
    source=st.sampled_from(["cam", "gate"]),
    media=st.sampled_from([MEDIA, f"{MEDIA}.1", "cd" * 32]),
)
stones = st.lists(
    st.tuples(
        st.sampled_from([MEDIA, "cd" * 32]),
        st.none() | st.integers(0, 1_200_000),
        st.none() | st.integers(0, 1_200_000),
    ),
    max_size=2,
)


@pytest.mark.thorough
@settings(max_examples=examples(30))
@given(st.lists(st.lists(frames, min_size=1, max_size=8), max_size=6), stones)
def test_the_proofs_total_equals_a_full_count_for_any_segments(
    tmp_path_factory: pytest.TempPathFactory,
    segments: list[list[FrameDetections]],
    tombstones: list[tuple[str, int | None, int | None]],
) -> None:
    store = MemoryStore()
    put_segments(store, segments)
    for media, from_ms, to_ms in tombstones:
        stone = Tombstone(media=media, source="cam", name="n", from_ms=from_ms, to_ms=to_ms, why="forget")
        store.put(keys.tombstone_key(media, from_ms, to_ms), encode(stone))
    smallest: dict[str, bytes] = {}
    for line in (one for frames in segments for one in frames):
        gone = any(
            line.media == media
            and (from_ms is None or line.captured_at_ms >= from_ms)
            and (to_ms is None or line.captured_at_ms < to_ms)
            for media, from_ms, to_ms in tombstones
        )
        if not gone:
            data = encode(line)
            smallest[line.image_path] = min(data, smallest.get(line.image_path, data))
    kept = {path: line for path, line in smallest.items() if path.startswith("images/cam/")}
    path = tmp_path_factory.mktemp("explain") / "ledger.sqlite"
    with closing(open_ledger(f"sqlite:///{path}")) as ledger:
        ledger.refresh(store, NoProgress())
        for from_ms, to_ms in ((0, 1_300_000), (30_000, 600_000), (600_000, 630_000)):
            found = explained(store, ledger, from_ms, to_ms)
            times = [one.frame.captured_at_ms for one in found]
            assert times == sorted(times)
            assert len({one.frame.image_path for one in found}) == len(found)
            expected = sum(
                line.count(b'"label":"car","confidence":0.25,"box":[1.0,2.0,5.0')
                + line.count(b'"label":"car","confidence":0.25,"box":[1.0,2.0,80.0')
                + line.count(b'"label":"car","confidence":0.9,"box":[1.0,2.0,5.0')
                + line.count(b'"label":"car","confidence":0.9,"box":[1.0,2.0,80.0')
                for path_of, line in kept.items()
                if from_ms <= int(path_of.rpartition("/")[2].split("-")[0]) < to_ms
            )
            assert sum(len(one.boxes) for one in found) == expected


@pytest.fixture
def index(tmp_path: Path) -> Iterator[CountIndex]:
    with closing(open_count_index(f"sqlite:///{tmp_path / 'index.sqlite'}")) as opened:
        run = make_run(model=MODEL, day="1970-01-01", frames=9)
        of_all: dict[str, Any] = {"model": MODEL, "source": "cam", "frames": 3}
        coverage = [make_coverage(n * MINUTE_MS, **of_all) for n in (1, 2, 3)]
        counts = [make_count(n * MINUTE_MS, "car", n, peak=1, evidence=[], **of_all) for n in (1, 2)]
        assert opened.publish(run, counts, coverage)
        yield opened


def test_a_bar_is_found_in_the_stored_interval_or_a_multiple(index: CountIndex) -> None:
    of_bar = {"source": "cam", "label": "car"}
    assert find_bar(index, **of_bar, start_ms=2 * MINUTE_MS)[4:7] == (60, 2, 3)
    assert find_bar(index, **of_bar, start_ms=0, interval_s=180)[4:7] == (180, 3, 6)


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"start_ms": 1}, NoSuchBar, "begin at 1970-01-01 00:00:00Z and 1970-01-01 00:01:00Z"),
        (
            {"start_ms": 0},
            NoSuchBar,
            "frametally has counted nothing of source cam at that time; sources of pixels-1: cam",
        ),
        ({"start_ms": 60_000, "source": "gate"}, NoSuchBar, "nothing of source gate"),
        (
            {"start_ms": 180_000},
            NoSuchBar,
            "none of the 3 frames of cam that were analysed at that time shows 'car'",
        ),
        ({"start_ms": 0, "interval_s": 90}, Misconfigured, "multiples of 60 s"),
        ({"start_ms": 0, "model": "x"}, Misconfigured, "choose from: pixels-1"),
    ],
)
def test_a_bar_that_does_not_exist_is_reported(
    index: CountIndex, asked: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        find_bar(index, **({"source": "cam", "label": "car"} | asked))


@pytest.mark.parametrize(("label", "remedy"), [("cra", "did you mean car?"), ("zebra", "choose from: car")])
def test_a_label_that_was_never_counted_is_answered_with_the_nearest_label_or_all(
    index: CountIndex, label: str, remedy: str
) -> None:
    with pytest.raises(NoSuchBar) as caught:
        find_bar(index, source="cam", label=label, start_ms=MINUTE_MS)
    assert str(caught.value) == f"no bar: there is no label named '{label}'; {remedy}"


def test_labels_that_do_not_count_are_left_out_of_the_proof_of_all_labels(
    ledger: Ledger, store: MemoryStore
) -> None:
    put_segments(store, [[frame(60_000, [box("car", 1, 9), box("bus", 1, 9)])]])
    ledger.refresh(store, NoProgress())
    limits = LIMITS._replace(labels=("bus",))
    [found] = explained(store, ledger, 0, 120_000, labels=[], limits=limits)
    assert [one.label for one in found.boxes] == ["bus"]


def test_there_is_no_bar_before_anything_is_counted(tmp_path: Path) -> None:
    with (
        closing(open_count_index(f"sqlite:///{tmp_path / 'empty.sqlite'}")) as index,
        pytest.raises(NoSuchBar, match="frametally aggregate"),
    ):
        find_bar(index, source="cam", label="car", start_ms=0)


def test_where_nothing_is_counted_the_command_says_what_happened_to_the_footage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outage = Outage(DAY_MS + 59_000, DAY_MS + 200_000, "connection refused")
    live = LiveMinute(session_ms=DAY_MS, minute_ms=DAY_MS, outages=[outage])
    manifest = make_manifest(60)
    changes = {"first_captured_at_ms": DAY_MS, "last_captured_at_ms": DAY_MS + 59_000, "live": live}
    with closing(open_object_store((tmp_path / "store").as_uri())) as store:
        store.put(manifest.key, encode(msgspec.structs.replace(manifest, kind="video", **changes)))
    command = ["explain", "--data-dir", str(tmp_path), "--source", manifest.source, "--label", "car"]

    def explained_at(time_ms: int) -> str:
        assert main([*command, "--interval", "60", "--interval-start", utc(time_ms)]) == 2
        return capsys.readouterr().err

    assert "The camera was disconnected for 60.0 s of this time: connection refused." in explained_at(
        DAY_MS + 60_000
    )
    told = explained_at(DAY_MS)
    assert "60 frames are announced and not analysed yet." in told
    assert "See `frametally status`." in told


def test_the_limits_come_from_the_settings() -> None:
    assert load_settings(
        count_min_confidence=0.07, count_min_side_px=2.5, count_labels="b, a"
    ).counted_boxes() == (700, 25, ("a", "b"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"labels": []}, "labels all"),
        ({"labels": ["bus", "car"]}, "labels bus+car"),
        ({"tracking": {"fixed_labels": []}}, "tracking (fixed_labels none)"),
        ({"tracking": {"fixed_labels": ["car"]}}, "tracking (fixed_labels car)"),
        ({"tracking": {"groups": {}}}, "tracking (groups none)"),
        ({"tracking": {"strong_confidence_by_label": {}}}, "tracking (strong_confidence_by_label none)"),
        ({"tracking": None}, "tracking off"),
    ],
)
def test_an_empty_list_of_settings_has_an_explanation(settings: dict[str, Any], words: str) -> None:
    assert CountedWith("ab", settings).words == words


def test_settings_that_name_only_the_rules_do_not_say_which_boxes_count() -> None:
    assert CountedWith("0a1b2c3d", {"flows_version": 2}).counted_boxes() is None
