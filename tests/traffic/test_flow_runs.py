"""Lines and zones are counted from stored tracks, published as runs of a separate series, and kept."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from tests.hadoop.conftest import Footage
from tests.hadoop.test_track_hours import DAY_MS, HOUR_MS, MIDNIGHT_MS, NOON_MS, drive
from tests.kit.stand_ins import Watched

from frametally.adapters_by_url import open_count_index
from frametally.books.compare import compare_models
from frametally.books.intake import take_run
from frametally.books.runs import current_runs, list_current_pointers, read_run, read_source_files
from frametally.errors import Misconfigured, Retryable
from frametally.ports.count_index import CountQuery
from frametally.process.reports import NoProgress
from frametally.records import Run
from frametally_cli.stages.aggregate import dry_run_lines
from frametally_hadoop.dry_run import dry_run
from frametally_hadoop.planning.plan import ALL_DAYS
from frametally_hadoop.running import engine
from frametally_search.indexer import index_runs
from frametally_traffic.counting import flow_aggregation
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.flows.day_columns import FlowColumns, decode_flows
from frametally_traffic.records import DrawnLine, DrawnZone

SIZE: dict[str, Any] = {"width_px": 640, "height_px": 480}
STOP = DrawnLine(
    name="stop line", points=((300.0, 480.0), (300.0, 0.0)), to_right="in", to_left="out", **SIZE
)
LATER = DrawnLine(name="later", points=((400.0, 480.0), (400.0, 0.0)), **SIZE)
BAY = DrawnZone(name="bay", points=((200.0, 0.0), (400.0, 0.0), (400.0, 479.0), (200.0, 479.0)), **SIZE)
TO_RIGHT = "gate/line/stop%20line/to_right"


def draw(footage: Footage, *shapes: Any, source: str = "gate") -> None:
    """Draw these over a source, replacing all earlier ones."""
    change_drawing(footage.store, source, lambda drawing: with_shapes(drawing, shapes))


def passing(footage: Footage, first_ms: int = NOON_MS, **options: Any) -> list[Any]:
    """Frames of a car that crosses the picture from left to right, and the stop line after seven seconds."""
    return drive(footage, first_ms, first_ms + 14_000, speed=5, **options)


def counted(footage: Footage, *shapes: Any) -> Any:
    """Such a car, with these drawn over its source; the report of the job that counted it."""
    footage.segment(passing(footage))
    draw(footage, *shapes)
    return footage.aggregate()


def flow_runs(footage: Footage) -> list[Run]:
    return [run for run in current_runs(footage.store) if run.model.endswith("~flows")]


def totals(footage: Footage) -> dict[str, int]:
    """The counts at each place that has some."""
    found: Counter[str] = Counter()
    for run in flow_runs(footage):
        for count in read_run(footage.store, run)[0]:
            found[count.source] += count.detections
    return dict(found)


def flows(footage: Footage, run: Run) -> list[FlowColumns]:
    return [decode_flows(data) for _, data in read_source_files(footage.store, run)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The manifest lines of every job that counts flows."""
    lines: list[str] = []
    run_job = engine.run_job

    def noted(*, manifest: list[str], **options: Any) -> Any:
        lines.extend(manifest)
        return run_job(manifest=manifest, **options)

    monkeypatch.setattr(flow_aggregation, "run_job", noted)
    return lines


def test_a_line_is_counted_and_published_with_the_coverage_of_its_source(footage: Footage) -> None:
    report = counted(footage, STOP)
    [base] = report.runs
    [run] = report.steps[0].runs
    assert (run.model, run.interval_s, run.day) == (f"{base.model}~flows", 60, base.day)
    counts, coverage = read_run(footage.store, run)
    [count] = counts
    assert (count.source, count.label, count.interval_start_ms) == (TO_RIGHT, "car", NOON_MS)
    assert (count.detections, count.peak, count.objects, count.tracked_detections) == (1, 1, 1, 1)
    [filmed] = read_run(footage.store, base)[1]
    assert {one.source.rpartition("/")[2]: (one.detections, one.objects) for one in coverage} == {
        "to_right": (1, 1),
        "to_left": (0, 0),
        "not_measured": (0, 0),
    }
    for one in coverage:
        assert (one.frames, one.covered_ms, one.analysed_fps) == (
            filmed.frames,
            filmed.covered_ms,
            filmed.analysed_fps,
        )
    [kept] = flows(footage, run)
    assert (kept.source, kept.lines, list(kept.columns["crossing_direction"])) == (
        "gate",
        ("stop line",),
        [0],
    )


