"""How work is chosen, estimated and repeated; one process at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tests.commands import frametally
from tests.fakes.memory import ManualClock
from tests.hadoop.conftest import Footage, twin

from frametally.console import streams
from frametally.errors import Misconfigured, Retryable
from frametally.files.work_lock import work_lock
from frametally.process.period import parse_period_s, repeat
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally.rules.counted_boxes import CountedBoxes
from frametally.undo_records import Tombstone
from frametally_cli.main import main
from frametally_hadoop.driver import Aggregated, note_pace
from frametally_hadoop.dry_run import dry_run, estimate_s, read_pace
from frametally_hadoop.planning.plan import ALL_DAYS, DaySelection, DayWindows

NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000
MIDNIGHT_MS = NOON_MS - DAY_MS // 2


def three_days(footage: Footage) -> None:
    for day in range(3):
        footage.segment([footage.frame(NOON_MS + day * DAY_MS + n, "car", index=n) for n in range(day + 1)])


def days(report: Any) -> list[str]:
    return [run.day for run in report.runs]


def plan(footage: Footage, **changed: Any) -> Any:
    return dry_run(
        settings=footage.settings.model_copy(update=changed), store=footage.store, progress=NoProgress()
    )


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("bounds", "counted"),
    [
        ({"from_ms": MIDNIGHT_MS + DAY_MS}, ["2026-01-02", "2026-01-03"]),
        ({"to_ms": MIDNIGHT_MS + DAY_MS}, ["2026-01-01"]),
        ({"from_ms": MIDNIGHT_MS + DAY_MS, "to_ms": MIDNIGHT_MS + 2 * DAY_MS}, ["2026-01-02"]),
        ({"from_ms": NOON_MS, "to_ms": NOON_MS + DAY_MS}, ["2026-01-01", "2026-01-02"]),
        ({}, ["2026-01-01", "2026-01-02", "2026-01-03"]),
    ],
)
def test_only_the_days_that_the_range_touches_are_counted(
    footage: Footage, bounds: dict[str, Any], counted: list[str]
) -> None:
    three_days(footage)
    asked = DaySelection(from_ms=bounds.get("from_ms"), to_ms=bounds.get("to_ms"))
    assert days(footage.aggregate(selection=asked)) == counted
    assert len(footage.aggregate().runs) == 3 - len(counted)


def test_days_counted_one_by_one_have_the_same_bytes_as_days_counted_together(footage: Footage) -> None:
    three_days(footage)
    at_once = twin(footage)
    at_once.aggregate()
    for day in (2, 0, 1):
        first_ms = MIDNIGHT_MS + day * DAY_MS
        footage.aggregate(selection=DaySelection(from_ms=first_ms, to_ms=first_ms + DAY_MS))
    assert footage.objects("mapreduce-output") == at_once.objects("mapreduce-output")


def test_all_recounts_up_to_date_days_to_the_same_bytes(footage: Footage) -> None:
    three_days(footage)
    footage.aggregate()
    before = footage.parts()
    everything = DaySelection(from_ms=None, to_ms=None, recount=True)
    report = footage.aggregate(selection=everything)
    assert [(run.day, run.sequence) for run in report.runs] == [
        ("2026-01-01", 2),
        ("2026-01-02", 2),
        ("2026-01-03", 2),
    ]
    assert footage.parts() == before
    assert footage.aggregate().runs == []


def test_a_dry_run_names_what_an_aggregation_then_does_and_changes_nothing(footage: Footage) -> None:
    three_days(footage)
    footage.aggregate(selection=DaySelection(from_ms=None, to_ms=MIDNIGHT_MS + DAY_MS))
    before = footage.objects("")
    found = plan(footage)
    assert footage.objects("") == before
    sizes = {key: len(data) for key, data in footage.objects("metadata").items()}
    assert [(day.day, day.segments) for day in found.days] == [("2026-01-02", 1), ("2026-01-03", 1)]
    assert (found.segments, found.days_up_to_date) == (2, 1)
    assert found.bytes == sum(day.bytes for day in found.days) == sum(sorted(sizes.values())[1:])
    report = footage.aggregate()
    assert [run.inputs_sha256[:16] for run in report.runs] == [day.inputs for day in found.days]
    assert (plan(footage).days, plan(footage).estimated_s) == ([], 0.0)


@pytest.mark.thorough
@pytest.mark.parametrize("cut", [0, 20])
def test_a_day_with_a_damaged_segment_keeps_one_listed_state_until_it_is_restored(
    footage: Footage, cut: int
) -> None:
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(3)])
    key = footage.segment(
        [footage.frame(NOON_MS + 5, "car", index=5), footage.frame(NOON_MS + 6, "car", index=6)]
    )
    whole = footage.store.get(key)
    body = whole[: whole[:-1].rindex(b"\n")] + b"\n{}\n"  # a corrupt line; or less than a segment
    footage.store.put(key, body[: len(body) - cut])
    states = []
    for _ in range(3):
        states += [day.state for day in plan(footage).days]
        footage.aggregate()
    assert len(states) == 3
    assert states[1] == states[2] != states[0]
    footage.store.put(key, whole)
    [restored] = plan(footage).days
    assert restored.state not in states
    footage.aggregate()
    assert plan(footage).days == []


def test_a_day_counted_with_other_settings_and_back_is_listed_in_another_state(footage: Footage) -> None:
    three_days(footage)
    before = {day.state for day in plan(footage).days}
    footage.aggregate()
    footage.aggregate(count_labels="bus")
    assert before.isdisjoint(day.state for day in plan(footage).days)
    assert len(plan(footage).days) == 3


def test_the_time_is_estimated_from_earlier_aggregations_with_the_same_runner(footage: Footage) -> None:
    three_days(footage)
    assert (plan(footage).estimated_s, plan(footage).estimated_from) == (None, 0)
    folder = footage.settings.data_dir
    for seconds in (1.0, 50.0, 2.0):
        of_all = plan(footage).bytes
        note_pace(folder, Aggregated(runner="inline", days=1, segments=1, bytes=of_all, seconds=seconds))
    note_pace(folder, Aggregated(runner="local", days=1, segments=1, bytes=1, seconds=1e6))
    assert plan(footage).estimated_s == pytest.approx(2.0)
    assert plan(footage).estimated_from == 3
    assert plan(footage, runner="local").estimated_from == 1
    assert plan(footage, runner="spark").estimated_s is None


def test_notes_of_counts_are_kept_next_to_the_data_and_not_in_the_store(footage: Footage) -> None:
    three_days(footage)
    footage.aggregate()
    [noted] = read_pace(footage.settings.data_dir, "inline")
    assert (noted.days, noted.segments) == (3, 3)
    assert noted.bytes == sum(len(data) for data in footage.objects("metadata").values())
    footage.aggregate()
    assert len(read_pace(footage.settings.data_dir, "inline")) == 1


def test_a_killed_processs_half_written_note_is_ignored(tmp_path: Path) -> None:
    note_pace(tmp_path, Aggregated(runner="inline", days=1, segments=1, bytes=10, seconds=1))
    with (tmp_path / "aggregations.jsonl").open("ab") as file:
        file.write(b'{"runner":"inl\n')
    assert len(read_pace(tmp_path, "inline")) == 1
    assert estimate_s(read_pace(tmp_path, "inline"), 20) == pytest.approx(2.0)


def test_the_notes_file_stays_small_however_often_days_are_counted(tmp_path: Path) -> None:
    done = Aggregated(runner="inline", days=1, segments=1, bytes=10, seconds=1.25)
    file = tmp_path / "aggregations.jsonl"
    file.write_bytes(b'{"runner":"spark","days":1,"segments":1,"bytes":10,"seconds":1.25}\n' * 4000)
    note_pace(tmp_path, done)
    assert file.read_bytes().count(b"\n") == 1000
    assert read_pace(tmp_path, "inline") == [done]
    for _ in range(3):
        note_pace(tmp_path, done)
    assert file.read_bytes().count(b"\n") == 1003
    assert read_pace(tmp_path, "inline") == [done] * 4


@pytest.mark.parametrize(("text", "seconds"), [("15s", 15), ("15m", 900), ("1h", 3600), ("24h", 86_400)])
def test_a_period_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_period_s("--every", text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "15", "m", "-1m", "1.5h", "25h", "15 m", "٣s"])
def test_an_invalid_period_is_one_line(text: str) -> None:
    with pytest.raises(Misconfigured, match="write it like 15s, 15m or 1h"):
        parse_period_s("--every", text)


@pytest.mark.parametrize(
    ("period_s", "takes_s", "begin_s"),
    [
        (10, [1, 25, 6, 5, 1], [0, 10, 40, 51, 61]),
        (2, [1, 1.5, 30, 0], [0, 2, 5, 37]),
        (900, [1200, 1], [0, 1205]),
    ],
)
def test_rounds_start_at_the_period_and_after_a_long_one_pause_5_s_or_a_period_at_most(
    period_s: int, takes_s: list[float], begin_s: list[float]
) -> None:
    clock, began = ManualClock(), []
    takes = iter(takes_s)

    def work() -> None:
        began.append(round(clock(), 3))
        clock.advance(next(takes))

    rounds = repeat(
        work,
        period_s=period_s,
        should_stop=lambda: len(began) == len(begin_s),
        progress=NoProgress(),
        clock=clock,
        sleep=clock.advance,
    )
    assert (rounds, began) == (len(begin_s), begin_s)


@pytest.mark.parametrize(("period_s", "tries"), [(10, 7), (900, 2)])
def test_a_temporarily_failing_round_is_retried_within_a_minute_and_reported_once_a_minute(
    period_s: float, tries: int
) -> None:
    clock, said, tried = ManualClock(), [], []

    class Said(NoProgress):
        def say(self, line: str) -> None:
            said.append(line)

    def work() -> None:
        tried.append(clock())
        raise Retryable("the store is away")

    repeat(
        work,
        period_s=period_s,
        should_stop=lambda: len(said) == 2,
        progress=Said(),
        clock=clock,
        sleep=clock.advance,
    )
    assert said == [f"waiting: the store is away; trying again in {min(period_s, 60):g} s"] * 2
    assert len(tried) == tries


def test_an_error_that_a_person_must_mend_ends_the_rounds() -> None:
    def work() -> None:
        raise Misconfigured("no mrjob")

    with pytest.raises(Misconfigured):
        repeat(work, period_s=10, should_stop=lambda: False, progress=NoProgress())


def test_only_one_process_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    said, inside = [], []

    def second() -> None:
        with work_lock(tmp_path, "aggregate", on_wait=lambda line: (said.append(line), free.set())):
            inside.append("second")

    free = threading.Event()
    thread = threading.Thread(target=second)
    with work_lock(tmp_path, "aggregate"):
        with (
            pytest.raises(Retryable, match=f"process {os.getpid()}"),
            work_lock(tmp_path, "aggregate", wait=False),
        ):
            inside.append("never")
        thread.start()
        assert free.wait(30)
        assert inside == []
    thread.join(30)
    assert inside == ["second"]
    assert said == [
        f"another `frametally aggregate` is already running here (process {os.getpid()}); waiting for it"
    ]


def test_a_crash_releases_the_lock(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from frametally.files.work_lock import work_lock\n"
        "with work_lock(Path(sys.argv[1]), 'aggregate'): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    finished = subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    assert finished.returncode == -signal.SIGKILL
    with work_lock(tmp_path, "aggregate", wait=False):
        pass


@pytest.mark.thorough
def test_an_upgraded_folder_names_its_days_before_recounting_them_and_then_what_changed(
    here: Footage, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    three_days(here)
    with monkeypatch.context() as earlier:  # whose rules counted no car
        earlier.setattr("frametally_hadoop.job.params.COUNTING_VERSION", 4)
        earlier.setattr(CountedBoxes, "rule", lambda _: lambda box: box.label != "car")
        here.aggregate()
    monkeypatch.setenv("COLUMNS", "300")

    def output_of(*command: str, code: int = 0) -> tuple[str, str]:
        assert main([*command]) == code
        return capfd.readouterr()

    notice = (
        "3 days were counted with an earlier version's rules; `frametally aggregate --interval 60` counts "
        "them again, and their numbers may change: 2026-01-01, 2026-01-02, 2026-01-03"
    )
    assert notice in output_of("status", code=3)[0]
    assert notice in output_of("aggregate", "--dry-run")[0].splitlines()
    as_json = json.loads(output_of("aggregate", "--dry-run", "--json")[0])
    assert as_json["earlier_version"] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert "earlier version" not in output_of("aggregate", "--interval", "3600")[1]  # does not touch them
    changed, said = output_of("aggregate", "--from", "2026-01-02")
    assert notice.replace("3 days", "2 days").replace("2026-01-01, ", "") in said
    assert changed.splitlines()[:3] == [
        "2026-01-02, 60 s, with this version: gate, car: 0 -> 2 detections, 0 -> 1 intervals without objects",
        "2026-01-03, 60 s, with this version: gate, car: 0 -> 3 detections, 0 -> 1 intervals without objects",
        "counts: 2 days counted, 0 up to date, 5 frames, 0 duplicates dropped",
    ]
    assert "2026-01-01, 60 s, with this version" in output_of("aggregate")[0]
    assert "earlier version" not in "".join(output_of("aggregate", "--dry-run"))


def test_the_log_has_a_line_for_the_first_round_and_for_each_that_did_something(
    here: Footage, capsys: pytest.CaptureFixture[str]
) -> None:
    def logged() -> list[str]:
        for command in ("aggregate", "index"):
            assert main([command]) == 0
        return [line.split("  ")[-1].strip()[:23] for line in capsys.readouterr().out.splitlines()]

    with streams.as_before():
        streams.log_lines()
        assert logged() == ["counts: 0 days counted,", "index: 0 runs published"]
        assert logged() == []
        three_days(here)
        assert logged() == ["counts: 3 days counted,", "index: 3 runs published"]
        assert logged() == []


@pytest.mark.thorough
def test_the_command_line_does_a_dry_run_counts_and_shows_the_quality(here: Footage) -> None:
    three_days(here)
    told = frametally("aggregate", "--dry-run", "--from", "2026-01-02")
    assert "2 days to count, 0 up to date: 2 segments" in told.out
    assert "no earlier aggregation here" in told.out
    as_json = json.loads(frametally("aggregate", "--dry-run", "--json").out)
    assert [day["day"] for day in as_json["days"]] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert frametally("aggregate", "--to", "2026-01-02").out.split(",")[0] == "counts: 1 day counted"
    assert "no new footage" in frametally("aggregate", "--to", "2026-01-02").out
    assert "quality: 1 run checked, 0 with a failed check" in frametally("quality").out
    [report] = json.loads(frametally("status", "--json", code=None).out)["quality"]
    assert (report["day"], report["passed"], report["frames"]) == ("2026-01-01", True, 1)
    assert {"name", "passed", "count", "details"} <= set(report["checks"][0])
    narrowed = frametally("aggregate", "--to", "2026-01-02", "--labels", "car,carr")
    assert narrowed.out.split(",")[0] == "counts: 1 day counted"
    assert "includes 'carr', but nothing detected here has this label; choose from: car" in narrowed.err
    for command, refusal in (
        (("quality", "--model", "foo"), "--model foo: no day has this model; choose from tiny-1"),
        (("aggregate", "--every", "soon"), "--every 'soon' is not a period"),
        (("aggregate", "--interval", "7"), "7 s does not divide a day"),
    ):
        refused = frametally(*command, code=2)
        assert (refused.out, refusal in refused.err) == ("", True), refused.err


@pytest.mark.thorough
def test_a_day_set_aside_whole_is_an_outcome_and_not_a_failure(here: Footage) -> None:
    here.segment([here.frame()], spoil=lambda data: data[:-30])
    assert "none of it is counted" in frametally("aggregate", code=6).err


NOTHING_TO_CHECK = [
    (("quality", "--interval", "7"), "--interval 7: no day is counted in it; choose from 60 s"),
    (("quality", "--from", "2027-01-01"), "choose a range between 2026-01-01 and 2026-01-03"),
    (("quality", "--to", "2025-01-01", "--json"), "choose a range between 2026-01-01 and 2026-01-03"),
    (
        ("history", "--from", "2027-01-01"),
        "no footage is counted from 2027-01-01 00:00:00Z to 2027-01-02 00:00:00Z; choose a range between "
        "2026-01-01 12:00:00Z and 2026-01-03 12:01:00Z",
    ),
    (("history", "--from", "2025-01-01", "--source", "gate", "--json"), "choose a range between 2026-01-01"),
    (("dead-letters", "list", "--model", "zz"), "model 'zz' has detected nothing here; models: tiny-1"),
    (("dead-letters", "replay", "--model", "zz"), "model 'zz' has detected nothing here; models: tiny-1"),
    (
        ("dead-letters", "drop", "--all", "--model", "zz"),
        "model 'zz' has detected nothing here; models: tiny",
    ),
]


def test_a_question_about_days_never_counted_is_refused_with_what_there_is(here: Footage) -> None:
    for command in ("quality", "history --from 2026-01-01"):
        assert "nothing has been counted" in frametally(*command.split(), code=2).err
    three_days(here)
    here.aggregate(runner="inline")
    frametally("index")
    for command, refusal in NOTHING_TO_CHECK:
        said = frametally(*command, code=2)
        assert refusal in said.err
        assert (said.out, said.err.count("\n")) == ("", 1)
    quality = frametally("quality", "--interval", "60", "--from", "2026-01-03", "--model", "tiny-1").out
    assert quality.startswith("2026-01-03, tiny-1, 60 s: 3 frames")
    frametally("history", "--from", "2026-01-02")
    frametally("dead-letters", "list", "--model", "tiny-1")
    stone = Tombstone(media="ab" * 32, source="gate", name="cam.mp4", why="forget", from_ms=0, to_ms=2**42)
    here.store.put(stone.key, encode(stone))
    here.aggregate(runner="inline")
    frametally("index")
    refused = frametally("history", "--from", "2027-01-01", code=2).err
    assert "to 2027-01-02 00:00:00Z; produce footage of it" in refused


def test_the_same_days_are_attempted_a_few_times_and_fewer_days_as_often_again() -> None:
    windows = DayWindows(ALL_DAYS)
    assert len([*islice(windows.attempts(3), 9)]) == 3
    attempts = windows.attempts(3)
    next(attempts)
    assert windows.halve(["2026-01-01", "2026-01-02"])
    assert len([*islice(attempts, 9)]) == 3
