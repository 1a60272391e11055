"""Handles requests for jobs, and queues a job unless it is done or under way.

All functions raise `Retryable` while the store or the catalogue is not available.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from frametally import keys
from frametally.errors import FrametallyError
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import decode_at
from frametally_videos.catalogue.catalogue_rows import Job, VideoRow, made_by
from frametally_videos.library.enhancements import enhancement_options
from frametally_videos.media_records import Derivative, DerivativeKind, Enhancement

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

KINDS: tuple[DerivativeKind, ...] = get_args(DerivativeKind)


def find_derivatives(store: ObjectStore, row: VideoRow) -> list[Derivative]:
    """Return the stored records of all versions of a video, oldest first.

    Raises:
        Poison: A record is damaged.
    """
    derivatives = []
    for artifact in row.artifacts:
        if artifact.kind == "playable" or artifact.kind == "enhanced":
            key = keys.derivative_record_key(row.record.id, artifact.kind, artifact.recipe)
            with suppress(ObjectMissing):  # it is being removed
                derivatives.append(decode_at(key, store.get(key), Derivative))
    return derivatives


def remove_derivative(store: ObjectStore, catalogue: VideoCatalogue, video_id: str, recipe: str) -> None:
    """Remove a version of a video by its recipe; an unknown recipe is not an error.

    The catalogue's entry goes last, so that after a kill the next request can finish the removal.

    Raises:
        Misconfigured: This user may not write there.
    """
    for kind in KINDS:
        file_key = keys.derivative_key(video_id, kind, recipe)
        store.delete(keys.derivative_record_key(video_id, kind, recipe))
        store.delete(file_key)
        catalogue.remove_artifact(video_id, file_key)


AskedKind = Literal["enhance", "playable", "previews", "metadata", "checks"]
ASKED_KINDS: tuple[AskedKind, ...] = get_args(AskedKind)

JOBS_PER_VIDEO = 50
"""Most waiting and running jobs of one video."""

ENHANCEMENTS_KEPT = 10
"""Enhanced videos that one video may have at a time."""

_UNDER_WAY = ("queued", "running")


class JobRefused(FrametallyError):
    """The job cannot be queued now."""

    def __init__(self, reason: str, remedy: str) -> None:
        """Store the reason and the remedy."""
        super().__init__(reason)
        self.remedy = remedy


class Asked(NamedTuple):
    """A job, and whether this request queued it."""

    job: Job
    is_begun: bool


def ask_for_job(
    store: ObjectStore,
    catalogue: VideoCatalogue,
    row: VideoRow,
    kind: AskedKind,
    enhancement: Enhancement | None = None,
) -> Asked:
    """Queue a job for a video, unless it is done or under way.

    Raises:
        JobRefused: The video has reached its limit, is being removed, or does not need the job.
        FieldRefused: A number of the enhancement is not valid.
        Poison: A record is damaged.
    """
    if row.record.state == "deleting":
        raise JobRefused("The video is being deleted.", "Upload it again if you still need it.")
    if kind == "playable" and row.record.facts.plays_in_browsers:
        raise JobRefused("Browsers can play the original video.", "Play its original.")
    options = enhancement_options(enhancement) if enhancement is not None else ""
    jobs = catalogue.jobs(row.record.id)
    alike = [job for job in jobs if job.kind == kind and job.options == options]
    for state in (*_UNDER_WAY, "done"):
        existing_job = next((job for job in reversed(alike) if job.state == state), None)
        if existing_job is not None and (state != "done" or _is_made(store, row, kind, options)):
            return Asked(existing_job, is_begun=False)
    _check_under_way(jobs)
    if kind == "enhance":
        _check_room(row, jobs)
    ended_job = next((job for job in reversed(alike) if job.state in ("failed", "cancelled")), None)
    if ended_job is not None:
        return Asked(catalogue.retry_job(ended_job.id) or ended_job, is_begun=True)
    return Asked(catalogue.queue(row.record.id, kind, options), is_begun=True)


def _is_made(store: ObjectStore, row: VideoRow, kind: AskedKind, options: str) -> bool:
    if kind != "enhance":
        return set(made_by(kind, row.record)) <= {artifact.kind for artifact in row.artifacts}
    return any(
        derivative.enhancement is not None and enhancement_options(derivative.enhancement) == options
        for derivative in find_derivatives(store, row)
    )


def _check_under_way(jobs: list[Job]) -> None:
    """Refuse a job if too many jobs are waiting or running."""
    under_way = sum(job.state in _UNDER_WAY for job in jobs)
    if under_way >= JOBS_PER_VIDEO:
        raise JobRefused(
            f"The video already has {under_way} jobs waiting or running; the maximum is {JOBS_PER_VIDEO}.",
            "Wait for one of them, or cancel one.",
        )


def _check_room(row: VideoRow, jobs: list[Job]) -> None:
    """Refuse an enhanced version if too many exist or are being made."""
    recipes = [artifact.recipe for artifact in row.artifacts if artifact.kind == "enhanced"]
    running_count = sum(job.kind == "enhance" and job.state in _UNDER_WAY for job in jobs)
    if len(recipes) + running_count >= ENHANCEMENTS_KEPT:
        remedy = f"Delete one first, such as the oldest: {recipes[0]}." if recipes else "Wait, or cancel one."
        raise JobRefused(
            f"The video has {len(recipes)} enhanced versions, and {running_count} more are being made; the "
            f"maximum is {ENHANCEMENTS_KEPT}.",
            remedy,
        )
