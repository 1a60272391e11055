"""Rows of the catalogue (videos, uploads and jobs), and questions about them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from frametally_videos.records import VideoRecord

JobKind = Literal["frames", "previews", "metadata", "checks", "playable", "enhance", "gold", "removal"]
"""Announce the frames by the record's source and time; make the poster and the sprite; read the metadata;
check the pictures; make a version for browsers; make an enhanced version by the job's options; load the gold
tables; remove the video."""

JobState = Literal["queued", "running", "done", "failed", "cancelled"]

LOST_PICTURES = "lost-pictures"
"""The option of a job `frames` that only makes empty pictures again; no state of a video depends on it."""
WORKER_LOST = "Its worker was lost."
"""Reason of a job that was claimed from a silent worker after its lease expired."""

MOST_LOSSES = 20
"""Workers that a job may lose before it fails: some losses are not the video's fault, but a video must not
kill its workers forever."""

SILENT_S = 0.8
"""Workers renew a lease every second, and five times as often after losing the queue: a worker that is then
silent for this long is dead or stuck."""


class Job(NamedTuple):
    """A job to do on a video; at most one with the same video, kind and options has not ended.

    Attributes:
        options: For `enhance`, an `Enhancement` as JSON, as msgspec writes it; otherwise empty.
        attempts: Number of attempts, without those whose worker was lost.
        losses: Workers lost since the job was queued.
        generation: Rises with each claim; a worker of an old generation writes nothing more.
        worker: Its worker, or empty.
        reason: Why it failed, or waits for another attempt.
    """

    id: str
    video_id: str
    kind: JobKind
    state: JobState
    options: str = ""
    attempts: int = 0
    generation: int = 0
    worker: str = ""
    progress: float | None = None
    reason: str | None = None
    created_at_ms: int = 0
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    losses: int = 0


class JobQuestion(NamedTuple):
    """A question about jobs, answered newest first."""

    video_id: str = ""
    client_id: str = ""
    kinds: tuple[JobKind, ...] = ()
    states: tuple[JobState, ...] = ()
    limit: int = 50
    before: int = 0


class JobPage(NamedTuple):
    """A page of jobs; `next` is 0 at the end."""

    jobs: list[Job]
    next: int


class Failures(NamedTuple):
    """The number of failed jobs of one kind that were not started again.

    `since_ms` is when the first of them failed, by the database's clock.
    """

    jobs: int
    since_ms: int


VideoState = Literal[
    "received", "needs_time", "producing", "detecting", "counting", "ready", "failed", "deleting"
]
"""Accepted, but nothing done yet; unknown when it was filmed; its frames are being announced; some are not
detected yet; some are not counted and indexed yet; all are in the chart (or dead letters); one of its jobs
has failed permanently (`reason` says which and why); being removed."""

FINAL_STATES: tuple[VideoState, ...] = ("ready", "failed", "needs_time")
"""States that change only if a person does something."""

VideoOrder = Literal["uploaded", "filmed", "name", "length", "size"]


class VideoBooks(NamedTuple):
    """The account of one video; at the end, expected = announced = detected + dead-lettered = counted.

    All are numbers of distinct frames, None until known. `labels` has the detections of its source between
    its first and its last frame, by label, once they are counted. `visible_frames` is how many counted
    frames of that time show something.
    """

    expected: int | None = None
    announced: int | None = None
    detected: int | None = None
    dead_lettered: int | None = None
    counted: int | None = None
    labels: Mapping[str, int] = MappingProxyType({})
    visible_frames: int | None = None


ArtifactKind = Literal["poster", "sprite", "sprite_vtt", "metadata", "quality", "playable", "enhanced"]

_RECIPE = re.compile(r"-([0-9a-f]{8})\.[a-z0-9]+$")


class Artifact(NamedTuple):
    """A result made from a video, and its place in the store.

    A video has one of each kind, but any number of `enhanced` ones.
    """

    kind: ArtifactKind
    key: str
    content_type: str
    size_bytes: int

    @property
    def recipe(self) -> str:
        """Eight hex digits that identify it among the video's results; empty if its name has none."""
        match = _RECIPE.search(self.key)
        return match[1] if match else ""


