"""Messages to and from a client of videos; each contains the whole state of its subject."""

from __future__ import annotations

from typing import Literal

import msgspec

from frametally_videos.catalogue.catalogue_rows import Job, JobKind, JobState, VideoRow
from frametally_videos.library_answers import playable_of
from frametally_web.api.asyncapi import AsyncChannel, AsyncChannels, Message, Operation, codes
from frametally_web.requests.answers import Answer, answer_of


class JobTold(Answer, frozen=True, kw_only=True, tag_field="type", tag="job"):
    """The state of a job of one of the client's videos.

    Attributes:
        video_id: UUID of the video.
        file_id: The same.
        job_id: Names the job.
        kind: The kind of job.
        state: State of the job.
        progress: 0 to 1; null if unknown.
        attempt: How often it was begun.
        reason: Why it failed, or waits for another attempt; null otherwise.
        result_url: Address of its result; null before it is done, or if it has none.
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
        name: Its display name.
        state: How far it is; `removed` once it is gone.
        reason: Why it is in this state; null if there is nothing to say.
        progress: Of a running job, 0 to 1; null if none runs, or it is unknown.
        result_url: Address where it plays; null if it does not yet.
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
        jobs: Their jobs, the newest first.
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
    1003: "the client sent an unknown message",
    1008: "this client, site or server name is not allowed, the client ID is not valid, or it sent too much",
    1009: "the message is larger than allowed",
    1013: "the client already has four open connections, or all clients have too many",
}
"""Reasons for closing a socket, by code."""


def told_of_video(row: VideoRow) -> VideoTold:
    """Return the message about the state of a video."""
    plays = row.artifact("enhanced") is not None or playable_of(row) is not None
    result_url = f"/processed_videos/{row.record.id}" if plays else None
    ids = {"video_id": row.record.id, "file_id": row.record.id}
    return answer_of(VideoTold, (row, row.record), **ids, result_url=result_url)


def told_of_job(job: Job) -> JobTold:
    """Return the message about the state of a job."""
    results = {
        "enhance": f"/processed_videos/{job.video_id}",
        "playable": f"/processed_videos/{job.video_id}",
        "metadata": f"/metadata/{job.video_id}.json",
        "checks": f"/api/v1/videos/{job.video_id}/quality",
        "previews": f"/api/v1/videos/{job.video_id}/poster",
    }
    result_url = results.get(job.kind) if job.state == "done" else None
    return answer_of(
        JobTold, (job,), file_id=job.video_id, job_id=job.id, attempt=job.attempts, result_url=result_url
    )


class NewLibrary(Answer, frozen=True, kw_only=True):
    """Something has changed that the library of videos shows.

    Attributes:
        version: Another one than before.
    """

    version: str


_TOLD = (
    Message("hello", Hello, "The first message: all videos and jobs of the client."),
    Message("job", JobTold, "A job that has changed, as it is now; at most twice per second."),
    Message("video", VideoTold, "A video that has changed, as it is now; at most twice per second."),
    Message("ping", Ping, "After 20 s without news."),
)
_HEARD = (Message("pong", Pong, "An answer to `ping`; optional."),)

CHANNELS = AsyncChannels(
    channels=[
        AsyncChannel(
            "client",
            "/ws/{client_id}",
            "Progress of a client's videos",
            "A WebSocket for a client that uploads with a `client_id`; it reports only that client's "
            f"videos. {codes(CLOSED_BECAUSE)}",
            [
                Operation("tell_client", "send", "The server sends a client news of its videos.", _TOLD),
                Operation("hear_client", "receive", "Messages that a client may send.", _HEARD),
            ],
            {
                "client_id": {
                    "description": "The client ID that the uploads give: 1 to 64 letters, digits, `-` "
                    "and `_`, but not `stream`.",
                    "examples": ["client-1234"],
                }
            },
        )
    ],
    events=[
        Message(
            "videos",
            NewLibrary,
            "The version of the video library: at the start, and when it changes.",
        )
    ],
)
