"""Answers about single crossings and visits, which prove the counts."""

from __future__ import annotations

from frametally.actions.answers import Answer
from frametally.rules.path_columns import Began, Ended
from frametally_traffic.geometry.crossings import CrossingMissing, Direction
from frametally_traffic.line_counts.answers import CountedLine, OfOneSource, Outcome, SpeedMissing
from frametally_web.proof.answers import Box


class PathFrame(Answer, frozen=True, kw_only=True):
    """A frame on a path, with the box of the one whose path it is.

    Attributes:
        width_px: Width of the stored frame.
        height_px: Height of it.
        box: Its box; null if it no longer counts.
    """

    captured_at_ms: int
    image_path: str
    image_url: str
    width_px: int
    height_px: int
    box: Box | None


class ProvedCrossing(Answer, frozen=True, kw_only=True):
    """An object that crossed a line.

    Attributes:
        number: Running number, across all pages.
        time_ms: Event time of the crossing, between two frames.
        line: Name of the line.
        direction: The direction of the crossing.
        missing: Why it is not measured; null if it is measured.
        track: Id of the first track of its path.
        before: The frame before it; null if the store no longer has it.
        after: The frame after it; null if the store no longer has it.
        path: Its whole path, by time: event time, then its foot point.
        width_px: Width of the picture that points of the path are in; null if the path is unknown.
        height_px: Height of that picture; null if the path is unknown.
    """

    number: int
    time_ms: int
    line: str
    label: str
    direction: Direction
    missing: CrossingMissing | None
    track: str
    before: PathFrame | None
    after: PathFrame | None
    path: list[tuple[int, float, float]]
    width_px: int | None
    height_px: int | None


class CrossingObjects(OfOneSource, frozen=True, kw_only=True):
    """`/api/crossings/objects`: a page of the objects that crossed a line; see `OfOneSource`.

    Attributes:
        lines: Lines of that name that are valid in some of the range.
        value: The bar's number of crossings.
        entries: Crossings of this page, by time.
        next: Cursor of the next page; null on the last one.
    """

    lines: list[CountedLine]
    value: int
    entries: list[ProvedCrossing]
    next: str | None


class ShownVisit(Answer, frozen=True, kw_only=True):
    """A visit with its path; its other fields are those of `ProvedCrossing`.

    Attributes:
        time_ms: When it came over its leg; without a movement, when it was first seen.
        outcome: Whether it has a movement.
        from_leg: Name of the line that it came over; null without a movement.
        to_leg: Name of the line that it went over; null without a movement.
        began: How its path began; null if the store no longer has the path.
        ended: How its path ended; null if the store no longer has the path.
        speed_km_h: Its speed; null if unknown.
        error_km_h: The standard error of the speed; null if the speed is unknown.
        speed_missing: Why the speed is unknown; null if it is known.
        length_m: How far it went, along its bends, where the calibration holds; null if unknown.
        length_error_m: The standard error of the length; null if the length is unknown.
        length_missing: Why it is unknown; null if it is known.
        frame: The frame of its path that is nearest to `time_ms`; null if the store no longer has it.
    """

    number: int
    time_ms: int
    label: str
    outcome: Outcome
    from_leg: str | None
    to_leg: str | None
    track: str
    began: Began | None
    ended: Ended | None
    speed_km_h: float | None
    error_km_h: float | None
    speed_missing: SpeedMissing | None
    length_m: float | None
    length_error_m: float | None
    length_missing: SpeedMissing | None
    frame: PathFrame | None
    path: list[tuple[int, float, float]]
    width_px: int | None
    height_px: int | None


class ShownVisits(OfOneSource, frozen=True, kw_only=True):
    """`/api/movements/visits`: a page of visits with their paths; see `OfOneSource`.

    Attributes:
        legs: Lines that are legs and hold in some of the range, by name.
        value: How many visits the number shows.
        entries: The entries of this page, by time.
        next: Cursor of the next page; null on the last one.
    """

    legs: list[CountedLine]
    value: int
    entries: list[ShownVisit]
    next: str | None