def test_flows_of_the_same_footage_and_drawing_are_up_to_date_in_each_interval(footage: Footage) -> None:
    footage.segment(passing(footage))
    draw(footage, STOP)
    for interval_s in (60, 1):
        footage.aggregate(interval_s=interval_s)
    first, second = flow_runs(footage)
    assert {first.interval_s, second.interval_s} == {1, 60}
    assert first.footage_sha256 == second.footage_sha256
    draw(footage, STOP, BAY)
    footage.aggregate(interval_s=1)
    first, second = flow_runs(footage)
    assert first.footage_sha256 != second.footage_sha256


def test_zones_and_visits_are_counted_along_with_lines(footage: Footage) -> None:
    counted(footage, msgspec.structs.replace(STOP, inward="to_right"), BAY)
    found = totals(footage)
    assert found[TO_RIGHT] == found["gate/zone/bay/entered"] == found["gate/zone/bay/left"] == 1
    assert found["gate/visits/unassigned"] == 1
    assert all(
        count.objects is None
        for count in read_run(footage.store, flow_runs(footage)[0])[0]
        if "/zone/" in count.source
    )


def test_a_source_without_drawings_costs_one_listing(footage: Footage) -> None:
    footage.segment(passing(footage))
    footage.aggregate()
    seen: list[tuple[str, str]] = []
    report = footage.aggregate(Watched(footage.store, lambda what, key: seen.append((what, key))))
    assert report.steps[0].runs == []
    touched = {call for call in seen if call[1].startswith(("drawings", "tracks"))}
    assert touched == {("before list", "drawings")}


def test_a_new_line_reads_no_segment_and_counts_no_box_again(footage: Footage) -> None:
    footage.segment(passing(footage))
    footage.aggregate()
    draw(footage, STOP)
    seen: list[str] = []
    report = footage.aggregate(
        Watched(footage.store, lambda what, key: seen.append(key) if what == "before get" else None)
    )
    assert (report.runs, report.segments_read) == ([], 0)
    assert not any(key.startswith("metadata/") for key in seen)
    assert totals(footage) == {TO_RIGHT: 1}


def test_unchanged_flows_are_not_counted_again(footage: Footage, asked: list[str]) -> None:
    counted(footage, STOP)
    assert len(asked) == 1
    before = footage.objects("")
    report = footage.aggregate()
    assert (report.steps[0].runs, report.steps[0].days_up_to_date) == ([], 1)
    assert footage.objects("") == before
    assert len(asked) == 1


def test_a_recount_counts_all_flows_again(footage: Footage, asked: list[str]) -> None:
    [first] = counted(footage, STOP).steps[0].runs
    [again] = footage.aggregate(selection=ALL_DAYS._replace(recount=True)).steps[0].runs
    assert (len(asked), again.sequence) == (2, first.sequence + 1)
    assert again.inputs_sha256 == first.inputs_sha256


def test_a_moved_line_has_its_days_counted_again_and_a_removed_one_leaves_none(footage: Footage) -> None:
    counted(footage, STOP)
    draw(footage, LATER)
    footage.aggregate()
    assert totals(footage) == {"gate/line/later/to_right": 1}
    draw(footage)
    [run] = footage.aggregate().steps[0].runs
    assert (read_run(footage.store, run), run.paths) == (([], []), [])
    assert footage.aggregate().steps[0].runs == []


def test_another_line_recounts_only_the_source_that_it_is_drawn_over(
    footage: Footage, asked: list[str]
) -> None:
    footage.segment([*passing(footage), *passing(footage, source="yard")])
    draw(footage, STOP)
    draw(footage, STOP, source="yard")
    footage.aggregate()
    assert len(asked) == 2
    draw(footage, STOP, LATER, source="yard")
    footage.aggregate()
    assert [line.count('"yard"') for line in asked[2:]] == [1]
    assert totals(footage) == {
        TO_RIGHT: 1,
        "yard/line/stop%20line/to_right": 1,
        "yard/line/later/to_right": 1,
    }


def test_late_footage_recounts_its_day(footage: Footage) -> None:
    counted(footage, STOP)
    footage.segment(passing(footage, NOON_MS + HOUR_MS))
    footage.aggregate()
    assert totals(footage) == {TO_RIGHT: 2}


