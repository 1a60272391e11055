"""Records of a run's tracks: one line each; see `records` for the rules."""

from __future__ import annotations

import msgspec

from frametally.records import Record
from frametally.rules.path_columns import Began, Ended


class TrackSighting(msgspec.Struct, frozen=True, kw_only=True):
    """One box of a track: where and when, `box` and `confidence` as in `Detection`."""

    image_path: str
    captured_at_ms: int
    confidence: float
    box: tuple[float, float, float, float]


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """The votes for a label: its counted boxes in a track, and the sum of their confidences."""

    label: str
    boxes: int
    confidence: float


class TrackHead(Record, frozen=True, kw_only=True):
    """The identity of the object of a `Track`: the beginning of its line.

    Attributes:
        id: `<hour_start_ms>-<number>`, unique among the tracks of a model and source.
        hour_start_ms: Start of the hour; its track also knows what was seen a minute before and after it.
        is_counted: Whether it was first seen in this hour; else an earlier one counted it, or it was there
            before a gap in the footage, too.
        label: The one that has won the vote: boxes of a group of labels are followed together.
        first_seen_ms: Event time of the first counted box of that label, as far as this hour knows.
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
        boxes: Number of boxes, of whatever label, from the first counted one to the last.
        first: The first counted box of the label.
        best: The counted box of the label with the greatest confidence, the earliest of several.
        began: How it began.
        ended: How it ended.
        votes: By label, the winner first.

    Its path is next to it, with those of all tracks of the day and source (`rules.path_columns`).
    """

    last_seen_ms: int
    boxes: int
    first: TrackSighting
    best: TrackSighting
    began: Began | None = None
    ended: Ended | None = None
    votes: tuple[Vote, ...] = ()
