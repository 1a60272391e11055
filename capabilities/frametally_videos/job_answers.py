"""Answers about jobs and versions of videos, and the requests for them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from frametally.actions.answers import Answer
from frametally_videos.answers import VideoJob
from frametally_videos.media_records import DerivativeKind, Enhancement, VideoMetadata


class JobOfVideo(VideoJob, frozen=True, kw_only=True):
    """A job of any video; its other fields are those of `VideoJob`.

    Attributes:
        video_id: UUID of the video.
        video_name: The video's name; empty if it was removed.
        worker: Name of its worker; empty if it has none.
    """

    video_id: str
    video_name: str
    worker: str


class FailedJobs(Answer, frozen=True, kw_only=True):
    """Failed jobs of one kind that were not started again.

    Attributes:
        jobs: How many.
        since_ms: When the first of them failed.
    """

    jobs: int
    since_ms: int


class JobList(Answer, frozen=True, kw_only=True):
    """`/api/jobs`: a page of jobs, the newest first.

    Attributes:
        jobs: The jobs of this page.
        next: `cursor` of the next page; null at the end.
        states: Number of jobs by state; states without jobs are left out.
        kinds: The same of each kind that has some.
        failures: The failed jobs of each kind that were not started again.
        uploads_allowed: Whether you can request, retry and cancel jobs here.
        remedy: What to do if you cannot; null if you can.
    """

    jobs: list[JobOfVideo]
    next: str | None
    states: dict[str, int]
    kinds: dict[str, dict[str, int]]
    failures: dict[str, FailedJobs]
    uploads_allowed: bool
    remedy: str | None


class JobWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The job to do on a video.

    Attributes:
        kind: `enhance`, `playable`, `previews`, `metadata` or `checks`.
        options: Of `enhance`: the fields of `Enhancement`; each that is left out changes nothing.
    """

    kind: str
    options: dict[str, Any] = {}


class VideoDerivative(Answer, frozen=True, kw_only=True):
    """A video that was made of another, and how; its other fields are those of `Derivative`.

    Attributes:
        enhancement: Options of an enhanced one; null of a playable one.
        video_encoder: FFmpeg's name of it, such as `libx264`; null of a remux.
        url: Where this server has it.
    """

    video_id: str
    kind: DerivativeKind
    recipe: str
    enhancement: Enhancement | None
    method: Literal["remux", "encode"]
    video_encoder: str | None
    sound: Literal["copied", "encoded", "none"]
    tried: list[str]
    made_by: str
    content_type: str
    size_bytes: int
    width_px: int
    height_px: int
    frames: int
    duration_s: float
    url: str


class VideoDerivatives(Answer, frozen=True, kw_only=True):
    """`/api/videos/{video_id}/derivatives`.

    Attributes:
        derivatives: All that was made of the video, the newest of each kind last.
    """

    derivatives: list[VideoDerivative]


class ProcessingStatus(Answer, frozen=True, kw_only=True):
    """The progress of a video, in the words of programs that poll it.

    Attributes:
        file_id: UUID of the video.
        status: `pending`, `processing`, `completed` or `failed`.
        progress: 0 to 1; null if unknown.
        error: Why it failed, or waits for another attempt; null otherwise.
        attempts: How often it was begun.
        result_url: Address of the result on this server; null until it is completed.
        enhanced: Whether the video there is an enhanced one; null of metadata.
        message: A further remark for people; null if there is none.
    """

    file_id: str
    status: Literal["pending", "processing", "completed", "failed"]
    progress: float | None
    error: str | None
    attempts: int
    result_url: str | None
    enhanced: bool | None
    message: str | None


class MetadataOfFile(VideoMetadata, frozen=True, kw_only=True):
    """`/metadata/{file_id}.json`: a video's metadata; its other fields are those of `VideoMetadata`.

    Attributes:
        file_id: UUID of the video.
    """

    file_id: str