@pytest.mark.parametrize("late", [0, 1])
def test_an_object_that_crosses_at_midnight_is_counted_once_whichever_day_comes_last(
    footage: Footage, late: int
) -> None:
    frames = passing(footage, MIDNIGHT_MS - 8_000)
    halves = [[f for f in frames if f.captured_at_ms < MIDNIGHT_MS], frames]
    draw(footage, STOP)
    footage.segment(halves[1] if not late else halves[0])
    footage.aggregate()
    if late:
        footage.segment([frame for frame in frames if frame not in halves[0]])
        footage.aggregate()
    assert totals(footage) == {TO_RIGHT: 1}
    assert len(flow_runs(footage)) == 2


def test_a_lines_place_is_not_covered_before_the_line_applies(footage: Footage) -> None:
    footage.segment([*passing(footage), *passing(footage, NOON_MS + HOUR_MS)])
    draw(footage, msgspec.structs.replace(STOP, from_ms=NOON_MS + 60_000))
    footage.aggregate()
    [run] = flow_runs(footage)
    assert {one.interval_start_ms for one in read_run(footage.store, run)[1]} == {NOON_MS + HOUR_MS}
    assert totals(footage) == {TO_RIGHT: 1}


def test_a_day_on_which_no_shape_applies_publishes_nothing(footage: Footage) -> None:
    footage.segment([*passing(footage), *passing(footage, NOON_MS + 3 * DAY_MS)])
    draw(footage, msgspec.structs.replace(STOP, from_ms=NOON_MS + DAY_MS))
    footage.aggregate()
    assert [run.day for run in flow_runs(footage)] == ["2026-01-04"]


def test_drawing_over_one_source_does_not_touch_the_days_of_others(footage: Footage) -> None:
    footage.segment([*passing(footage), *passing(footage, NOON_MS + 3 * DAY_MS, source="yard")])
    footage.aggregate()
    draw(footage, STOP, source="yard")
    footage.aggregate()
    assert "2026-01-04" in {run.day for run in flow_runs(footage)}
    assert totals(footage) == {"yard/line/stop%20line/to_right": 1}


def test_damaged_or_missing_paths_keep_the_existing_counts_and_are_named_with_the_remedy(
    footage: Footage,
) -> None:
    footage.segment([*passing(footage), *passing(footage, NOON_MS + 3 * DAY_MS)])
    draw(footage, STOP)
    footage.aggregate()
    before = flow_runs(footage)
    draw(footage, STOP, LATER)
    gone, damaged = footage.objects("hours")
    footage.store.put(damaged, footage.store.get(damaged)[:-1] + b"\xff")
    report = footage.aggregate()
    [skipped] = report.steps[0].skipped
    assert damaged in skipped.reason
    assert "--from 2026-01-03 --to 2026-01-06" in skipped.reason
    assert [run.day for run in report.steps[0].runs] == ["2026-01-01"]
    assert flow_runs(footage)[1] == before[1]
    draw(footage, LATER)
    footage.store.delete(gone)
    report = footage.aggregate()
    assert min(item.name for item in report.steps[0].skipped) == gone
    assert len(report.steps[0].skipped) == 2
    report = footage.aggregate(selection=ALL_DAYS._replace(recount=True))
    assert report.steps[0].skipped == []
    assert totals(footage) == {"gate/line/later/to_right": 2}


def test_a_damaged_drawing_is_named_and_its_days_stay_unchanged(footage: Footage) -> None:
    footage.segment([*passing(footage), *passing(footage, NOON_MS + 3 * DAY_MS, source="yard")])
    draw(footage, STOP)
    footage.aggregate()
    before = flow_runs(footage)
    draw(footage, LATER)
    draw(footage, STOP, source="yard")
    [*_, newest] = footage.objects("drawings/gate")
    footage.store.put(newest, footage.store.get(newest)[:-9] + b'12345678"}')
    report = footage.aggregate()
    [skipped] = report.steps[0].skipped
    assert (skipped.name, newest in skipped.reason) == ("drawing of gate", True)
    assert flow_runs(footage)[:1] == before
    assert "yard/line/stop%20line/to_right" in totals(footage)


