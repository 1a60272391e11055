"""The record of an hour says when its source showed nothing; null if its pictures were not measured."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from tests.hadoop.conftest import NOON_MS, Footage

from frametally.books.runs import current_runs, read_run
from frametally.records import FrameDetections
from frametally.rules.blank_stretches import Blank
from frametally.rules.times import HOUR_MS
from frametally_hadoop.job.lines import decode_frame
from frametally_hadoop.job.map_reduce import FrameGroups, reduce_group
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.reading import read_blocks


def measured(
    footage: Footage, times_ms: Iterable[int], digest: str | None = None, shows: Blank | None = None
) -> list[FrameDetections]:
    frames = []
    for number, time_ms in enumerate(times_ms):
        frame = replace(footage.frame(time_ms), picture_digest=digest or f"{number:04d}")
        frames.append(frame if shows is None else replace(frame, shows=shows, detections=[]))
    return frames


def output_of(footage: Footage, keys: Sequence[str], params: CountParams) -> list[tuple[list[Any], Any]]:
    """Return the keys and values of the job's output."""

    def fetch(url: str, _: str, *, block_bytes: int) -> Iterator[bytes]:
        data = footage.store.get(url)
        return (data[first : first + block_bytes] for first in range(0, len(data), block_bytes))

    groups = FrameGroups(params, lambda *_: None, fetch=fetch)
    values: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for pairs in (*map(groups.add, keys), groups.drain()):
        for name, value in pairs:
            values[name].append(value)
    return [
        (json.loads(output), json.loads(value))
        for name in sorted(values)
        for output, value in reduce_group(name, values[name], params, lambda *_: None)
    ]


