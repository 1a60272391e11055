"""Records of uploaded videos; see `records` for the rules.

The object store is the authority: a video exists if `videos/<id>/video.json` does. The catalogue
(`catalogue.video_catalogue`) is made from these records and can be lost.
"""

from __future__ import annotations

import datetime
from typing import Any, ClassVar, Literal

import msgspec

from frametally import keys
from frametally.process.reports import plural
from frametally.records import SealedRecord, TimeSource
from frametally.rules.times import local_time

UploadKind = Literal["resumable", "form"]
"""By tus, whose clients can continue after an interruption, or as a form, which must be sent again."""


class VideoFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Fields of an upload; all are optional.

    Attributes:
        name: Its display name; None means its file's name.
        source: Its camera's name as the user wrote it; None means the stem of its file's name.
        start_time: ISO 8601 moment of its first frame; without an offset it is in `timezone`.
        timezone: IANA name of the zone that times without an offset are in; None means the deployment's.
        last_modified_ms: When its file was changed last on the machine that it came from.
        client_id: Its client: 1 to 64 of `A-Za-z0-9_-`; shown to no other client.
        roi: The region that matters, as the JSON that was given; checked, and kept as it is.
        calibration: Points with their metres, as the JSON that was given; checked, and kept as it is.
        move_counts: Of an upload: its source and its time hold, also where the same bytes are counted under
            others. Not kept with the video.
    """

    name: str | None = None
    source: str | None = None
    start_time: str | None = None
    timezone: str | None = None
    last_modified_ms: int | None = None
    client_id: str | None = None
    roi: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    move_counts: bool = False


class UploadRecord(SealedRecord, frozen=True, kw_only=True):
    """An upload that is under way, or whose video is not accepted yet (`uploads/<id>.json`).

    Attributes:
        id: UUID4: names the upload, and is a secret of the one who began it.
        video_id: UUID4 that its video gets.
        file_name: The file's name on the machine that it comes from; never part of a key or a path.
        sha256: Hash of all its bytes, in hex, if the client has sent it beforehand.
        created_at_ms: By the clock of the server that began it.
        expires_at_ms: When it is removed, unless it has been received.
        owner: Account that began it; empty if no sign-in was required.
    """

    id: str
    video_id: str
    kind: UploadKind
    length_bytes: int | None
    file_name: str
    fields: VideoFields
    sha256: str | None = None
    created_at_ms: int
    expires_at_ms: int
    owner: str = ""

    remedy: ClassVar[str] = "upload the video again, then delete this record"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.upload_key(self.id)


class VideoFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of a video from its bytes.

    Attributes:
        container: Name of its kind of container by its first bytes, such as `mp4`, `matroska`, `avi`.
        fps: Frames a second, on average; None if it states none.
        duration_s: Its length in seconds; None if it states none.
        frames: Frames that it states, or that its length and rate lead to; None if neither is known.
        plays_in_browsers: Whether today's browsers play it as it is.
        why_not: Why browsers cannot play it, as one sentence; None if they can.
        started_at_ms: Event time of its first frame; if None, it is unknown, and a person must set it.
        time_source: Where that is from; None with `started_at_ms`.
        track: Place of the counted track among its tracks of moving pictures, from 1.
        damage: Problems of its file, a sentence each.
        time_remark: What is doubtful about its time, for the uploader; empty if nothing is.
        remarks: What frametally does not count of its file, or may read otherwise than it was meant.
    """

    container: str
    content_type: str
    codec: str
    width_px: int
    height_px: int
    fps: float | None
    duration_s: float | None
    frames: int | None
    has_sound: bool
    plays_in_browsers: bool
    why_not: str | None = None
    started_at_ms: int | None = None
    time_source: TimeSource | None = None
    track: int = 1
    damage: list[str] = []
    time_remark: str = ""
    remarks: list[str] = []


class MovedCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The counts that an upload took over from an earlier place of the same bytes.

    Attributes:
        source: Slug of the source that had them.
        source_name: The source as the user wrote it.
        from_ms: Event time of the first of these frames there.
        to_ms: Event time of the last.
        frames: How many they are.
    """

    source: str
    source_name: str
    from_ms: int
    to_ms: int
    frames: int

    def in_words(self, zone: datetime.tzinfo) -> str:
        """Return the number of frames, the source and the days as text."""
        first, last = (local_time(ms, zone).date().isoformat() for ms in (self.from_ms, self.to_ms))
        days = first if first == last else f"{first} to {last}"
        return f"{plural(self.frames, 'frame')} of {self.source_name} on {days}"


class VideoRecord(SealedRecord, frozen=True, kw_only=True):
    """A video; it exists once this record does (`videos/<id>/video.json`).

    Attributes:
        sha256: Hash of the original's bytes, in hex; also the identity of its medium, once frames are taken.
        uploaded_at_ms: When it was accepted, by the server's clock.
        state: `deleting` from the request for removal until everything is gone.
        revision: How often its name, source or time was changed.
        owner: Account that uploaded it; empty if no sign-in was required.
        moved_from: Counts that its upload moved from another source or time; None if there are none.
    """

    id: str
    sha256: str
    size_bytes: int
    name: str
    file_name: str
    source: str
    source_name: str
    fields: VideoFields
    facts: VideoFacts
    uploaded_at_ms: int
    state: Literal["received", "deleting"] = "received"
    revision: int = 0
    owner: str = ""
    moved_from: MovedCounts | None = None

    remedy: ClassVar[str] = (
        "restore it from a backup; without one, copy the file `original` next to it to another place, "
        "delete only this record, and upload the copy"
    )

    @property
    def key(self) -> str:  # noqa: D102
        return keys.video_key(self.id)


class VideoContent(SealedRecord, frozen=True, kw_only=True):
    """The video of these bytes: of uploads of the same bytes, exactly one puts this first.

    Its key is `videos/contents/<sha256>.json`. If that video has neither a record nor an upload that could
    still lead to one, the next upload may take its place.
    """

    sha256: str
    video_id: str
    upload_id: str

    remedy: ClassVar[str] = "delete it: the next upload of the same bytes makes it again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.video_content_key(self.sha256)
