"""Answers about changes of footage: what a change would do, and the progress of the current one."""

from __future__ import annotations

from typing import Literal

import msgspec

from frametally.actions.answers import Answer


class LeftAlone(Answer, frozen=True, kw_only=True):
    """Something that a change leaves as it is.

    Attributes:
        name: Name of the source or file.
        why: The reason, with the remedy.
    """

    name: str
    why: str


class ChangedDay(Answer, frozen=True, kw_only=True):
    """A source's frames and detections on a local day, before a change and after it.

    Attributes:
        name: Its display name.
        day: The local day, `YYYY-MM-DD`.
        frames_before: Frames that count now.
        frames_after: Frames that will count.
        detections_before: Detections in `frames_before`.
        detections_after: Detections in `frames_after`.
    """

    source: str
    name: str
    day: str
    frames_before: int
    frames_after: int
    detections_before: int
    detections_after: int


class ChangePlan(Answer, frozen=True, kw_only=True):
    """The effect of a change; nothing is changed yet.

    Attributes:
        frames: How many frames it would change; 0 if it would do nothing.
        lines: Its effects, a sentence each.
        left_alone: The media that it would not change, the first 20.
        days: The days whose counts it changes, the first 31; null if there is too much footage to preview.
        days_left_out: Number of further days.
    """

    frames: int
    lines: list[str]
    left_alone: list[LeftAlone]
    days: list[ChangedDay] | None = msgspec.field(default_factory=list)
    days_left_out: int = 0


class ChangedCounts(Answer, frozen=True, kw_only=True):
    """The counts that a change of footage changes.

    Attributes:
        from_ms: Event time at which they begin.
        to_ms: Event time before which they end.
    """

    source: str
    from_ms: int
    to_ms: int


class ChangeState(Answer, frozen=True, kw_only=True):
    """A change of footage that this server makes, or made last.

    Attributes:
        what: Its kind: `replay`, `drop`, `forget`, `retime`, `rename`, `timezone` or `finish`.
        target: The source, footage or dead letters that it changes, in words.
        state: `running`, `done` or `failed`.
        done: Steps that are done.
        total: Steps in all; null if unknown.
        lines: Its result, or why it failed, a sentence each; empty while it runs.
        left_alone: The media that it did not change, the first 20.
        changed: The counts that it changes, for their history; null if it changes none, or those of several
            sources.
    """

    what: str
    target: str
    state: Literal["running", "done", "failed"]
    done: int
    total: int | None
    lines: list[str]
    left_alone: list[LeftAlone]
    changed: ChangedCounts | None = None


class ChangesNow(Answer, frozen=True, kw_only=True):
    """`/api/changes`: the change that is at work, and those that were interrupted.

    Attributes:
        last: The current change, or the last one since the server started; null if there was none.
        unfinished: The interrupted change, in words; `POST changes/finish` finishes it.
    """

    last: ChangeState | None
    unfinished: list[str]


class Recording(Answer, frozen=True, kw_only=True):
    """A medium of a source: a video, or its pictures of a UTC day.

    Attributes:
        id: The first 12 hex of its sha256.
        name: Its file's name; of pictures, the day.
        from_ms: Event time of its first frame; null before there is one.
        to_ms: Event time of its last frame; null before there is one.
        frames: Frames announced.
    """

    id: str
    name: str
    from_ms: int | None
    to_ms: int | None
    frames: int


class SourceFootage(Answer, frozen=True, kw_only=True):
    """`/api/footage`: the footage of a source.

    Attributes:
        name: Its display name.
        frames: Frames announced, of all recordings.
        from_ms: Event time of the first frame; null before there is one.
        to_ms: Event time of the last frame; null before there is one.
        recordings: The oldest first, 200 at most.
        recordings_left_out: Number of further recordings.
        timezone: IANA name of the source's time zone; null if it does not have one.
    """

    source: str
    name: str
    frames: int
    from_ms: int | None
    to_ms: int | None
    recordings: list[Recording]
    recordings_left_out: int
    timezone: str | None = None
