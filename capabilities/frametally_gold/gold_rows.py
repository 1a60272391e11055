"""Turns records into rows of the gold tables."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from msgspec import UNSET, structs
from sqlalchemy import Table

from frametally import keys
from frametally.records import Coverage, IntervalCount
from frametally.rules.known import LATER_OF_TRACKS, Basis, Missing, Number, basis_of, objects_of, why_unknown
from frametally.rules.places import FLOWS, ZONES, Place, base_model, is_of_places, parse_place, series_of
from frametally.rules.times import DAY_MS, EPOCH, HOUR_MS, MILLISECOND
from frametally_gold import tables
from frametally_gold.gold_records import GoldVideo, PublishedDay
from frametally_traffic.flows.day_columns import (
    CAME,
    CROSSING_COLUMNS,
    CROSSINGS_MISSING,
    DIRECTIONS,
    NO_MOVEMENTS,
    NOT_MEASURED,
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
    about, numbers = _of_run(day), _objects_of(day)
    for count in day.counts:
        objects = numbers(count)
        yield {
            **about,
            **_fields(count, "source", "label", "detections", "frames", "peak", "tracked_detections"),
            "interval_start": moment(count.interval_start_ms),
            "objects": objects.value,
            "objects_missing": objects.missing,
            "objects_at_least": objects.at_least,
            "followed_objects": count.objects,
            **_fields(count, *(number.name for number in LATER_OF_TRACKS)),
        }


def _objects_of(day: PublishedDay) -> Callable[[IntervalCount], Number]:
    """Return the rule of charts and exports for the unique objects of a count of the day."""
    rates = {(filmed.source, filmed.interval_start_ms): filmed.analysed_fps for filmed in day.coverage}
    return lambda count: objects_of(basis_of(count, rates.get((count.source, count.interval_start_ms))))


def _why_unknown(filmed: Coverage) -> Missing | None:
    """Return why all numbers of an interval, or at least its objects, are unknown."""
    followed = 0 if filmed.is_measured else None
    is_blank = not filmed.frames and bool(filmed.blank)
    basis = Basis(followed, slowest_fps=filmed.analysed_fps, frames=filmed.frames, is_blank=is_blank)
    return why_unknown("objects", basis)


def _coverage(day: PublishedDay) -> Rows:
    about = _of_run(day)
    for filmed in day.coverage:
        yield {
            **about,
            **_footage(filmed),
            **_fields(filmed, "source", "detections"),
            "objects_missing": _why_unknown(filmed),
        }


def _footage(filmed: Coverage) -> dict[str, Any]:
    blank = None if filmed.blank is UNSET else filmed.blank
    return {
        **_fields(filmed, "frames", "analysed_fps"),
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
    numbers = _numbers_of_zones(day) if about["series"] == ZONES else _numbers_of_flows(day)
    for count, place, number in numbers:
        name, *ways = place.names
        yield {
            **about,
            **_fields(count, "label", "frames", "peak", "tracked_detections", "fast_objects"),
            "interval_start": moment(count.interval_start_ms),
            "source": place.source,
            "kind": place.kind,
            "name": name,
            "what": ways[0] if ways else "",
            "followed_objects": count.objects,
            **number,
        }


PlaceNumbers = Iterator[tuple[IntervalCount, Place, dict[str, Any]]]
"""Counts with their place and the columns `value`, `objects`, `missing` and `at_least`."""


def _numbers_of_zones(day: PublishedDay) -> PlaceNumbers:
    """Yield the counts within zones: boxes, which are known, and the objects."""
    objects_of_count = _objects_of(day)
    for count in day.counts:
        objects, missing, at_least = objects_of_count(count)
        number = {"value": count.detections, "objects": objects, "missing": missing, "at_least": at_least}
        yield count, parse_place(count.source), number


def _numbers_of_flows(day: PublishedDay) -> PlaceNumbers:
    """Yield the counts at places by the rule of the dashboard; both ways of a line where they are unknown."""
    of_lines: defaultdict[tuple[str, str, str, int], list[tuple[str, IntervalCount]]] = defaultdict(list)
    for count in day.counts:
        place = parse_place(count.source)
        if place.kind == "line":
            name, way = place.names
            of_lines[place.source, name, count.label, count.interval_start_ms].append((way, count))
        else:
            yield count, place, _number_of(count, count.missing or None)
    for (source, name, _, _), counts in of_lines.items():
        first = counts[0][1]
        cut = sum(count.detections for way, count in counts if way == NOT_MEASURED)
        basis = Basis(passages=sum(count.detections for _, count in counts) - cut, cut_passages=cut)
        missing = first.missing or why_unknown("passages", basis)
        if missing:
            nothing = structs.replace(first, detections=0, peak=0, objects=0, tracked_detections=0)
            counts += [(way, nothing) for way in DIRECTIONS if way not in dict(counts)]
        for way, count in counts:
            number = _number_of(count, None if way == NOT_MEASURED else missing)
            yield count, Place(source, "line", (name, way)), number


def _number_of(count: IntervalCount, missing: Missing | None) -> dict[str, Any]:
    number = Number(None, missing, count.detections or None) if missing else Number(count.detections)
    return {**number._asdict(), "objects": None if missing else count.objects}


def _place_coverage(day: PublishedDay) -> Rows:
    """Yield the footage of each place: once for a line, a zone or all visits, once for each movement."""
    about = {**_of_run(day), **_series(day)}
    is_of_flows = about["series"] == FLOWS
    places: set[tuple[str, str, str, str, int]] = set()
    for filmed in day.coverage:
        place = parse_place(filmed.source)
        second_line = place.names[1] if place.kind == "movement" else ""
        key = place.source, place.kind, place.names[0], second_line, filmed.interval_start_ms
        if key not in places:
            places.add(key)
            yield {
                **about,
                **_footage(filmed),
                **dict(zip(("source", "kind", "name", "what"), key, strict=False)),
                "missing": (filmed.missing or None) if is_of_flows else _why_unknown(filmed),
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
