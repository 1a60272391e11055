"""The record of an hour says when its source showed nothing; null if its pictures were not measured."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from tests.hadoop.conftest import NOON_MS, Footage

from frametally.records import FrameDetections
from frametally.rules.blank_stretches import Blank
from frametally.rules.times import HOUR_MS
from frametally_hadoop.job.map_reduce import FrameGroups, reduce_group
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.reading import read_blocks


def measured(
    footage: Footage, times_ms: Iterable[int], digest: str | None = None, shows: Blank | None = None
) -> list[FrameDetections]:
    frames = []
    for number, time_ms in enumerate(times_ms):
        frame = replace(footage.frame(time_ms), picture_digest=digest or f"{number:04d}")
        frames.append(frame if shows is None else replace(frame, shows=shows))
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


def test_a_frozen_picture_over_the_full_hour_is_frozen_in_both_hours(footage: Footage) -> None:
    times_ms = [NOON_MS + HOUR_MS + 200 * number for number in range(-200, 200)]
    records = hours_of(footage, [footage.segment(measured(footage, times_ms, digest="same"))], CountParams())
    end_ms = NOON_MS + HOUR_MS
    assert records[0]["blank"] == [[times_ms[0], end_ms, "frozen"]]
    assert records[1]["blank"] == [[end_ms, times_ms[-1], "frozen"]]


def test_an_hour_with_a_frame_that_was_not_measured_is_unknown(footage: Footage) -> None:
    earlier = footage.segment([footage.frame(NOON_MS + number) for number in range(3)])
    later = footage.segment(measured(footage, range(NOON_MS + 1000, NOON_MS + 1003)))
    assert hours_of(footage, [later], CountParams())[0]["blank"] == []
    assert hours_of(footage, [earlier, later], CountParams())[0]["blank"] is None
    assert hours_of(footage, [later], CountParams(tracking=None))[0]["blank"] is None, "nobody looks"


def test_measured_pictures_change_no_count(footage: Footage) -> None:
    frames = [footage.frame(NOON_MS + 200 * number, "car") for number in range(50)]
    plain = footage.segment(frames)
    digested = footage.segment([replace(frame, picture_digest="same") for frame in frames])

    output, of_digested = (output_of(footage, [key], CountParams()) for key in (plain, digested))
    blank = [value.pop("blank") for name, value in (*output, *of_digested) if name[0] == "hour"]
    assert blank == [None, []]
    assert output == of_digested
    assert len(output) > 3
    bodies = [footage.store.get(key).partition(b"\n")[2] for key in (plain, digested)]
    assert bodies[0] == bodies[1]


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
            for frame in block.frames:
                number = frame.captured_at_ms - NOON_MS
                expected = "" if frame.source == "unmeasured" else f"{number:04d}"
                assert (frame.source in (sources or {frame.source}), frame.picture_digest) == (True, expected)