def test_a_reader_never_sees_half_a_day_and_the_second_of_two_counts_uses_the_first(footage: Footage) -> None:
    counted(footage, STOP)
    draw(footage, LATER)
    other = Watched(footage.store, lambda *_: None)
    done: list[Any] = []

    def meanwhile(what: str, key: str) -> None:
        if what == "before put" and "~flows" in key and "/_runs/" in key and not done:
            done.append(footage.aggregate(other))

    report = footage.aggregate(Watched(footage.store, meanwhile))
    assert [len(one.steps[0].runs) for one in (*done, report)] == [1, 0]
    assert totals(footage) == {"gate/line/later/to_right": 1}


def test_an_unavailable_store_is_not_reported_as_damage(
    footage: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage.segment(passing(footage))
    draw(footage, STOP)

    def away(**_: Any) -> Any:
        raise Retryable("a task failed: the store is away")

    monkeypatch.setattr(flow_aggregation, "run_job", away)
    with pytest.raises(Retryable, match="the store is away"):
        footage.aggregate()


def test_the_index_matches_the_files_and_lists_no_place_as_a_model(footage: Footage, tmp_path: Any) -> None:
    footage.segment([*passing(footage), *passing(footage, NOON_MS + HOUR_MS)])
    draw(footage, STOP, BAY)
    footage.aggregate()
    index = open_count_index(f"sqlite:///{tmp_path}/index.sqlite", None)
    report = index_runs(store=footage.store, index=index, progress=NoProgress())
    assert (sorted(run.model for run in report.published), report.skipped) == (
        ["tiny-1", "tiny-1~flows", "tiny-1~zones"],
        [],
    )
    assert [one.model for one in index.series()] == ["tiny-1"]
    asked = CountQuery("tiny-1~flows", 60, 3600, sources=[TO_RIGHT])
    found = index.histogram(asked)
    assert [(bar.start_ms, bar.detections, bar.objects) for bar in found.buckets] == [
        (NOON_MS, 1, 1),
        (NOON_MS + HOUR_MS, 1, 1),
    ]
    assert [(one.start_ms, one.frames) for one in found.coverage] == [(NOON_MS, 70), (NOON_MS + HOUR_MS, 70)]
    index.close()


def test_a_dry_run_names_the_days_of_lines_that_an_aggregation_counts(footage: Footage) -> None:
    footage.segment([*passing(footage), *passing(footage, NOON_MS + 3 * DAY_MS)])
    footage.aggregate()
    draw(footage, msgspec.structs.replace(STOP, from_ms=NOON_MS + DAY_MS))

    def look() -> list[Any]:
        return dry_run(settings=footage.settings, store=footage.store, progress=NoProgress()).days

    [found] = look()
    assert (found.model, found.day, found.segments) == ("tiny-1~flows", "2026-01-04", 0)
    [run] = footage.aggregate().steps[0].runs
    assert run.inputs_sha256.startswith(found.inputs)
    assert look() == []


def test_the_books_of_a_model_contain_the_frames_of_its_places_once(footage: Footage) -> None:
    counted(footage, STOP)
    taken = [take_run(footage.store, info) for info in list_current_pointers(footage.store)]
    assert [one and (one.model, one.frames, one.problem) for one in taken] == [
        ("tiny-1", (("gate", 70),), None),
        ("tiny-1", (), None),
    ]


def test_two_models_are_compared_by_the_start_of_their_names_whatever_is_drawn(footage: Footage) -> None:
    for model in ("tiny-1", "small-1"):
        footage.segment(passing(footage, model=model), model=model)
    draw(footage, STOP, BAY)
    footage.aggregate()
    assert compare_models(footage.store, "tiny", "small").compared == 1
    with pytest.raises(
        Misconfigured, match=r"large: no counts of such a model; choose from: small-1, tiny-1$"
    ):
        compare_models(footage.store, "large", "small")


def test_a_dry_run_shows_which_models_lines_and_zones_a_day_has(footage: Footage) -> None:
    counted(footage, STOP, BAY)
    recount = ALL_DAYS._replace(recount=True)
    found = dry_run(
        settings=footage.settings, store=footage.store, progress=NoProgress(), selection=recount
    )._asdict()
    days = [day._asdict() for day in found["days"]]
    of_picture, at_lines, total = dry_run_lines(found | {"days": days})
    assert of_picture.startswith("2026-01-01  tiny-1, 60 s: 1 segment, ")
    assert at_lines == "2026-01-01  tiny-1, at lines and zones, 60 s: its tracks"
    assert total.startswith("2 days to count")
