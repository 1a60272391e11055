"""The guarantees promise for every number of a bar or a range that it is known, or null with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from frametally.rules.known import NAMES_OF_TRACKS, OF_BARS, OF_TRACKS, Metric, Missing
from frametally_web.api.endpoints import ALL_ENDPOINTS
from frametally_web.translations.texts import texts

PAGE = (Path(__file__).resolve().parents[2] / "docs/guarantees.md").read_text(encoding="utf-8")
PROMISES = re.findall(r"^- Null, never 0: (.+)$", PAGE, re.MULTILINE)
PROMISED = {name for promise in PROMISES for name in re.findall(r"`(\w+)`", promise)} | {*NAMES_OF_TRACKS}

MEASURED = {
    *re.findall(
        r"\w+",
        """
    BarDifference BusyInterval CountBucket CountedZone CrossingBucket CrossingInterval CrossingObjects
    CrossingTotal DoubleAnswers Filmed Frames FramesAnalysed JunctionLeg LabelAccuracy LabelDifference
    LabelSpeeds LabelTotal LibraryVideo ModelDifference MovementBucket NothingShown NumberHistory Objects
    OtherModel PastEstimate ShownVisit ShownVisits ShowsNothing SpeedBin StaysSeen Summary ToldMessage Total
    TrafficClass TrafficPeak TrafficQuarter TrafficTotals TriedInterval UnsentAlert VisitBooks VisitsSeen
    WeekBefore WeekCell WouldBeAlert ZoneBucket ZoneEvents
    """,
    )
}
"""Answers with numbers that may be unknown: each of these numbers has a promise."""

EVERYWHERE = {
    *re.findall(
        r"\w+",
        """
    base_interval_s captured_at_ms created_at_ms days days_counted duration_s end_ms ended_at_ms from_ms
    height_px hour interval_choices_s interval_s points revision size_bytes start_ms started_at_ms to_ms
    weekday width_px
    """,
    )
}
"""Times, sizes and drawings: they are known wherever an answer has them."""

KNOWN = {
    "AlertMessages": "next",
    "Alerts": "next",
    "AuditLog": "next",
    "BarDifference": "other_end_ms other_start_ms",
    "Books": (
        "as_of_ms counted_at_ms eta_s footage_until_ms frames_per_s lost_messages newest_captured_at_ms "
        "newest_segment_at_ms"
    ),
    "Box": "box confidence",
    "BoxesAt": "boxes position_s",
    "CalibrationTry": "error_m error_px errors_px matrix reach_px scale_error",
    "ChangePlan": "days_left_out frames",
    "ChangeState": "done total",
    "ChangedDay": "detections_after detections_before frames_after frames_before",
    "Chapter": "end_s start_s",
    "Check": "count",
    "CheckResult": "answered first_answer_ms last_answer_ms missing next_at units used",
    "CheckSummary": "answered drawn first_ms last_ms planned_units units wanted_width",
    "CheckedBox": "box confidence",
    "CountCheck": "confidence last_answer_ms units",
    "CountedFrame": "count running_total",
    "CountedObject": "boxes first_seen_ms last_seen_ms running_total",
    "Counts": "frames frames_not_looked_at overlaps_left_out weekdays",
    "CrossingReason": "count",
    "DeadLetterCause": "frames",
    "DeadLetterFrames": "dead_letters_left_out",
    "DeadLetters": "frames since_ms",
    "Differences": (
        "compared differing frames only_here only_there other_base_interval_s other_frames other_from_ms "
        "other_to_ms seen_by_both"
    ),
    "DoubleAnswers": "equal pairs",
    "DrawnCalibration": "distance_m metres",
    "Enhancement": "brightness contrast denoise fps gamma local_contrast saturation sharpen",
    "EvidenceFrame": "count",
    "EvidenceFrames": "labels_left_out",
    "FailedJobs": "jobs since_ms",
    "Filmed": "filmed_s part sources",
    "FlowBar": "covered_ms frames",
    "Frames": "frames_analysed position",
    "FramesAnalysed": "slowest_fps",
    "FramesOfVideo": "announced counted dead_lettered detected expected",
    "FramesPerBar": "least most",
    "GapReason": "count",
    "Heatmap": "frames weekdays",
    "HeldRange": "set_at_ms",
    "JobList": "kinds states",
    "JobOfVideo": "attempts progress",
    "KeptRule": "after_ms frames most_bytes",
    "KnownRectangle": "sides_m",
    "LabelAccuracy": "model_total units_needed",
    "LibraryPage": "states total",
    "LibraryVideo": "fps labels progress uploaded_at_ms",
    "ListedAccount": "sessions",
    "ListedToken": "ends_at_ms used_at_ms",
    "LiveCamera": (
        "away_since_ms drift_ms frames_announced frames_lost frames_per_s lag_ms offered_per_s packets_lost "
        "shown_lag_ms taken_per_s"
    ),
    "LogBooks": "committed messages",
    "MetadataOfFile": "bit_rate_bps sampled_frames v",
    "ModelChoice": "base_intervals_s",
    "ModelCost": "ap cpu_ms megabytes of_present",
    "MovedCounts": "frames",
    "NextUnits": "answered differences drawn half_widths missing next_at used wanted_width",
    "NumberChange": (
        "counted_at_ms detections_after detections_before frames_after frames_before frames_came "
        "frames_gone runs"
    ),
    "NumberHistory": "blank_frames other_runs",
    "OfSources": "of_sources sources",
    "OpenNeed": "number",
    "OtherChecks": "answered checks",
    "PastEstimate": "answered_at_ms units",
    "Paths": "paths_left_out points_left_out",
    "PeakFrame": "count",
    "PictureStream": (
        "average_fps bit_rate_bps bits frames_counted frames_stated index level longest_gop_frames "
        "longest_step_s real_fps rotation_degrees shortest_step_s start_s"
    ),
    "PlannedKind": "going going_bytes items",
    "ProcessingStatus": "attempts progress",
    "ProvedCrossing": "number path time_ms",
    "Quality": "detections lines_dead",
    "Recording": "frames",
    "RemovedData": "items",
    "Retention": "applied_at_ms",
    "RetentionPlan": "done going_bytes",
    "RuleTrial": "fulfilled total tried",
    "RunReport": "duplicates_dropped frames",
    "Runs": "runs_left_out",
    "Shift": "earlier_ms",
    "ShownPath": "path",
    "ShownVisit": "number path time_ms",
    "SignedEmbed": "ends_at_ms",
    "SoundStream": "bit_rate_bps channels index sample_rate_hz",
    "SourceBooks": (
        "announced counted counted_until_ms dead_lettered detected expected footage_until_ms forgotten "
        "indexed newest_captured_at_ms overlapped shows_nothing_s"
    ),
    "SourceFootage": "frames recordings_left_out",
    "SourceRange": "counted_until_ms first_interval_ms footage_until_ms frames next_interval_ms",
    "SparedFrames": "frames",
    "SpeedBin": "km_h",
    "SpeedReason": "count",
    "StageBooks": "frames_behind",
    "StoredPicture": "first_captured_at_ms last_captured_at_ms",
    "StreamList": "most",
    "StreamOfVideo": "frames_announced frames_per_s lag_ms position_s speed",
    "Summary": "filmed_s",
    "ToldChange": "at_ms number status",
    "ToldChannel": "waiting",
    "ToldMessage": "attempts",
    "ToldRule": "muted_until_ms since_ms threshold",
    "TrafficPeak": "busiest_ms",
    "UnitAnswered": "answered turn unit",
    "UnitToAnswer": "turn unit",
    "UploadProgress": "length offset status",
    "VideoCheck": "limit measured spans_s",
    "VideoDerivative": "frames",
    "VideoDetections": "next_s",
    "VideoJob": "attempts progress",
    "VideoMetadata": "bit_rate_bps sampled_frames v",
    "VideoQuality": "v",
    "WeekBefore": "intervals of_intervals",
    "ZoneToCheck": "answered shrink units",
}
"""Numbers that are known wherever an answer has them: settings, books, states of work, stored boxes, rows,
and what people answered. Add a number here only if no footage can make it wrong."""


def parts_of(form: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the types within a list, a dictionary, a tuple or a union."""
    values: Any = form
    yield from getattr(values, "types", ())
    yield from getattr(values, "item_types", ())
    if (item := getattr(values, "item_type", None)) is not None:
        yield item
    if (value := getattr(values, "value_type", None)) is not None:
        yield value


