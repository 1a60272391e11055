"""Defines the gold tables, made for joins and sums, for both SQLite and PostgreSQL.

Moments are `timestamp with time zone` in PostgreSQL, and UTC texts such as `2026-05-01 08:00:00.000000` in
SQLite, which its date functions read. In each table of days, `model`, `interval_s` and a time column select
the rows of a day. `docs/gold.md` explains every column.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

from frametally.adapters.sql.migration import about_table
from frametally.rules.known import LATER_OF_TRACKS
from frametally.rules.places import FLOWS, ZONES

SCHEMA_VERSION = 10
"""A revision with which the same records give different rows also empties `run_id` of `gold_loads`."""

ALL = MetaData()


def _key(name: str, type_: type[Any] = Text) -> Column[Any]:
    return Column(name, type_, primary_key=True, autoincrement=False)


def _moment(name: str, *, key: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), primary_key=key, nullable=nullable and not key)


def _value(name: str, type_: type[Any] = Text, *, nullable: bool = False) -> Column[Any]:
    return Column(name, type_, nullable=nullable)


def _if_unknown(prefix: str = "") -> list[Column[Any]]:
    """Return the columns that say why a number is null, and which part of it is known (`known.Number`)."""
    return [_value(f"{prefix}missing", nullable=True), _value(f"{prefix}at_least", BigInteger, nullable=True)]


def _of_blank_footage() -> list[Column[Any]]:
    """Return the columns for blank footage, null where frametally did not look for it."""
    return [
        _value("blank_frames", BigInteger, nullable=True),
        _value("blank_s", Float, nullable=True),
        _value("blank_reasons", nullable=True),  # such as `black, frozen`, or empty
    ]


about = about_table("frametally_gold", ALL)

loads = Table(
    "gold_loads",
    ALL,
    _key("model"),
    _key("interval_s", Integer),
    _key("day", Date),
    _value("params"),
    _value("run_id"),  # if it differs from the day's current run, the day is loaded again
    _value("rows", BigInteger),
    _moment("loaded_at"),
    _value("checksums", nullable=True),  # JSON: the number of loaded rows and their checksum, by table
)


def _of_times(name: str, moment: str, *columns: Column[Any], series: bool = False) -> Table:
    """Make a table of sources by time, or, with `series`, of their places, with the series in the key."""
    return Table(
        name,
        ALL,
        _key("model"),
        *([_key("series")] if series else ()),
        _key("interval_s", Integer),
        _moment(moment, key=True),
        _key("source"),
        *columns,
        sqlite_with_rowid=False,
    )


counts = _of_times(
    "gold_counts",
    "interval_start",
    _key("label"),
    _value("params"),
    _value("detections", BigInteger),
    _value("frames", BigInteger),
    _value("peak", Integer),
    _value("objects", BigInteger, nullable=True),
    _value("tracked_detections", BigInteger, nullable=True),
    _value("run_id"),
    _value("followed_objects", BigInteger, nullable=True),
    *(_value(number.name, BigInteger, nullable=True) for number in LATER_OF_TRACKS),
    *_if_unknown("objects_"),
)

coverage = _of_times(
    "gold_coverage",
    "interval_start",
    _value("params"),
    _value("frames", BigInteger),
    _value("detections", BigInteger),
    _value("objects_measured", Boolean),
    _value("objects_missing", nullable=True),
    _value("analysed_fps", Float, nullable=True),
    _value("covered_s", Float, nullable=True),
    _value("run_id"),
    *_of_blank_footage(),
)

tracks = _of_times(
    "gold_tracks",
    "hour_start",
    _key("track_id"),
    _value("label"),
    _value("is_counted", Boolean),
    _moment("first_seen"),
    _moment("last_seen"),
    _value("boxes", BigInteger),
    _value("best_image_path"),
    _value("run_id"),
)

place_counts = _of_times(
    "gold_place_counts",
    "interval_start",
    _key("kind"),
    _key("name"),
    _key("what"),
    _key("label"),
    _value("params"),
    _value("value", BigInteger, nullable=True),
    *_if_unknown(),
    _value("frames", BigInteger),
    _value("peak", Integer),
    _value("objects", BigInteger, nullable=True),
    _value("run_id"),
    _value("followed_objects", BigInteger, nullable=True),
    _value("tracked_detections", BigInteger, nullable=True),
    _value("fast_objects", BigInteger, nullable=True),
    series=True,
)

place_coverage = _of_times(
    "gold_place_coverage",
    "interval_start",
    _key("kind"),
    _key("name"),
    _key("what"),
    _value("params"),
    _value("frames", BigInteger),
    _value("objects_measured", Boolean),
    _value("missing", nullable=True),
    _value("analysed_fps", Float, nullable=True),
    _value("covered_s", Float, nullable=True),
    _value("run_id"),
    *_of_blank_footage(),
    series=True,
)


def _of_objects(name: str, moment: str, *columns: Column[Any]) -> Table:
    """Make a table of movements of single objects, in which rows need not be unique."""
    return Table(
        name,
        ALL,
        _value("model"),
        _value("interval_s", Integer),
        _moment(moment),
        _value("source"),
        _value("track_id"),
        _value("label"),
        *columns,
        _value("run_id"),
        Index(f"{name}_time", "model", "interval_s", moment),
    )


crossings = _of_objects(
    "gold_crossings",
    "crossed_at",
    _value("line"),
    _value("direction"),
    _value("not_measured", nullable=True),
)

zone_visits = _of_objects(
    "gold_zone_visits",
    "came_at",
    _moment("went_at"),
    _value("zone"),
    _value("came"),
    _value("went"),
    _value("stay_s", Float),
)

movements = _of_objects(
    "gold_movements",
    "moved_at",
    _value("from_line", nullable=True),
    _value("to_line", nullable=True),
    _value("no_movement", nullable=True),
    _value("speed_kmh", Float, nullable=True),
    _value("speed_error_kmh", Float, nullable=True),
)

videos = Table(
    "gold_videos",
    ALL,
    _key("video_id"),
    _value("name"),
    _value("file_name"),
    _value("source"),
    _value("sha256"),
    _moment("filmed_from", nullable=True),
    _moment("filmed_to", nullable=True),
    _value("time_source", nullable=True),
    _value("duration_s", Float, nullable=True),
    _value("width_px", Integer),
    _value("height_px", Integer),
    _value("fps", Float, nullable=True),
    _value("codec"),
    _value("size_bytes", BigInteger),
    _value("frames_announced", BigInteger, nullable=True),
    _value("quality_passed", Boolean, nullable=True),
    _value("derivatives", Integer),
    _moment("uploaded_at"),
    _value("made_of"),  # a mark of everything that the video's rows were made from
    _value("checksums", nullable=True),  # as in `gold_loads`
)

video_counts = Table(
    "gold_video_counts",
    ALL,
    _key("video_id"),
    _key("model"),
    _key("label"),
    _value("frames", BigInteger),
    _value("detections", BigInteger),
    _value("peak", Integer),
    _value("objects", BigInteger, nullable=True),
    _value("followed_objects", BigInteger, nullable=True),
    *_if_unknown("objects_"),
)

quality = Table(
    "gold_quality",
    ALL,
    _key("video_id"),
    _key("check_name"),
    _value("passed", Boolean),
    _value("measured", Float, nullable=True),
    _value("allowed", Float),
    _value("unit"),
    _value("spans", Integer),
    _value("detail"),
)

MOMENTS = {
    counts: counts.c.interval_start,
    coverage: coverage.c.interval_start,
    tracks: tracks.c.hour_start,
    place_counts: place_counts.c.interval_start,
    place_coverage: place_coverage.c.interval_start,
    crossings: crossings.c.crossed_at,
    zone_visits: zone_visits.c.came_at,
    movements: movements.c.moved_at,
}
"""The tables of days, each with the time column that is within the day."""

SERIES_OF = {
    counts: ("",),
    coverage: ("",),
    tracks: ("",),
    place_counts: (FLOWS, ZONES),
    place_coverage: (FLOWS, ZONES),
    crossings: (FLOWS,),
    zone_visits: (FLOWS,),
    movements: (FLOWS,),
}
"""The series in each table of days: of whole pictures (an empty name), or of places."""

OF_VIDEO = (videos, video_counts, quality)
"""The tables of a video, by `video_id`."""
