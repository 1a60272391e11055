"""Rows of the catalogue: videos, uploads, jobs, and questions about them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from frametally_videos.records import VideoRecord

JobKind = Literal["frames", "previews", "metadata", "checks", "playable", "enhance", "gold", "removal"]
"""Makes frames as the record says (source, time); makes poster and sprite; finds out all that its bytes tell;
checks its pictures; makes what browsers play; makes what is better to look at, as its options say; brings it
to the gold tables; removes all of the video."""

JobState = Literal["queued", "running", "done", "failed", "cancelled"]

WORKER_LOST = "Its worker was lost."
"""Reason of a job that was claimed from a worker after its lease expired in silence."""

MOST_LOSSES = 20
"""Workers that a job may lose before it fails: some losses are not the video's fault, but a video that
kills each of its workers must not do so for ever."""

SILENT_S = 0.8
"""Workers renew a lease every second, and five times as often once they have lost the queue: who has lost it,
and has said nothing for so long, is gone, or stands still."""


class Job(NamedTuple):
    """One thing to be done to a video; of one video, kind and options, at most one is not ended.

    Attributes:
        options: Of `enhance` an `Enhancement` as JSON, as msgspec writes it; else empty.
        attempts: Number of attempts, without those whose worker was lost.
        losses: Workers lost during this job, since it was queued.
        generation: Rises with every claim; a worker of an old generation writes nothing more.
        worker: Its worker; empty: none.
        reason: Why it failed, or waits to be tried again.
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
    """One page; `next` is 0 at the end."""

    jobs: list[Job]
    next: int


class Failures(NamedTuple):
    """The failed jobs of one kind that were not started again: how many, and since when.

    `since_ms` is when the first of them failed, by the database's clock.
    """

    jobs: int
    since_ms: int


VideoState = Literal[
    "received", "needs_time", "producing", "detecting", "counting", "ready", "failed", "deleting"
]
"""Accepted, and nothing done yet; nothing says when it was filmed; its frames are being announced; some are
not detected yet; some are not counted and indexed yet; all are in the chart (or dead letters); a job of it
has failed permanently (`reason` says which and why); it is being removed."""

FINAL_STATES: tuple[VideoState, ...] = ("ready", "failed", "needs_time")
"""States that change only when a person does something."""

VideoOrder = Literal["uploaded", "filmed", "name", "length", "size"]


class VideoBooks(NamedTuple):
    """The account of one video: expected = announced = detected + dead-lettered = counted, at the end.

    All are distinct frames; None is not known yet. `labels` are detections by label of its source between its
    first and its last frame, once counted.
    """

    expected: int | None = None
    announced: int | None = None
    detected: int | None = None
    dead_lettered: int | None = None
    counted: int | None = None
    labels: Mapping[str, int] = MappingProxyType({})


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
        """Eight hex digits that identify it among results of the same video; empty if its name has none."""
        match = _RECIPE.search(self.key)
        return match[1] if match else ""


class VideoRow(NamedTuple):
    """A video as the catalogue has it.

    Attributes:
        version: The record's object's there.
        reason: Why it is in this state, as one sentence for a person.
        progress: Progress of its running jobs, 0 to 1; None if none is running, or if unknown.
        first_captured_at_ms: Event time of its first frame; None before it is known.
        last_captured_at_ms: Event time of its last frame; None before it is known.
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
        """Return its newest artifact of a kind; None if it has none."""
        return next((artifact for artifact in reversed(self.artifacts) if artifact.kind == kind), None)


class VideoQuestion(NamedTuple):
    """A question about videos.

    Attributes:
        text: Is found in the name, the file's name or the source's, whatever the case; empty: all.
        has_moved_counts: Only those whose upload moved counts.
        order: By what; ties by id, so that pages never overlap.
        newest_first: Largest first, also of lengths, sizes, and names from Z on.
        cursor: `next` of the page before; empty: the first.
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
    """One page; `next` is empty at the end, `total` is how many the question finds in all."""

    rows: list[VideoRow]
    next: str
    total: int


class UploadRow(NamedTuple):
    """How an upload ended, kept until it expires, so that a client that missed the answer can ask.

    Attributes:
        state: `receiving` while bytes come, `received` once all are there, then how it ended.
        video_id: The video that it became, or that has the same bytes.
        known: Whether another upload had brought these bytes before.
        status: HTTP status of its refusal; 0 if it was not refused.
    """

    id: str
    state: Literal["receiving", "received", "accepted", "refused", "aborted"]
    video_id: str
    known: bool = False
    length_bytes: int | None = None
    client_id: str = ""
    status: int = 0
    reason: str | None = None
    expires_at_ms: int = 0

    @property
    def is_over(self) -> bool:
        """Whether no more of it comes."""
        return self.state in ("accepted", "refused", "aborted")


Orchestrator = Literal["queue", "airflow"]
"""What describes and checks new videos (`FRAMETALLY_VIDEO_ORCHESTRATOR`)."""

_MAKES: dict[JobKind, tuple[ArtifactKind, ...]] = {
    "metadata": ("metadata",),
    "checks": ("quality",),
    "playable": ("playable",),
}


def usual_jobs(video: VideoRecord, orchestrator: Orchestrator) -> list[JobKind]:
    """Return what workers do to a new video; frames are made once it is known when it was filmed.

    Airflow makes the results of the layers, if it is configured. A playable version is made only if browsers
    do not play the original.
    """
    jobs: list[JobKind] = [] if video.facts.started_at_ms is None else ["frames"]
    if orchestrator == "airflow":
        return jobs
    jobs += ["previews", "metadata", "checks"]
    return jobs if video.facts.plays_in_browsers else [*jobs, "playable"]


def missing_jobs(video: VideoRecord, artifact_kinds: Collection[ArtifactKind]) -> list[JobKind]:
    """Return the jobs that make the missing results; frames are known from the books."""
    kinds = usual_jobs(video, "queue")
    return [kind for kind in kinds if not set(made_by(kind, video)) <= set(artifact_kinds)]


def made_by(kind: JobKind, video: VideoRecord) -> tuple[ArtifactKind, ...]:
    """Return a job's published results in the store; empty: they do not show whether it is done."""
    if kind == "previews":  # of a video that states no length a poster is all
        return ("poster", "sprite", "sprite_vtt") if video.facts.duration_s else ("poster",)
    return _MAKES.get(kind, ())
