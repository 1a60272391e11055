"""A time-lapse covers the hours of its recording, and slow motion only its real second."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.said import Said
from tests.producer.conftest import FILE_DATE_S, Bench

from frametally.errors import Misconfigured, Poison
from frametally.media.forgetting import put_tombstone
from frametally.media.manifests import delete_manifest, find_manifest
from frametally.rules.pace import Pace, parse_pace_number, read_pace
from frametally_cli.stages.footage_options import asked_film
from frametally_producer.plan import plan
from frametally_producer.writing.production import ProduceCall

START = "2026-05-01T08:00:00Z"
START_MS = 1_777_622_400_000
LAPSE, SLOW = Pace(frame_s=Fraction(60)), Pace(speed=Fraction(1, 8))


def times_s(bench: Bench) -> list[float]:
    return [(one.captured_at_ms - START_MS) / 1000 for one in bench.log.announcements]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_time_lapse_covers_the_hours_that_it_was_filmed_in(bench: Bench, name: str) -> None:
    path = bench.video(name, 120, fps=25)
    assert bench.produce(path, start_time=START, pace=LAPSE).frames_announced == 120
    assert times_s(bench) == [60.0 * index for index in range(120)]
    [manifest] = bench.manifests()
    assert (manifest.start_ms, manifest.pace) == (START_MS, "frame 60")
    assert manifest.last_captured_at_ms == START_MS + 119 * 60_000
    again = bench.produce(path, start_time=START, pace=LAPSE)
    assert (again.frames_announced, again.frames_known, again.skipped) == (0, 120, [])


def test_slow_motion_gives_as_many_frames_as_the_real_second_has(bench: Bench) -> None:
    path = bench.video("slow.mp4", 240, fps=30)
    assert bench.produce(path, start_time=START, pace=SLOW).frames_announced == 5
    assert times_s(bench) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8], abs=0.005)
    # Later footage of it, with no pace given: the earlier pace stays.
    assert bench.produce(path, sample_fps="10").frames_announced == 5
    assert sorted(times_s(bench)) == pytest.approx([0.1 * index for index in range(10)], abs=0.005)


def test_another_pace_is_refused_until_the_footage_is_forgotten(bench: Bench) -> None:
    path = bench.video("lapse.mp4", 30)
    bench.produce(path, start_time=START)
    [manifest] = bench.manifests()
    for _ in range(2):
        [skipped] = bench.produce(path, start_time=START, pace=LAPSE).skipped
        assert "was produced before at the speed of life" in skipped.reason
        assert f"`frametally forget {manifest.sha256[:12]}`" in skipped.reason
    assert bench.produce(path, start_time=START, pace=Pace()).skipped == []
    put_tombstone(bench.store, manifest, why="forget")
    delete_manifest(bench.store, manifest.sha256, revision=0)
    assert bench.produce(path, start_time=START, pace=LAPSE).frames_announced == 30
    [manifest] = bench.manifests()
    assert (manifest.revision, manifest.pace) == (1, "frame 60")
    [skipped] = bench.produce(path, start_time=START, pace=SLOW).skipped
    assert "with --seconds-per-frame 60" in skipped.reason


@pytest.mark.thorough
def test_a_file_that_states_another_rate_is_named_with_its_speed_until_you_give_that(bench: Bench) -> None:
    def filmed_at(fps: str, name: str) -> Path:
        options = {"movflags": "use_metadata_tags"}
        return bench.video(name, 60, fps=30, metadata={"com.android.capture.fps": fps}, options=options)

    slow = filmed_at("240.000000", "slow.mp4")
    [line] = bench.produce(slow, start_time=START).notices
    assert "filmed at 240 frames per second, but runs at 30; " in line
    assert line.endswith("run `frametally produce` with --speed 0.125")
    for fps in ("30.0", "29.97", "0", "-1", "nan", "inf", "1e999999999", "often"):
        assert bench.produce(filmed_at(fps, f"{fps.strip()}.mp4"), start_time=START).notices == [], fps
    lapse = filmed_at("2", "lapse.mp4")
    assert bench.produce(lapse, start_time=START, pace=Pace(speed=Fraction(15))).notices == []


def test_a_start_from_a_files_date_is_that_date_minus_the_time_it_covers(bench: Bench) -> None:
    bench.produce(bench.video("lapse.mp4", 120, fps=25), pace=LAPSE)
    assert bench.manifests()[0].start_ms == FILE_DATE_S * 1000 - 120 * 60_000


def test_a_dry_run_plans_the_time_and_frames_that_producing_gives(bench: Bench) -> None:
    path = bench.video("lapse.mp4", 120, fps=25)

    def planned() -> tuple[int, int]:
        call = ProduceCall(paths=[path], settings=bench.settings(), start_time=START, pace=LAPSE)
        look = plan(call, find=lambda sha256: find_manifest(bench.store, sha256), progress=Said())
        [source] = look.sources
        return source.frames, source.last_ms - source.first_ms

    assert planned() == (120, 120 * 60_000)
    bench.produce(path, start_time=START, pace=LAPSE)
    assert planned()[1] == 120 * 60_000


@given(st.fractions(Fraction(1, 1000), 10_000, max_denominator=1000), st.booleans())
def test_a_pace_is_read_back_as_written(value: Fraction, is_frame: bool) -> None:
    pace = Pace(frame_s=value) if is_frame else Pace(speed=value)
    assert read_pace(str(pace)) == pace
    assert parse_pace_number(str(value)) == value
    assert read_pace("") == Pace()


def test_an_invalid_pace_is_refused_with_a_valid_form() -> None:
    for text in ("0", "nan", "1e9", "-1", "inf", "", "1/0", "x", "1_0", "0.00001"):
        for option in ("speed", "seconds_per_frame"):
            options = {"track": None, "speed": None, "seconds_per_frame": None, option: text}
            with pytest.raises(Misconfigured, match=f"--{option.replace('_', '-')} .* is not a number from"):
                asked_film(options)
    with pytest.raises(Misconfigured, match="either --speed or --seconds-per-frame"):
        asked_film({"track": None, "speed": "2", "seconds_per_frame": "2"})
    asked = asked_film({"track": 2, "speed": "1", "seconds_per_frame": None, "receipt": None})
    assert asked == {"track": 2, "pace": Pace(), "receipt": None}
    with pytest.raises(Poison, match="upgrade frametally"):
        read_pace("backwards 2")
