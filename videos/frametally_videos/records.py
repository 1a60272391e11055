"""Records of videos that came in by an upload; see `records` for the rules.

The object store is the truth of a video: `videos/<id>/video.json` says that there is one. Its catalogue
(`ports.video_catalogue`) is made from these and can be lost.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from frametally import keys
from frametally.records import SealedRecord, TimeSource

UploadKind = Literal["resumable", "form"]
"""By tus, whose client can go on after a cut; or as a form's part, which is sent anew."""


class VideoFields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the one who uploads says of a video; all of it may be left out.

    Attributes:
        name: What people call it; None: its file's name.
        source: Its camera's name as the user wrote it; None: the stem of its file's name.
        start_time: ISO 8601 moment of its first frame; without an offset it is in `timezone`.
        timezone: IANA name of the zone that times without an offset are in; None: the deployment's.
        last_modified_ms: When its file was changed last on the machine that it came from.
        client_id: Whose it is: 1 to 64 of `A-Za-z0-9_-`; shown to nobody else.
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
        length_bytes: How many bytes come; None while a form's part has not ended.
        file_name: The file's name on the machine that it comes from; never part of a key or a path.
        sha256: Of all its bytes, hex, where the client said so beforehand.
        created_at_ms: By the clock of the server that began it.
        expires_at_ms: When it is removed, unless it has been received.
        owner: Account of the one who began it; empty: nobody had to say who they are.
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

    remedy: ClassVar[str] = "upload the video again, then remove this record"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.upload_key(self.id)


class VideoFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a look into a video's bytes says of it.

    Attributes:
        container: Name of its kind of container by its first bytes, such as `mp4`, `matroska`, `avi`.
        content_type: MIME type that it is sent as, such as `video/mp4`.
        codec: Of its moving pictures, such as `h264`.
        width_px: Width of the upright picture.
        height_px: Height of the upright picture.
        fps: Frames a second, on average; None where it states none.
        duration_s: Its length in seconds; None where it states none.
        frames: Frames that it states, or that its length and rate lead to; None where neither is known.
        has_sound: Whether it has a sound track.
        plays_in_browsers: Whether today's browsers play it as it is.
        why_not: Why they do not, as one sentence; None where they do.
        started_at_ms: Event time of its first frame; None: nothing tells it, a person must.
        time_source: Where that is from; None with `started_at_ms`.
        damage: What is wrong with its file, a sentence each.
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
    damage: list[str] = []


class MovedCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload took from where the same bytes were counted before.

    Attributes:
        source: Slug of the source that had them.
        source_name: That source as the user wrote it.
        from_ms: Event time of the first of these frames there.
        to_ms: Event time of the last.
        frames: How many they are.
    """

    source: str
    source_name: str
    from_ms: int
    to_ms: int
    frames: int


class VideoRecord(SealedRecord, frozen=True, kw_only=True):
    """One video: it is there from when this is (`videos/<id>/video.json`).

    Attributes:
        id: UUID4.
        sha256: Of the original's bytes, hex; also the identity of its medium, once frames are taken.
        size_bytes: Of the original.
        name: What people call it.
        file_name: The original's, for its download.
        source: Slug of its source.
        source_name: The source as the user wrote it.
        fields: What was said of it, with later corrections.
        facts: What its bytes say.
        uploaded_at_ms: When it was accepted, by the server's clock.
        state: `deleting` from when somebody asked for it until nothing of it is left.
        revision: How often its name, source or time was changed.
        owner: Account of the one who uploaded it; empty: nobody had to say who they are.
        moved_from: What its upload moved from another source or time; None: nothing.
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
        "restore it from a backup; without one, copy the file `original` beside it to another place, remove "
        "this record alone, and upload the copy"
    )

    @property
    def key(self) -> str:  # noqa: D102
        return keys.video_key(self.id)


class VideoContent(SealedRecord, frozen=True, kw_only=True):
    """Which video has these bytes: of uploads of the same bytes, exactly one puts this first.

    It lies at `videos/contents/<sha256>.json`. Where that video has neither a record nor an upload that could
    still lead to one, whoever comes next may take its place.
    """

    sha256: str
    video_id: str
    upload_id: str

    remedy: ClassVar[str] = "remove it: the next upload of the same bytes makes it anew"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.video_content_key(self.sha256)
