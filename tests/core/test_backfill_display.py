"""Progress over an archive: bars on a terminal, and an occasional line elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from tests.fakes.memory import ManualClock

from frametally.process.reports import Skipped, Standing, size_text
from frametally_cli.stages import produce as display

HALF = Standing(
    files_total=10,
    files_finished=3,
    files_known=1,
    files_skipped=1,
    bytes_total=1000,
    bytes_passed=200,
    bytes_worked=400.0,
    frames_announced=600,
    at_hand="yard/f.mp4",
    doing="producing",
)


def test_rate_and_time_left_come_from_the_work_of_this_call() -> None:
    clock = ManualClock()
    pace = display.BackfillPace(clock)
    assert pace.left_s is None
    pace.note(HALF._replace(bytes_worked=0.0, frames_announced=0))
    assert pace.left_s is None
    clock.advance(100)
    pace.note(HALF)
    assert (pace.frames_per_s, pace.left_s) == (6.0, 100.0)
    assert pace.line() == (
        "5 of 10 files done (1 already known, 1 skipped), 600 frames, 6 frames/s, about 1 min 40 s left; "
        "producing: yard/f.mp4"
    )


def test_a_watched_folder_shows_no_time_left_and_pauses_do_not_lower_the_rate() -> None:
    clock = ManualClock()
    pace = display.BackfillPace(clock, endless=True)
    pace.note(HALF)
    clock.advance(100)
    pace.note(HALF._replace(doing=""))
    assert pace.left_s is None
    assert pace.line() == "5 of 10 files done (1 already known, 1 skipped), 600 frames"


def test_without_a_terminal_a_line_is_printed_now_and_then() -> None:
    clock, out = ManualClock(), io.StringIO()
    shown = display.BackfillDisplay(Console(file=out, width=300), None, clock=clock)
    for _ in range(100):
        clock.advance(1)
        shown.stand(HALF)
        shown.update(1, 2, "x")
    shown.finish()
    assert out.getvalue().count("5 of 10 files done") == 3


def test_a_terminal_shows_bars_with_the_current_file() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200)
    with display.backfill_display(console) as shown:
        shown.stand(HALF)
        shown.update(5, 10, "yard/f.mp4")
    text = out.getvalue()
    assert "5/10 (1 known, 1 skipped)" in text
    assert "f.mp4: producing" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_skipped_files_are_listed_with_the_reason(terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=200, soft_wrap=True)
    display.print_skipped_files(console, [])
    assert out.getvalue() == ""
    display.print_skipped_files(console, [Skipped("[a].mp4", "is empty; copy it")])
    assert "[a].mp4" in out.getvalue()
    assert "is empty; copy it" in out.getvalue()
    assert "1 skipped in all" in out.getvalue()


def test_durations_and_sizes_are_rounded_for_people() -> None:
    lengths = {0.4: "0 s", 59: "59 s", 61: "1 min 1 s", 3661: "1 h 1 min", 90_000: "1 day 1 h"}
    assert {seconds: display.duration(seconds) for seconds in lengths} == lengths
    sizes = {0: "0 bytes", 1500: "2 kB", 2_500_000: "2.5 MB", 7e12: "7.0 TB"}
    assert {count: size_text(count) for count in sizes} == sizes