def has_number(form: inspect.Type) -> bool:
    return isinstance(form, inspect.IntType | inspect.FloatType) or any(map(has_number, parts_of(form)))


def collect(form: inspect.Type, numbers: dict[str, set[str]]) -> None:
    """Add the fields with numbers of each answer within `form`, by the answer's name."""
    if isinstance(form, inspect.StructType) and form.cls.__name__ not in numbers:
        fields = {field.encode_name for field in form.fields if has_number(field.type)}
        numbers[form.cls.__name__] = fields
        for field in form.fields:
            collect(field.type, numbers)
    for part in parts_of(form):
        collect(part, numbers)


def without_a_promise(answers: list[type[msgspec.Struct]]) -> set[str]:
    """Return the numbers within these answers that have no promise, and are not known wherever they stand."""
    numbers: dict[str, set[str]] = {}
    for answer in answers:
        collect(inspect.type_info(answer), numbers)
    return {
        f"{name}.{field}"
        for name, fields in numbers.items()
        for field in fields - EVERYWHERE - {*KNOWN.get(name, "").split()}
        # The other side of a comparison has the same number.
        if name not in MEASURED or field.removeprefix("other_") not in PROMISED
    }


class Bicycles(msgspec.Struct):
    start_ms: int
    detections: int


class Totals(msgspec.Struct):
    by_label: dict[str, list[Bicycles | None]]
    parked: float | None


