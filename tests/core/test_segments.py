"""A segment has the same bytes for the same messages, and is never read as more or less than it is."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_frame, make_segment

from frametally import keys
from frametally.adapters_by_url import open_ledger
from frametally.books.evidence import find_line
from frametally.errors import Misconfigured, Poison
from frametally.media.overlapping import NotCounted
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing
from frametally.process.reports import NoProgress
from frametally.records import DeadLetter, Detection, FrameDetections, encode
from frametally.segments.contents import (
    CutShort,
    check_belongs,
    decode_segment,
    list_segments,
    read_header,
    read_segment,
)
from frametally.undo_records import Tombstone

MODEL, LOG, TOPIC = "pixels-1", "log-1", "frames"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(open_ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")) as opened:
        yield opened


def frame(source: str, captured_at_ms: int, index: int = 0, label: str = "car") -> FrameDetections:
    found = Detection(label=label, confidence=0.5, box=(1.0, 2.0, 3.0, 4.5))
    return make_frame(captured_at_ms, index, [found], source=source, model=MODEL)


def letter(offset: int) -> DeadLetter:
    return DeadLetter(offset=offset, message=b"\xff\x00 not json", stage="parse", reason="not JSON")


def segment(frames: list[FrameDetections], dead_letters: list[DeadLetter], first_offset: int = 0) -> bytes:
    return make_segment(frames, dead_letters, first_offset, model=MODEL, log_id=LOG, topic=TOPIC)


FRAMES = [frame(source, t) for source in ("b-cam", "a-cam") for t in (5_000, 1_000, 3_000)]


@given(st.randoms(use_true_random=False))
def test_the_order_of_detection_leaves_no_trace(rng: random.Random) -> None:
    frames, letters = [*FRAMES, FRAMES[0]], [letter(8), letter(7)]
    shuffled, shuffled_letters = list(frames), list(letters)
    rng.shuffle(shuffled)
    rng.shuffle(shuffled_letters)
    assert segment(shuffled, shuffled_letters) == segment(frames, letters)


def test_a_segment_is_read_back_as_written() -> None:
    read = decode_segment(segment(FRAMES, [letter(6)]), "key")
    assert sorted(read.frames(), key=lambda f: f.image_path) == sorted(FRAMES, key=lambda f: f.image_path)
    assert read.dead_letters() == [letter(6)]
    assert (read.header.frames, read.header.dead_letters, read.header.next_offset) == (6, 1, 7)


def test_the_header_has_picture_digests_only_for_sources_with_all_frames_measured() -> None:
    measured = [replace(line, picture_digest=f"d{line.captured_at_ms // 1000:03d}") for line in FRAMES]
    data = segment([*measured[:3], *FRAMES[3:5], measured[5]], [])
    partly, whole = decode_segment(data, "key").header.sources
    assert (partly.source, partly.picture_digests) == ("a-cam", UNSET)
    assert (whole.source, whole.picture_digests) == ("b-cam", "d001d003d005")
    assert data.partition(b"\n")[2] == segment(FRAMES, []).partition(b"\n")[2]


def test_the_header_gives_each_sources_times_and_bytes() -> None:
    data = segment(FRAMES, [letter(6)])
    header = decode_segment(data, "key").header
    body = data.partition(b"\n")[2]
    assert [part.source for part in header.sources] == ["a-cam", "b-cam"]
    for part in header.sources:
        lines = body[part.first_byte : part.next_byte].splitlines()
        assert len(lines) == part.frames == 3
        assert all(f'"source":"{part.source}"'.encode() in line for line in lines)
        assert (part.first_captured_at_ms, part.last_captured_at_ms) == (1_000, 5_000)


@given(st.integers(min_value=0))
def test_a_segment_truncated_anywhere_is_never_taken_for_whole(cut: int) -> None:
    data = segment(FRAMES, [letter(6)])
    with pytest.raises(CutShort):
        decode_segment(data[: cut % len(data)], "key")


def test_a_segment_with_added_lines_is_not_taken_for_whole() -> None:
    with pytest.raises(CutShort):
        decode_segment(segment(FRAMES, []) + encode(FRAMES[0]) + b"\n", "key")


@pytest.mark.parametrize("head", [b"", b"{}", b"hello", b'{"v":99,"model":"m"}', b"\xff\xfe"])
def test_an_invalid_header_is_poison_and_is_named(head: bytes) -> None:
    with pytest.raises(Poison, match=r"metadata/x\.jsonl"):
        decode_segment(head + b"\n", "metadata/x.jsonl")


def test_a_header_is_read_without_reading_the_segment(store: MemoryStore) -> None:
    many = [frame(f"cam-{number}", 1_000) for number in range(1_000)]  # a header of more than 100 kB
    store.put("metadata/many.jsonl", segment(many, []))
    header, body_start = read_header(store, "metadata/many.jsonl")
    assert len(header.sources) == 1_000
    assert store.get_range("metadata/many.jsonl", body_start, body_start + 5) == b'{"v":'


def test_an_object_without_a_line_is_not_a_segment(store: MemoryStore) -> None:
    store.put("metadata/x", b"no line end")
    with pytest.raises(Poison, match="move it out"):
        read_header(store, "metadata/x")
    with pytest.raises(ObjectMissing):
        read_segment(store, "metadata/none")


def test_a_forgotten_frame_is_no_longer_found(ledger: Ledger, store: MemoryStore) -> None:
    store.put(keys.segment_key(MODEL, LOG, TOPIC, 0, 0), segment(FRAMES, []))
    wanted, other = FRAMES[0], FRAMES[1]
    stone = Tombstone(
        media=wanted.media,
        name="cam.mp4",
        source=wanted.source,
        from_ms=wanted.captured_at_ms,
        to_ms=wanted.captured_at_ms + 1,
        first_captured_at_ms=None,
        last_captured_at_ms=None,
        why="forget",
    )
    store.put(keys.tombstone_key(stone.media, stone.from_ms, stone.to_ms), encode(stone))
    ledger.refresh(store, NoProgress())

    def find(frame: FrameDetections) -> FrameDetections | None:
        return find_line(
            store,
            ledger,
            model=MODEL,
            source=frame.source,
            captured_at_ms=frame.captured_at_ms,
            image_path=frame.image_path,
            not_counted=NotCounted(ledger).by("first"),
        )

    assert find(wanted) is None
    assert find(other) == other


def test_a_segment_under_a_foreign_key_is_reported() -> None:
    header = decode_segment(segment(FRAMES, []), "key").header
    check_belongs(header, keys.segment_key(MODEL, LOG, TOPIC, 0, 0))
    with pytest.raises(Misconfigured, match="put it back"):
        check_belongs(header, keys.segment_key(MODEL, "other-log", TOPIC, 0, 0))


def test_a_frame_is_found_with_its_boxes_and_in_the_version_that_counts(
    ledger: Ledger, store: MemoryStore
) -> None:
    wanted = FRAMES[0]
    other = frame(wanted.source, wanted.captured_at_ms, label="bus")  # the same frame, another CPU's answer
    store.put(keys.segment_key(MODEL, LOG, TOPIC, 0, 0), segment(FRAMES, []))
    store.put(keys.segment_key(MODEL, LOG, TOPIC, 0, 1000), segment([other], [], first_offset=1000))
    store.put(f"{keys.METADATA}/readme.txt", b"not a segment\n")
    assert len(list(list_segments(store))) == 2
    ledger.refresh(store, NoProgress())

    def find(model: str, image_path: str) -> FrameDetections | None:
        return find_line(
            store,
            ledger,
            model=model,
            source=wanted.source,
            captured_at_ms=wanted.captured_at_ms,
            image_path=image_path,
            not_counted={},
        )

    assert find(MODEL, wanted.image_path) == min(wanted, other, key=encode)
    assert find("other-model", wanted.image_path) is None
    assert find(MODEL, wanted.image_path.replace("-0.jpg", "-1.jpg")) is None
