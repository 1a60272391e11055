"""What is done to every video without being asked for, and what each such job makes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from frametally_videos.ports.job_book import JobKind
from frametally_videos.ports.video_catalogue import ArtifactKind
from frametally_videos.records import VideoRecord

Orchestrator = Literal["queue", "airflow"]
"""Who has new videos described and checked (`FRAMETALLY_VIDEO_ORCHESTRATOR`)."""

_MAKES: dict[JobKind, tuple[ArtifactKind, ...]] = {
    "metadata": ("metadata",),
    "checks": ("quality",),
    "playable": ("playable",),
}


def usual_jobs(video: VideoRecord, orchestrator: Orchestrator) -> list[JobKind]:
    """Return what workers do to a new video; frames are made once it is known when it was filmed.

    What the layers make is left to Airflow, where that is set. What browsers play is made where they do not
    play the original.
    """
    jobs: list[JobKind] = [] if video.facts.started_at_ms is None else ["frames"]
    if orchestrator == "airflow":
        return jobs
    jobs += ["previews", "metadata", "checks"]
    return jobs if video.facts.plays_in_browsers else [*jobs, "playable"]


def missing_jobs(video: VideoRecord, made: Collection[ArtifactKind]) -> list[JobKind]:
    """Return those jobs that make what is not there, whoever does them; frames are told from the books."""
    kinds = usual_jobs(video, "queue")
    return [kind for kind in kinds if not set(made_by(kind, video)) <= set(made)]


def made_by(kind: JobKind, video: VideoRecord) -> tuple[ArtifactKind, ...]:
    """Return what a job puts into the store for all to see; nothing: it cannot be told by that."""
    if kind == "previews":  # of a video that states no length a poster is all
        return ("poster", "sprite", "sprite_vtt") if video.facts.duration_s else ("poster",)
    return _MAKES.get(kind, ())