def hours_of(footage: Footage, keys: Sequence[str], params: CountParams) -> dict[int, Any]:
    """Return the records of hours by the hours since noon."""
    output = output_of(footage, keys, params)
    return {(name[2] - NOON_MS) // HOUR_MS: value for name, value in output if name[0] == "hour"}


def test_an_hours_record_has_black_and_frozen_stretches_wherever_their_frames_were_analysed(
    footage: Footage,
) -> None:
    times_ms = [NOON_MS + 200 * number for number in range(1500)]
    frames = measured(footage, times_ms)
    frames[100:200] = measured(footage, times_ms[100:200], shows="black")
    frames[500:900] = measured(footage, times_ms[500:900], digest="same")
    keys = [footage.segment(frames[part::3]) for part in range(3)]
    assert hours_of(footage, keys, CountParams())[0]["blank"] == [
        [times_ms[100], times_ms[199], "black"],
        [times_ms[500], times_ms[899], "frozen"],
    ]


def test_a_picture_frozen_across_the_full_hour_is_frozen_in_both_hours(footage: Footage) -> None:
    times_ms = [NOON_MS + HOUR_MS + 200 * number for number in range(-200, 200)]
    records = hours_of(footage, [footage.segment(measured(footage, times_ms, digest="same"))], CountParams())
    end_ms = NOON_MS + HOUR_MS
    assert records[0]["blank"] == [[times_ms[0], end_ms, "frozen"]]
    assert records[1]["blank"] == [[end_ms, times_ms[-1], "frozen"]]


def test_an_hour_with_an_unmeasured_frame_is_unknown(footage: Footage) -> None:
    earlier = footage.segment([footage.frame(NOON_MS + number) for number in range(3)])
    later = footage.segment(measured(footage, range(NOON_MS + 1000, NOON_MS + 1003)))
    assert hours_of(footage, [later], CountParams())[0]["blank"] == []
    assert hours_of(footage, [earlier, later], CountParams())[0]["blank"] is None
    assert hours_of(footage, [later], CountParams(tracking=None))[0]["blank"] is None, "nobody looks"


def test_measuring_pictures_changes_no_count(footage: Footage) -> None:
    frames = [footage.frame(NOON_MS + 200 * number, "car") for number in range(50)]
    plain = footage.segment(frames)
    digested = footage.segment([replace(frame, picture_digest="same") for frame in frames])

    output, of_digested = (output_of(footage, [key], CountParams()) for key in (plain, digested))
    blank = [value.pop("blank") for name, value in (*output, *of_digested) if name[0] == "hour"]
    assert blank == [None, []]
    assert [value.pop("blank") for name, value in of_digested if name[0] == "coverage"] == [[]]
    assert output == of_digested
    assert len(output) > 3
    bodies = [footage.store.get(key).partition(b"\n")[2] for key in (plain, digested)]
    assert bodies[0] == bodies[1]


def filmed(
    footage: Footage, minutes: int, *, fps: int = 5, **blank: tuple[int, int]
) -> list[FrameDetections]:
    """Footage with a car in each frame; `blank` gives the minutes without a view, by reason."""
    frames = []
    for number in range(60 * fps * minutes):
        time_ms = NOON_MS + 1000 * number // fps
        frame = replace(footage.frame(time_ms, "car"), picture_digest=f"{number:04d}")
        for reason, (first, end) in blank.items():
            if first <= number // (60 * fps) < end:
                is_frozen = reason == "frozen"
                frame = replace(
                    frame, picture_digest="same", **({} if is_frozen else {"shows": reason, "detections": []})
                )
        frames.append(frame)
    return frames


def coverage_of(footage: Footage, frames: Sequence[FrameDetections], **params: Any) -> dict[int, Any]:
    """Return the records of coverage by minutes since noon."""
    output = output_of(footage, [footage.segment(frames)], CountParams(**params))
    return {(name[2] - NOON_MS) // 60_000: value for name, value in output if name[0] == "coverage"}


def test_25_minutes_with_5_black_ones_count_as_20(footage: Footage) -> None:
    frames = filmed(footage, 25, black=(10, 15))
    (whole,) = coverage_of(footage, frames, interval_s=1800).values()
    assert (whole["frames"], whole["detections"], whole["covered_ms"]) == (6000, 6000, 1_200_000)
    assert whole["blank"] == [["black", 1500, 300_000]]
    minutes = coverage_of(footage, frames)
    assert [number for number, minute in minutes.items() if minute["blank"]] == [10, 11, 12, 13, 14]
    assert minutes[12]["blank"] == [["black", 300, 60_000]]
    assert [minutes[12][name] for name in ("frames", "detections", "objects", "covered_ms")] == [
        0,
        0,
        None,
        0,
    ]
    assert sum(minute["frames"] for minute in minutes.values()) == 6000
    assert {minute["analysed_fps"] for minute in minutes.values()} == {5.0}


@pytest.mark.parametrize("reason", ["black", "one_colour"])
@pytest.mark.parametrize(
    ("limits", "detections"),
    [
        ({}, 180),
        ({"tracking": None}, 180),  # the job then decodes labels alone
        ({"min_confidence": 9100}, None),
        ({"min_side": 310}, None),
        ({"labels": ("person",)}, None),
    ],
)
def test_a_frame_with_a_counted_box_shows_something_however_dark_it_is(
    footage: Footage, reason: Blank, limits: dict[str, Any], detections: int | None
) -> None:
    frames = measured(footage, [NOON_MS + 200 * number for number in range(300)], shows=reason)
    frames[60:240] = [
        replace(frame, detections=footage.frame(frame.captured_at_ms, "car").detections)
        for frame in frames[60:240]
    ]
    (minute,) = coverage_of(footage, frames, **limits).values()
    left_out = sum(part[1] for part in minute["blank"])
    assert (minute["detections"], minute["frames"], left_out) == (
        (detections, 180, 120) if detections else (0, 0, 300)
    )


def test_boxes_in_a_frozen_picture_are_not_counted(footage: Footage) -> None:
    output = output_of(footage, [footage.segment(filmed(footage, 6, frozen=(2, 4)))], CountParams())
    counted = {
        (name[3] - NOON_MS) // 60_000: value["detections"] for name, value in output if name[0] == "count"
    }
    assert counted == dict.fromkeys([0, 1, 4, 5], 300)


def test_blank_and_visible_frames_and_times_add_up(footage: Footage) -> None:
    plain = coverage_of(footage, filmed(footage, 9))
    mixed = coverage_of(footage, filmed(footage, 9, black=(1, 3), one_colour=(3, 4), frozen=(6, 8)))
    for number, minute in mixed.items():
        assert minute["frames"] + sum(frames for _, frames, _ in minute["blank"]) == plain[number]["frames"]
        assert minute["covered_ms"] + sum(ms for _, _, ms in minute["blank"]) == plain[number]["covered_ms"]


@pytest.mark.parametrize(
    ("black", "blank"),
    [(range(100, 101), 0), (range(100, 149), 0), (range(100, 151), 51), (range(250, 300), 0)],
)
def test_a_short_black_stretch_next_to_a_picture_belongs_to_the_scene(
    footage: Footage, black: range, blank: int
) -> None:
    frames = filmed(footage, 1)
    for number in black:
        frames[number] = replace(frames[number], shows="black", detections=[])
    (minute,) = coverage_of(footage, frames).values()
    assert (minute["frames"], sum(part[1] for part in minute["blank"])) == (300 - blank, blank)


def test_a_black_picture_a_minute_from_the_next_is_blank(footage: Footage) -> None:
    frames = measured(footage, [NOON_MS + 60_000 * number for number in range(3)])
    frames[1] = replace(frames[1], shows="black", detections=[])
    assert [minute["frames"] for _, minute in sorted(coverage_of(footage, frames).items())] == [1, 0, 1]


def test_a_black_picture_timed_by_its_file_is_blank(footage: Footage) -> None:
    (picture,) = measured(footage, [NOON_MS], shows="black")
    (minute,) = coverage_of(footage, [replace(picture, time_source="file_time")]).values()
    assert (minute["frames"], minute["objects"], minute["blank"]) == (0, None, [["black", 1, 0]])


def test_a_day_with_a_black_hour_is_published_whole(footage: Footage) -> None:
    footage.segment(filmed(footage, 25, fps=1, black=(10, 15)))
    footage.aggregate()
    (run,) = current_runs(footage.store)
    assert run.frames == 1500
    counts, coverage = read_run(footage.store, run)
    assert sum(record.frames for record in coverage) == sum(count.detections for count in counts) == 1200
    footage.segment([replace(footage.frame(NOON_MS + HOUR_MS), picture_digest="late")])
    footage.aggregate()
    assert [run.frames for run in current_runs(footage.store)] == [1501]


def test_a_segment_that_differs_only_in_picture_digests_is_counted_again(footage: Footage) -> None:
    frames = filmed(footage, 3, fps=1)
    key = footage.segment(frames)
    footage.aggregate()
    (before,) = current_runs(footage.store)
    data = footage.store.get(key)
    footage.store.delete(key)
    footage._next_offset = 0
    assert footage.segment([replace(frame, picture_digest="same") for frame in frames]) == key
    assert footage.store.get(key).partition(b"\n")[2] == data.partition(b"\n")[2]
    footage.aggregate()
    (after,) = current_runs(footage.store)
    assert before.inputs_sha256 != after.inputs_sha256
    assert sum(record.frames for record in read_run(footage.store, before)[1]) == 180
    assert sum(record.frames for record in read_run(footage.store, after)[1]) == 0


@pytest.mark.parametrize("block_bytes", [64, 1000, 1_000_000])
def test_each_line_gets_the_digest_of_its_own_picture(footage: Footage, block_bytes: int) -> None:
    frames = [*measured(footage, range(NOON_MS, NOON_MS + 20)), footage.frame(NOON_MS, source="unmeasured")]
    frames += [replace(f, source="z", image_path=f.image_path.replace("gate", "z")) for f in frames[:20]]
    data = footage.store.get(footage.segment(frames))
    for sources in (None, {"z"}, {"unmeasured"}):
        pieces = [data[first : first + block_bytes] for first in range(0, len(data), block_bytes)]
        blocks = read_blocks(
            "url", "name", sources=sources, fetch=lambda *_, pieces=pieces, **__: iter(pieces)
        )
        for block in blocks:
            assert not block.bad
            for frame in map(decode_frame, block.lines):
                number = frame.captured_at_ms - NOON_MS
                expected = "" if frame.source == "unmeasured" else f"{number:04d}"
                assert (frame.source in (sources or {frame.source}), frame.picture_digest) == (True, expected)