ANSWERS = [endpoint.answer for endpoint in ALL_ENDPOINTS if endpoint.answer is not None]


def test_each_number_in_an_answer_has_a_promise() -> None:
    assert without_a_promise(ANSWERS) == set()


def test_the_manual_has_each_declared_number_with_its_unit_and_meaning() -> None:
    manual = (Path(__file__).resolve().parents[2] / "docs/api.md").read_text(encoding="utf-8")
    declared = {(number.name, number.unit, number.meaning) for number in (*OF_BARS, *OF_TRACKS)}
    units = "|".join({unit for _, unit, _ in declared})
    table = re.findall(rf"^\| `(\w+)` \| ({units}) \| (.+) \|$", manual, re.MULTILINE)
    assert sorted(table) == sorted(declared)


def test_each_number_of_a_chart_and_each_reason_has_words_in_each_language() -> None:
    assert tuple(number.name for number in OF_BARS) == get_args(Metric)
    keys = {f"web.{name}_{part}" for name in get_args(Metric) for part in ("title", "explained")}
    keys |= {f"web.why_{reason}" for reason in get_args(Missing)}
    assert {language: keys - words.keys() for language, words in texts().items()} == {
        language: set() for language in ("en", "de")
    }


def test_a_number_in_a_new_answer_needs_a_promise() -> None:
    assert without_a_promise([*ANSWERS, Totals]) == {"Bicycles.detections", "Totals.parked"}


def test_each_listed_answer_has_these_numbers() -> None:
    numbers: dict[str, set[str]] = {}
    for answer in ANSWERS:
        collect(inspect.type_info(answer), numbers)
    listed = {name: {*fields.split()} for name, fields in KNOWN.items() if name in numbers}
    assert {name: fields - numbers[name] for name, fields in listed.items() if fields - numbers[name]} == {}
    if without := {*KNOWN, *MEASURED} - {*numbers}:
        pytest.skip(f"needs the capabilities of {', '.join(sorted(without))}")


def test_each_number_in_an_export_has_a_promise() -> None:
    from frametally_web.exports import rows

    columns = [part for part in vars(rows).values() if isinstance(part, (list, tuple))]
    names = {
        column.name.removeprefix("other_").removeprefix("difference_")
        for of_table in columns
        for column in of_table
        if isinstance(column, rows.Column) and column.kind in ("whole", "real")
    }
    assert names
    assert names - PROMISED - EVERYWHERE - {"intervals", "of_intervals", "busiest_ms"} == set()


def test_each_reason_has_a_promise() -> None:
    promised = {reason for promise in PROMISES for reason in re.findall(r"\*(\w+)\*", promise)}
    assert promised == {*get_args(Missing), "no_legs"}  # the last is of movements alone
