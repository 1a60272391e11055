"""Turns records into rows of the gold tables."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from msgspec import UNSET
from sqlalchemy import Table

from frametally import keys
from frametally.records import IntervalCount
from frametally.rules.known import basis_of, objects_of
from frametally.rules.places import ZONES, base_model, is_of_places, parse_place, series_of
from frametally.rules.times import DAY_MS, EPOCH, HOUR_MS, MILLISECOND
from frametally_gold import tables
from frametally_gold.gold_records import GoldVideo, PublishedDay
from frametally_traffic.flows.day_columns import (
    CAME,
    CROSSING_COLUMNS,
    CROSSINGS_MISSING,
    DIRECTIONS,
    NO_MOVEMENTS,
    STAY_COLUMNS,
    VISIT_COLUMNS,
    WENT,
    FlowColumns,
)

Rows = Iterator[dict[str, Any]]


@lru_cache(maxsize=4096)
def moment(time_ms: int) -> datetime.datetime:
    """Return an event time as a value for the database."""
    return EPOCH + time_ms * MILLISECOND


def rows_of_day(day: PublishedDay) -> Iterator[tuple[Table, Rows]]:
    """Yield the rows of a day, by table."""
    run = day.run
    if is_of_places(run.model):
        yield tables.place_counts, _place_counts(day)
        if series_of(run.model) == ZONES:
            yield tables.place_coverage, _place_coverage(day)
        for flows in day.flows:
            about = {"model": base_model(run.model), "interval_s": run.interval_s, "run_id": run.run_id}
            yield tables.crossings, _crossings(flows, about)
            yield tables.zone_visits, _zone_visits(flows, about)
            yield tables.movements, _movements(flows, about)
        return
    yield tables.counts, _counts(day)
    yield tables.coverage, _coverage(day)
    yield tables.tracks, _tracks(day)


def _fields(record: object, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _of_run(day: PublishedDay) -> dict[str, Any]:
    return _fields(day.run, "model", "interval_s", "params", "run_id")


def _series(day: PublishedDay) -> dict[str, Any]:
    return {"model": base_model(day.run.model), "series": series_of(day.run.model)}


def _counts(day: PublishedDay) -> Rows:
    about = _of_run(day)
    for count in day.counts:
        yield {
            **about,
            **_fields(count, "source", "label", "detections", "frames", "peak", "tracked_detections"),
            "interval_start": moment(count.interval_start_ms),
            "objects": _object_count(count),
            "followed_objects": count.objects,
            **_fields(count, "objects_from_start", "fast_objects"),
        }


def _object_count(count: IntervalCount) -> int | None:
    """Return the number of unique objects, or None if not measured, by the rule of charts and exports."""
    return objects_of(basis_of(count)).value


def _coverage(day: PublishedDay) -> Rows:
    about = _of_run(day)
    for filmed in day.coverage:
        blank = None if filmed.blank is UNSET else filmed.blank
        yield {
            **about,
            **_fields(filmed, "source", "frames", "detections", "analysed_fps"),
            "interval_start": moment(filmed.interval_start_ms),
            "objects_measured": filmed.is_measured,
            "covered_s": None if filmed.covered_ms is None else filmed.covered_ms / 1000,
            "blank_frames": None if blank is None else sum(frames for _, frames, _ in blank),
            "blank_s": None if blank is None else sum(ms for _, _, ms in blank) / 1000,
            "blank_reasons": None if blank is None else ", ".join(reason for reason, _, _ in blank),
        }


def _tracks(day: PublishedDay) -> Rows:
    about = _of_run(day)
    del about["params"]
    for track in day.tracks:
        yield {
            **about,
            **_fields(track, "source", "label", "is_counted", "boxes"),
            "hour_start": moment(track.hour_start_ms),
            "track_id": track.id,
            "first_seen": moment(track.first_seen_ms),
            "last_seen": moment(track.last_seen_ms),
            "best_image_path": track.best.image_path,
        }


def _place_counts(day: PublishedDay) -> Rows:
    about = {**_of_run(day), **_series(day)}
    for count in day.counts:
        place = parse_place(count.source)
        name, *ways = place.names
        yield {
            **about,
            **_fields(count, "label", "frames", "peak", "tracked_detections", "fast_objects"),
            "interval_start": moment(count.interval_start_ms),
            "source": place.source,
            "kind": place.kind,
            "name": name,
            "what": ways[0] if ways else "",
            "value": count.detections,
            "objects": _object_count(count),
            "followed_objects": count.objects,
        }


def _place_coverage(day: PublishedDay) -> Rows:
    for row in _coverage(day):
        place = parse_place(row["source"])
        del row["detections"]
        yield {
            **row,
            **_series(day),
            "source": place.source,
            "kind": place.kind,
            "name": place.names[0],
        }


def _crossings(flows: FlowColumns, about: Mapping[str, Any]) -> Rows:
    for time_ms, line, label, direction, missing, _, _, hour, number in _transposed(flows, CROSSING_COLUMNS):
        yield {
            **about,
            **_object(flows, label, hour, number),
            "crossed_at": moment(flows.day_start_ms + time_ms),
            "line": flows.lines[line],
            "direction": DIRECTIONS[direction],
            "not_measured": CROSSINGS_MISSING[missing - 1] if missing else None,
        }


def _zone_visits(flows: FlowColumns, about: Mapping[str, Any]) -> Rows:
    for from_ms, to_ms, zone, label, came, went, hour, number in _transposed(flows, STAY_COLUMNS):
        # Stays that begin on other days are rows of those days.
        if 0 <= from_ms < DAY_MS:
            yield {
                **about,
                **_object(flows, label, hour, number),
                "came_at": moment(flows.day_start_ms + from_ms),
                "went_at": moment(flows.day_start_ms + to_ms),
                "zone": flows.zones[zone],
                "came": CAME[came],
                "went": WENT[went],
                "stay_s": (to_ms - from_ms) / 1000,
            }


def _movements(flows: FlowColumns, about: Mapping[str, Any]) -> Rows:
    for row in _transposed(flows, VISIT_COLUMNS):
        time_ms, hour, number, label, from_leg, to_leg, outcome, _, _, speed, error, missing = row
        yield {
            **about,
            **_object(flows, label, hour, number),
            "moved_at": moment(flows.day_start_ms + time_ms),
            "from_line": None if outcome else flows.lines[from_leg],
            "to_line": None if outcome else flows.lines[to_leg],
            "no_movement": NO_MOVEMENTS[outcome - 1] if outcome else None,
            "speed_kmh": None if missing else speed / 10,
            "speed_error_kmh": None if missing else error / 10,
        }


def _transposed(flows: FlowColumns, names: tuple[str, ...]) -> Iterator[tuple[int, ...]]:
    return zip(*(flows.columns[name] for name in names), strict=True)


def _object(flows: FlowColumns, label: int, hour: int, number: int) -> dict[str, Any]:
    return {
        "source": flows.source,
        "label": flows.labels[label],
        "track_id": f"{flows.day_start_ms + hour * HOUR_MS}-{number}",
    }


def rows_of_video(video: GoldVideo) -> Iterator[tuple[Table, Rows]]:
    """Yield the rows of a video, by table."""
    yield tables.videos, iter([_video(video)])
    yield tables.video_counts, ({"video_id": video.record.id, **count._asdict()} for count in video.counts)
    yield tables.quality, _quality(video)


def _video(video: GoldVideo) -> dict[str, Any]:
    record, facts = video.record, video.record.facts
    filmed = video.range_ms or (facts.started_at_ms, None)
    return {
        **_fields(record, "name", "file_name", "source", "sha256", "size_bytes"),
        **_fields(facts, "time_source", "duration_s", "width_px", "height_px", "fps", "codec"),
        **_fields(video, "frames_announced", "derivatives", "made_of"),
        "video_id": record.id,
        "filmed_from": None if filmed[0] is None else moment(filmed[0]),
        "filmed_to": None if filmed[1] is None else moment(filmed[1]),
        "quality_passed": video.quality.passed if video.quality else None,
        "uploaded_at": moment(record.uploaded_at_ms),
        "checksums": None,  # set after the rows are inserted
    }


def _quality(video: GoldVideo) -> Rows:
    for check in video.quality.checks if video.quality else ():
        yield {
            **_fields(check, "passed", "measured", "unit"),
            "video_id": video.record.id,
            "check_name": check.name,
            "allowed": check.limit,
            "spans": len(check.spans_s),
            "detail": check.sentence,
        }


def day_of(text: str) -> datetime.date:
    """Return a UTC day, `YYYY-MM-DD`, as a value for the database."""
    return datetime.date.fromisoformat(text)


def ends_of(day: str) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the moments at which a UTC day and the day after it begin."""
    start_ms = keys.day_start_ms(day)
    return moment(start_ms), moment(start_ms + DAY_MS)
