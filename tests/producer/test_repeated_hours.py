"""On the night when clocks go back, footage is in the hour in which it was filmed, in any order and parts."""

from __future__ import annotations

import datetime
import os
import shutil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.producer.conftest import Bench, encode_picture, encode_video

from frametally_producer.reading.event_time import iso
from frametally_producer.reading.repeated_hours import second_hour_reason

BERLIN = ZoneInfo("Europe/Berlin")
FIRST = datetime.datetime(2025, 10, 26, 0, 0, tzinfo=datetime.UTC)  # 02:00 summer time
OPTIONS: dict[str, Any] = {"source": "cam", "time_pattern": "cam_%Y%m%d_%H%M%S*", "timezone": "Europe/Berlin"}
HOUR_MS = 3_600_000


def clips(folder: Path, *, dated: bool, kind: str) -> dict[str, str]:
    """Files from 02:00 summer time to 03:00 winter time, every 20 minutes, and when each began."""
    folder.mkdir(parents=True, exist_ok=True)
    times: dict[str, str] = {}
    for number in range(7):
        time = FIRST + datetime.timedelta(minutes=20 * number)
        name = time.astimezone(BERLIN).strftime("cam_%Y%m%d_%H%M%S")
        name = f"{name}_1" if f"{name}.{kind}" in times else name
        path = folder / f"{name}.{kind}"
        if kind == "jpg":
            path.write_bytes(encode_picture(index=number))
        else:
            encode_video(path, 10 + number)
        if dated:
            os.utime(path, (time.timestamp() + 2,) * 2)
        times[path.name] = iso(int(time.timestamp() * 1000))
    return times


def begun(bench: Bench) -> list[str]:
    """When each clip begins, or each picture was taken."""
    return sorted(iso(one.captured_at_ms) for one in bench.log.announcements if one.frame_index == 0)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["mp4", "jpg"])
@pytest.mark.parametrize("dated", [True, False])
def test_both_repeated_hours_count_each_at_its_time(bench: Bench, dated: bool, kind: str) -> None:
    times = clips(bench.folder / "night", dated=dated, kind=kind)
    report = bench.produce(bench.folder / "night", **OPTIONS)
    assert begun(bench) == sorted(times.values())
    assert report.skipped == []
    first, second = [line for line in report.notices if "occurs twice" in line]
    assert "used the first; if that is wrong" in first
    assert "--start-time 2025-10-26T02:00:00+01:00" in first
    assert "used the second, " in second
    assert "--start-time 2025-10-26T02:00:00+02:00" in second
    assert bench.produce(bench.folder / "night", **OPTIONS).notices == []


@pytest.mark.thorough
@settings(max_examples=examples(10), deadline=None)
@given(
    order=st.permutations(range(7)),
    split=st.integers(0, 7),
    dated=st.booleans(),
    kind=st.sampled_from(["mp4", "jpg"]),
)
def test_order_and_splits_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], split: int, dated: bool, kind: str
) -> None:
    bench = Bench(tmp_path_factory.mktemp("night"))
    times = clips(bench.folder / "night", dated=dated, kind=kind)
    paths = [bench.folder / "night" / [*times][number] for number in order]
    for part in (paths[:split], paths[split:]):
        if part:
            bench.produce(*part, **OPTIONS)
    assert begun(bench) == sorted(times.values())
    shutil.rmtree(bench.folder)


def test_neither_a_preview_with_the_same_name_nor_a_night_without_a_change_is_a_second_hour(
    bench: Bench,
) -> None:
    bench.video("a/cam_20251026_020000.mp4", 10)
    bench.picture("a/cam_20251026_020000.jpg")
    bench.video("b/cam_20251025_020000.mp4", 11)
    bench.video("b/cam_20251025_020000_1.mp4", 12)
    bench.produce(bench.folder / "a", bench.folder / "b", **OPTIONS, count_overlaps="all")
    assert begun(bench) == ["2025-10-25T00:00:00.000Z"] * 2 + ["2025-10-26T00:00:00.000Z"] * 2


@pytest.mark.parametrize(
    ("clocks", "namesake", "is_second"),
    [
        ([[HOUR_MS]], "", True),
        ([[HOUR_MS + 600_000, HOUR_MS]], "", True),  # the end of a clip of ten minutes
        ([[0]], "a.mp4", False),  # a clock that agrees decides, whatever names say
        ([[HOUR_MS, 0]], "", False),  # the start or the end of an hour of video
        ([[HOUR_MS, 0], [HOUR_MS]], "", True),
        ([[HOUR_MS], [0]], "", False),  # clocks that disagree decide nothing
        ([[HOUR_MS], [0]], "a.mp4", True),
        ([[HOUR_MS // 2 + 300_000]], "", False),  # between the hours
        ([[-9 * HOUR_MS]], "", False),  # the date of a copy
        ([], "a.mp4", True),
    ],
)
def test_other_clocks_decide_if_they_are_near_and_agree(
    clocks: list[list[int]], namesake: str, is_second: bool
) -> None:
    reason = second_hour_reason(
        0, HOUR_MS, clocks=[("its clock", starts_ms) for starts_ms in clocks], earlier_name=lambda: namesake
    )
    assert bool(reason) is is_second
    assert reason in ("", ", as its clock shows", f", because {namesake} states the same time")