class VideoRow(NamedTuple):
    """A video in the catalogue.

    Attributes:
        version: Version of the record's object in the store.
        reason: Why it is in this state, as one sentence for a person.
        progress: Progress of its running jobs, 0 to 1, or None if none is running or it is unknown.
        first_captured_at_ms: Event time of its first frame, or None until known.
        last_captured_at_ms: Event time of its last frame, or None until known.
    """

    record: VideoRecord
    version: str
    state: VideoState
    reason: str | None = None
    progress: float | None = None
    first_captured_at_ms: int | None = None
    last_captured_at_ms: int | None = None
    books: VideoBooks = VideoBooks()
    artifacts: tuple[Artifact, ...] = ()

    def artifact(self, kind: ArtifactKind) -> Artifact | None:
        """Return the video's newest artifact of a kind, or None if it has none."""
        return next((artifact for artifact in reversed(self.artifacts) if artifact.kind == kind), None)


class VideoQuestion(NamedTuple):
    """A question about videos.

    Attributes:
        text: Words to find in the name, the file's name or the source's, in any case; empty for all videos.
        has_moved_counts: Whether to find only videos whose upload moved counts.
        order: The sort key; ties are sorted by ID, so that pages never overlap.
        newest_first: Whether to sort in descending order: also lengths and sizes, and names from Z.
        cursor: `next` of the previous page; empty for the first.
    """

    text: str = ""
    sources: tuple[str, ...] = ()
    states: tuple[VideoState, ...] = ()
    client_id: str = ""
    has_moved_counts: bool = False
    order: VideoOrder = "uploaded"
    newest_first: bool = True
    limit: int = 48
    cursor: str = ""


class VideoPage(NamedTuple):
    """A page of videos; `next` is empty at the end, `total` counts the matches on all pages."""

    rows: list[VideoRow]
    next: str
    total: int


class UploadRow(NamedTuple):
    """The state of an upload, kept until it expires for clients that missed the answer.

    Attributes:
        state: `receiving` while bytes arrive, `received` once all are there, then the result.
        video_id: The video that it became, or that has the same bytes.
        known: Whether an earlier upload had the same bytes.
        status: HTTP status of its refusal, or 0 if it was not refused.
        reason: Why it was refused or removed, or what else to say about it.
        remedy: What to do about its refusal.
    """

    id: str
    state: Literal["receiving", "received", "accepted", "refused", "aborted"]
    video_id: str
    known: bool = False
    length_bytes: int | None = None
    client_id: str = ""
    status: int = 0
    reason: str | None = None
    remedy: str | None = None
    expires_at_ms: int = 0

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("accepted", "refused", "aborted")


Orchestrator = Literal["queue", "airflow"]
"""The system that describes and checks new videos (`FRAMETALLY_VIDEO_ORCHESTRATOR`)."""

_MAKES: dict[JobKind, tuple[ArtifactKind, ...]] = {
    "metadata": ("metadata",),
    "checks": ("quality",),
    "playable": ("playable",),
}


def usual_jobs(video: VideoRecord, orchestrator: Orchestrator) -> list[JobKind]:
    """Return the jobs of a new video: `frames` only with a known time, `playable` only if browsers need it.

    If Airflow is configured, it makes the results of the layers instead.
    """
    jobs: list[JobKind] = [] if video.facts.started_at_ms is None else ["frames"]
    if orchestrator == "airflow":
        return jobs
    jobs += ["previews", "metadata", "checks"]
    return jobs if video.facts.plays_in_browsers else [*jobs, "playable"]


def missing_jobs(video: VideoRecord, artifact_kinds: Collection[ArtifactKind]) -> list[JobKind]:
    """Return the jobs that make missing results; the books show whether frames are missing."""
    kinds = usual_jobs(video, "queue")
    return [kind for kind in kinds if not set(made_by(kind, video)) <= set(artifact_kinds)]


def made_by(kind: JobKind, video: VideoRecord) -> tuple[ArtifactKind, ...]:
    """Return the kinds of a job's results in the store, or none if they do not show whether it is done."""
    if kind == "previews":  # only a poster if the video states no length
        return ("poster", "sprite", "sprite_vtt") if video.facts.duration_s else ("poster",)
    return _MAKES.get(kind, ())
