"""What a client of videos is told, and may say: each message has the whole state of its thing."""

from __future__ import annotations

from typing import Literal

import msgspec

from frametally_videos.library_answers import playable_of
from frametally_videos.ports.job_book import Job, JobKind, JobState
from frametally_videos.ports.video_catalogue import VideoRow
from frametally_web.requests.answers import Answer


class JobTold(Answer, frozen=True, kw_only=True, tag_field="type", tag="job"):
    """How a job of one of the client's videos stands.

    Attributes:
        video_id: UUID of the video.
        file_id: The same.
        job_id: Names the job.
        kind: What it does.
        state: How it stands.
        progress: 0 to 1; null where it cannot be told.
        attempt: How often it was begun.
        reason: Why it failed, or waits to be tried again; null where it did not.
        result_url: Where this server has what came of it; null before it is done, or where nothing has one.
    """

    video_id: str
    file_id: str
    job_id: str
    kind: JobKind
    state: JobState
    progress: float | None
    attempt: int
    reason: str | None
    result_url: str | None


class VideoTold(Answer, frozen=True, kw_only=True, tag_field="type", tag="video"):
    """How far one of the client's videos is.

    Attributes:
        video_id: UUID of the video.
        file_id: The same.
        name: What people call it.
        state: How far it is; `removed` once it is gone.
        reason: Why it is there; null where there is nothing to say.
        progress: Of what is under way, 0 to 1; null where nothing is, or it cannot be told.
        result_url: Where it plays; null where it does not yet.
    """

    video_id: str
    file_id: str
    name: str
    state: str
    reason: str | None
    progress: float | None
    result_url: str | None


class Hello(Answer, frozen=True, kw_only=True, tag_field="type", tag="hello"):
    """The first message: all there is of the client's.

    Attributes:
        client_id: As it asked.
        videos: Its videos, the newest first.
        jobs: What is done to them, the newest first.
    """

    client_id: str
    videos: list[VideoTold]
    jobs: list[JobTold]


class Ping(Answer, frozen=True, kw_only=True, tag_field="type", tag="ping"):
    """Nothing has happened, and the server is still there."""


class Pong(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a client may say.

    Attributes:
        type: `pong`.
    """

    type: Literal["pong"]


CLOSED_BECAUSE = {
    1003: "the client said what is none of its messages",
    1008: "it may not listen (a page of another site, another name of this server), names itself by what is "
    "no client's id, or says too much",
    1009: "what it said is larger than anything that is taken in",
    1013: "it has four open already, or all clients have too many",
}
"""By what code a socket is closed, and why."""


def told_of_video(row: VideoRow) -> VideoTold:
    """Return how far a video is."""
    plays = row.artifact("enhanced") is not None or playable_of(row) is not None
    return VideoTold(
        video_id=row.record.id,
        file_id=row.record.id,
        name=row.record.name,
        state=row.state,
        reason=row.reason,
        progress=row.progress,
        result_url=f"/processed_videos/{row.record.id}" if plays else None,
    )


def told_of_job(job: Job) -> JobTold:
    """Return how a job stands."""
    results = {
        "enhance": f"/processed_videos/{job.video_id}",
        "playable": f"/processed_videos/{job.video_id}",
        "metadata": f"/metadata/{job.video_id}.json",
        "checks": f"/api/v1/videos/{job.video_id}/quality",
        "previews": f"/api/v1/videos/{job.video_id}/poster",
    }
    return JobTold(
        video_id=job.video_id,
        file_id=job.video_id,
        job_id=job.id,
        kind=job.kind,
        state=job.state,
        progress=job.progress,
        attempt=job.attempts,
        reason=job.reason,
        result_url=results.get(job.kind) if job.state == "done" else None,
    )
