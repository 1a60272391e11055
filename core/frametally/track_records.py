"""Records of a run's tracks: one line each; see `records` for the rules."""

from __future__ import annotations

import msgspec

from frametally.records import Record


class TrackSighting(msgspec.Struct, frozen=True, kw_only=True):
    """One box of a track: where and when, `box` and `confidence` as in `Detection`."""

    image_path: str
    captured_at_ms: int
    confidence: float
    box: tuple[float, float, float, float]


class TrackHead(Record, frozen=True, kw_only=True):
    """What tells which object a `Track` is: the beginning of its line.

    Attributes:
        id: `<hour_start_ms>-<number>`, unique among the tracks of a model and source.
        hour_start_ms: Start of the hour; its track also knows what was seen a minute before and after it.
        is_counted: Whether it was first seen in this hour; else it was counted in an earlier one.
        first_seen_ms: Event time of the first counted box, as far as this hour knows.
    """

    id: str
    model: str
    source: str
    label: str
    hour_start_ms: int
    is_counted: bool
    first_seen_ms: int


class Track(TrackHead, frozen=True, kw_only=True):
    """One object while it was there, as one UTC hour sees it: one line of a run's tracks.

    An object that stays for longer has a track in each of those hours; only the first `is_counted`.

    Attributes:
        last_seen_ms: Event time of the last box, as far as this hour knows.
        boxes: Number of boxes between the two.
        first: The first box.
        best: The box of the greatest confidence, the earliest of several.
        path: `(captured_at_ms, x, y)` of box centres in pixels, by time: the first and the last, and between
            them each that is a quarter of the box's height from the one before. It reaches from the last box
            before the hour to the first one after it, so that the paths of two hours meet.
    """

    last_seen_ms: int
    boxes: int
    first: TrackSighting
    best: TrackSighting
    path: list[tuple[int, float, float]]
