"""What people have done to a video: a job that is asked for, unless it was done or is under way already."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from frametally.errors import FrametallyError
from frametally.ports.object_store import ObjectStore
from frametally_videos.jobs.made_files import find_derivatives
from frametally_videos.library.enhancements import enhancement_options
from frametally_videos.library.usual_jobs import made_by
from frametally_videos.media_records import Enhancement
from frametally_videos.ports.job_book import Job
from frametally_videos.ports.video_catalogue import VideoCatalogue, VideoRow

AskedKind = Literal["enhance", "playable", "previews", "metadata", "checks"]
ASKED_KINDS: tuple[AskedKind, ...] = get_args(AskedKind)

JOBS_PER_VIDEO = 50
"""Jobs of one video that may wait or be at work."""

ENHANCEMENTS_KEPT = 10
"""Enhanced videos that one video may have at a time."""

_UNDER_WAY = ("queued", "running")


class JobRefused(FrametallyError):
    """A job cannot be asked for as things stand.

    Attributes:
        remedy: What to do first.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.remedy = remedy


class Asked(NamedTuple):
    """A job, and whether it is to be done because of this question."""

    job: Job
    is_begun: bool


def ask_for_job(
    store: ObjectStore,
    catalogue: VideoCatalogue,
    row: VideoRow,
    kind: AskedKind,
    enhancement: Enhancement | None = None,
) -> Asked:
    """Have something done to a video; what was done, or is under way, is not begun again.

    Args:
        store: Where what was made lies.
        catalogue: Where jobs are noted.
        row: The video.
        kind: What is to be done.
        enhancement: How, of `enhance`; None of all others.

    Raises:
        JobRefused: The video has as much of it as one may have, or is being removed, or needs it not.
        FieldRefused: A number of the enhancement cannot be.
        Retryable: The store or the catalogue is away.
        Poison: A record is damaged.
    """
    if row.record.state == "deleting":
        raise JobRefused("The video is being removed.", "Upload it again to have it here once more.")
    if kind == "playable" and row.record.facts.plays_in_browsers:
        raise JobRefused("Browsers play the video as it came.", "Play its original.")
    options = enhancement_options(enhancement) if enhancement is not None else ""
    jobs = catalogue.jobs(row.record.id)
    alike = [job for job in jobs if job.kind == kind and job.options == options]
    for state in (*_UNDER_WAY, "done"):
        there = next((job for job in reversed(alike) if job.state == state), None)
        if there is not None and (state != "done" or _is_made(store, row, kind, options)):
            return Asked(there, is_begun=False)
    _check_under_way(jobs)
    if kind == "enhance":
        _check_room(row, jobs)
    left = next((job for job in reversed(alike) if job.state in ("failed", "cancelled")), None)
    if left is not None:
        return Asked(catalogue.retry_job(left.id) or left, is_begun=True)
    return Asked(catalogue.queue(row.record.id, kind, options), is_begun=True)


def _is_made(store: ObjectStore, row: VideoRow, kind: AskedKind, options: str) -> bool:
    if kind != "enhance":
        return set(made_by(kind, row.record)) <= {one.kind for one in row.artifacts}
    return any(
        one.enhancement is not None and enhancement_options(one.enhancement) == options
        for one in find_derivatives(store, row)
    )


def _check_under_way(jobs: list[Job]) -> None:
    """Refuse one job more than may wait or be at work; what is ended takes no room."""
    under_way = sum(job.state in _UNDER_WAY for job in jobs)
    if under_way >= JOBS_PER_VIDEO:
        raise JobRefused(
            f"{under_way} jobs of the video wait or are at work, and {JOBS_PER_VIDEO} may.",
            "Wait for one, or cancel one.",
        )


def _check_room(row: VideoRow, jobs: list[Job]) -> None:
    """Refuse one enhanced video more than may be kept, those that are being made among them."""
    made = [one.recipe for one in row.artifacts if one.kind == "enhanced"]
    coming = sum(job.kind == "enhance" and job.state in _UNDER_WAY for job in jobs)
    if len(made) + coming >= ENHANCEMENTS_KEPT:
        remedy = f"Remove one first, such as the oldest: {made[0]}." if made else "Wait, or cancel one."
        raise JobRefused(
            f"The video has {len(made)} enhanced videos and {coming} are being made; "
            f"{ENHANCEMENTS_KEPT} are kept.",
            remedy,
        )
