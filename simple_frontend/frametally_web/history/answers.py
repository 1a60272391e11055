"""The answer of `/api/history`."""

from __future__ import annotations

from frametally.actions.answers import Answer
from frametally.history_records import ReasonKind


class ChangeReason(Answer, frozen=True, kw_only=True):
    """Why a run counted a day again.

    Attributes:
        kind: For programs.
        text: One sentence for people, with times in the requested zone.
        source: Slug of the source whose footage was forgotten, moved or covered; null for another reason.
        name: Name of the recording; null for another reason.
        from_ms: Event time at which the footage begins; null means its first frame.
        to_ms: Event time at which the footage ends, exclusive; null means its last frame.
        setting: The setting that changed; null means another reason.
        before: Its value before, or the former version.
        after: Its value since, or the new version.
    """

    kind: ReasonKind
    text: str
    source: str | None
    name: str | None
    from_ms: int | None
    to_ms: int | None
    setting: str | None
    before: str | None
    after: str | None


class ChangedFrame(Answer, frozen=True, kw_only=True):
    """A frame that came or went; `image_url` is null if its picture is not in the store."""

    source: str
    captured_at_ms: int
    image_path: str
    image_url: str | None


class NumberChange(Answer, frozen=True, kw_only=True):
    """A run, and its change of the number.

    Attributes:
        day: UTC day that it counted.
        run_id: ID of the run; of several runs, the last.
        runs: How many runs in a row with the same reason this is.
        counted_at_ms: When it was published, by the store's clock.
        version: The frametally that counted; null if unknown.
        params: Hash of the counting settings.
        settings: These settings in words; null if only the hash is known.
        reasons: Why it counted the day again.
        detections_before: The number before.
        detections_after: The number since.
        frames_before: Frames analysed before.
        frames_after: Frames analysed since.
        frames_came: How many frames came.
        frames_gone: How many frames went.
        from_ms: Start of the first hour that changed; null if none did.
        to_ms: End of the last.
        came: The first frames that came.
        gone: The first frames that went.
        note: Null, or a sentence on what of the run is no longer there.
    """

    day: str
    run_id: str
    runs: int
    counted_at_ms: int
    version: str | None
    params: str
    settings: str | None
    reasons: list[ChangeReason]
    detections_before: int
    detections_after: int
    frames_before: int
    frames_after: int
    frames_came: int
    frames_gone: int
    from_ms: int | None
    to_ms: int | None
    came: list[ChangedFrame]
    gone: list[ChangedFrame]
    note: str | None


class OtherModel(Answer, frozen=True, kw_only=True):
    """Another model that counted the same, with its number."""

    model: str
    detections: int


class NumberHistory(Answer, frozen=True, kw_only=True):
    """`/api/history`: the runs that made a number, first to last; their differences add up to it.

    Attributes:
        model: The model that counted; null before there is any data.
        base_interval_s: The stored interval that was read; null before there is any data.
        timezone: IANA name of the zone of the times in texts.
        from_ms: Start of the first whole hour of the number; null if there is nothing.
        to_ms: End of the last whole hour; null if there is nothing.
        detections: The number now.
        frames: Frames analysed now, whatever they show.
        blank_frames: How many of them show nothing, so that no number of a chart includes them.
        changes: The runs that changed it.
        other_runs: How many runs of these days changed nothing of it.
        unknown_days: UTC days whose history is missing or damaged.
        other_models: The counts of other models; a chart without `model` shows the one published last.
    """

    model: str | None
    base_interval_s: int | None
    timezone: str
    from_ms: int | None
    to_ms: int | None
    detections: int
    frames: int
    blank_frames: int
    changes: list[NumberChange]
    other_runs: int
    unknown_days: list[str]
    other_models: list[OtherModel]
