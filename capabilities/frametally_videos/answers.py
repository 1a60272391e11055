"""Answers about uploaded videos, and the request that changes one."""

from __future__ import annotations

from typing import Any

import msgspec

from frametally.actions.answers import Answer
from frametally.records import TimeSource
from frametally_videos.catalogue.catalogue_rows import JobKind, JobState, VideoState
from frametally_videos.media_records import Enhancement
from frametally_videos.records import MovedCounts


class FramesOfVideo(Answer, frozen=True, kw_only=True):
    """The account of one video in distinct frames; if null, not known yet.

    At the end all are equal, except for frames without a detection: `dead_lettered`, not `counted`.

    Attributes:
        expected: Frames that the sampling takes from it.
        detected: Analysed frames.
        counted: Frames in the chart.
    """

    expected: int | None
    announced: int | None
    detected: int | None
    dead_lettered: int | None
    counted: int | None


class VideoLinks(Answer, frozen=True, kw_only=True):
    """Addresses on this server of a video's files and pages; null if the file does not exist, or not yet.

    Attributes:
        original: The uploaded bytes, as a download.
        playable: The version for browsers: the original, or one made from it; null if there is none yet.
        poster: A picture of it.
        sprite: A hundred small pictures of it in one.
        sprite_vtt: Times of these pictures.
        enhanced: The newest enhanced version.
        processed: The newest enhanced version, or else the playable one; it may change later.
        metadata: Its metadata.
        quality: Its checks.
        derivatives: All versions made from it.
        detections: Boxes by time.
        chart: The dashboard with its source and range; null until it is counted.
        proof: The frames behind its counts; null until it is counted.
    """

    original: str
    playable: str | None
    poster: str | None
    sprite: str | None
    sprite_vtt: str | None
    enhanced: str | None
    processed: str | None
    metadata: str | None
    quality: str | None
    derivatives: str
    detections: str
    chart: str | None
    proof: str | None


class VideoJob(Answer, frozen=True, kw_only=True):
    """One thing that is done to a video.

    Attributes:
        id: Names it.
        kind: `frames` are taken and announced; `previews`: poster and sprite; `metadata`: all that its bytes
            tell; `checks` of its pictures; `playable`: what browsers play; `enhance`: what is better to look
            at; `gold`: it is brought to the gold tables; `removal` of all of it.
        state: State of the job.
        options: Options of `enhance`; null for the other kinds.
        attempts: How often it was begun.
        progress: 0 to 1; null if unknown.
        reason: Why it failed, or waits for another attempt; null otherwise.
        created_at_ms: When it was queued.
        started_at_ms: When it was begun last; null before it is.
        ended_at_ms: When it ended; null before it has.
    """

    id: str
    kind: JobKind
    state: JobState
    options: Enhancement | None
    attempts: int
    progress: float | None
    reason: str | None
    created_at_ms: int
    started_at_ms: int | None
    ended_at_ms: int | None


class VideoJobs(Answer, frozen=True, kw_only=True):
    """`/api/videos/{video_id}/jobs`.

    Attributes:
        jobs: All jobs of the video, the newest of each kind last.
    """

    jobs: list[VideoJob]


class LibraryVideo(Answer, frozen=True, kw_only=True):
    """`/api/videos/{video_id}`: one video; its other fields are those of `VideoFacts`.

    Attributes:
        id: UUID of the video.
        file_id: The same UUID, as `/processed_videos/{file_id}` takes it.
        name: Its display name.
        file_name: The original's name, for its download.
        source_name: The source as its owner wrote it.
        state: Its state; `ready` if it is in the chart; `needs_time` if a person must say when it was filmed.
        reason: Why it is in this state, as a sentence; null if there is nothing to say.
        remedy: What to do about it; null if there is nothing to do.
        progress: Progress of its running jobs, 0 to 1; null if none is running, or if unknown.
        uploaded_at_ms: When it was accepted, by the server's clock.
        owner: Account that uploaded it; null if no sign-in was required.
        started_at_ms: Event time of its first frame; null if unknown.
        ended_at_ms: Event time of its last frame; null before it is known.
        time_source: The origin of these times; null if they are unknown.
        time_is_guess: Whether that is only the file's date, or when it was uploaded; `PATCH` corrects it.
        moved_from: Counts that its upload took over from an earlier place of the same bytes, or null.
        duration_s: Its length in seconds; null if it states none.
        width_px: Width of the upright picture.
        height_px: Height of the upright picture.
        fps: Frames a second on average; null if it states none.
        size_bytes: Size of the original.
        sha256: Hash of the original's bytes.
        container: Kind of container by its first bytes, such as `mp4`.
        codec: Codec of its pictures, such as `h264`.
        content_type: MIME type that it is sent as.
        has_sound: Whether it has a sound track.
        why_not: Why browsers cannot play it; null if they can.
        damage: Problems of its file, a sentence each.
        remarks: What frametally does not count of its file, such as a second video track; may be empty.
        frames: Its account.
        labels: Detections by label of its source in its range, once counted.
        detections_counted: Their sum; null before they are counted, and if none of its frames counts or shows
            anything, which `reason` explains. One car in ten frames is ten detections.
        roi: The region that matters, as uploaded; null if there is none.
        calibration: Points with their metres, as uploaded; null if there are none.
        calibrate_coordinates: The same, by the other name that uploads can give it.
        revision: How often its name, source or time was changed; `If-Match` takes it, in quotes.
        links: Where what belongs to it is.
        jobs: Its jobs; empty in a list of videos.
    """

    id: str
    file_id: str
    name: str
    file_name: str
    source: str
    source_name: str
    state: VideoState
    reason: str | None
    remedy: str | None
    progress: float | None
    uploaded_at_ms: int
    owner: str | None
    started_at_ms: int | None
    ended_at_ms: int | None
    time_source: TimeSource | None
    time_is_guess: bool
    moved_from: MovedCounts | None
    duration_s: float | None
    width_px: int
    height_px: int
    fps: float | None
    size_bytes: int
    sha256: str
    container: str
    codec: str
    content_type: str
    has_sound: bool
    plays_in_browsers: bool
    why_not: str | None
    damage: list[str]
    remarks: list[str]
    frames: FramesOfVideo
    labels: dict[str, int]
    detections_counted: int | None
    roi: dict[str, Any] | None
    calibration: dict[str, Any] | None
    calibrate_coordinates: dict[str, Any] | None
    revision: int
    links: VideoLinks
    jobs: list[VideoJob]


class LibraryPage(Answer, frozen=True, kw_only=True):
    """`/api/videos`: a page of the library.

    Attributes:
        videos: The videos of this page.
        next: `cursor` of the next page; null at the end.
        total: How many the question finds in all.
        states: How many videos of the library are in each state that has some.
        uploads_allowed: Whether videos may be uploaded and changed here.
        remedy: What to do if you may not; null if you may.
    """

    videos: list[LibraryVideo]
    next: str | None
    total: int
    states: dict[str, int]
    uploads_allowed: bool
    remedy: str | None


class VideoEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of a video; omitted fields stay as they are.

    Attributes:
        name: Its display name.
        source: Its camera's name; its counts move to that source.
        start_time: ISO 8601 moment of its first frame; its counts move to that time.
        timezone: IANA name of the zone that a `start_time` without an offset is in.
        roi: The region that matters; null removes it.
        calibration: Points with their metres; null removes them.
    """

    name: str | msgspec.UnsetType = msgspec.UNSET
    source: str | msgspec.UnsetType = msgspec.UNSET
    start_time: str | msgspec.UnsetType = msgspec.UNSET
    timezone: str | msgspec.UnsetType = msgspec.UNSET
    roi: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET
    calibration: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


class VideoRemoval(Answer, frozen=True, kw_only=True):
    """A video that is being removed, and with it its frames and counts.

    Attributes:
        id: UUID of the video.
        state: `deleting`.
    """

    id: str
    state: VideoState


class AcceptedVideo(Answer, frozen=True, kw_only=True):
    """`/api/videos/upload`: the result of an upload; its other fields are those of `LibraryVideo`.

    Attributes:
        file_id: The same UUID as `id`.
        status: `received`.
        state: Its state.
        known: Whether these bytes were there before: then it is the video that they came as first.
        time_is_guess: Whether its time is only a guess, from the file's date or the upload.
        message: The result in words, with what was moved and which fields were ignored.
    """

    id: str
    file_id: str
    status: str
    name: str
    source: str
    state: VideoState
    known: bool
    time_is_guess: bool
    message: str


class AcceptedFile(Answer, frozen=True, kw_only=True):
    """`/upload`: the result of an upload.

    Attributes:
        file_id: UUID of the video.
        id: The same UUID.
        client_id: The uploading client, as sent; null if none was sent.
        status: `received`.
        known: Whether this video had already been uploaded.
        message: The result in words.
    """

    file_id: str
    id: str
    client_id: str | None
    status: str
    known: bool
    message: str


class UploadProgress(Answer, frozen=True, kw_only=True):
    """`/api/uploads/{upload_id}`: the progress or the result of an upload.

    Attributes:
        id: Of the upload.
        state: `receiving`, `received`, then `accepted`, `refused` or `aborted`.
        offset: How many bytes are kept.
        length: How many come; null while that is not known.
        video_id: The video that it became, or that has the same bytes.
        known: Whether this video had already been uploaded.
        status: HTTP status of its refusal; 0 if it was not refused.
        reason: Why it was refused; null if it was not.
        remedy: What to do about its refusal; null if it was not refused.
    """

    id: str
    state: str
    offset: int
    length: int | None
    video_id: str | None
    known: bool
    status: int
    reason: str | None
    remedy: str | None


class BoxesAt(Answer, frozen=True, kw_only=True):
    """The detections in one frame.

    Attributes:
        position_s: Its presentation time in seconds after the first frame's.
        boxes: Label, confidence, left, top, width and height in pixels of the upright picture.
    """

    position_s: float
    captured_at_ms: int
    boxes: list[tuple[str, float, float, float, float, float]]


class VideoDetections(Answer, frozen=True, kw_only=True):
    """`/api/videos/{video_id}/detections`: boxes of a minute at most, to draw over the picture.

    Attributes:
        model: The model that detected them; null before there are any.
        width_px: Width of the picture that boxes are in.
        height_px: Its height.
        frames: By position.
        next_s: Where the next minute begins; null at the end.
    """

    model: str | None
    width_px: int
    height_px: int
    frames: list[BoxesAt]
    next_s: float | None
