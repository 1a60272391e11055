"""Runs each kind of job in its process, and defines the messages between the process and its worker.

Each function imports only what its job needs, since every job starts a process.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from importlib import import_module
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import msgspec

from frametally.adapters_by_url import open_frame_log
from frametally.errors import Poison
from frametally.plugins import hooks
from frametally.ports.frame_log import FrameLog
from frametally.ports.opened import StagePorts
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import LOST_PICTURES, Artifact, JobKind
from frametally_videos.jobs.job_call import JobCall
from frametally_videos.media_records import DerivativeKind, Enhancement

if TYPE_CHECKING:
    pass

T = TypeVar("T")


JobEnd = Literal["done", "failed", "again", "later", "stopped"]
"""The job is done, failed permanently, failed for now, waits for a server, or was stopped."""

WITH_SERVERS: frozenset[JobKind] = frozenset({"frames", "gold", "removal"})
"""Jobs that need the log or a database. They open these and the store themselves, with a network if one of
them is a server. Other jobs get the video's folder from their worker, and have neither log-ins nor a
network."""
STORE_VARIABLE = "FRAMETALLY_JOB_STORE"
"""The variable with the descriptor over which a job's process accesses the video's folder."""


class JobOrder(msgspec.Struct, frozen=True):
    """The kind of job, and its video; see `Job`."""

    video_id: str
    kind: JobKind
    options: str = ""


class JobWord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The progress or the result of a job.

    Attributes:
        end: How it ended, or None while it is running.
        reason: Why it ended early, or what it waits for.
    """

    progress: float | None = None
    end: JobEnd | None = None
    reason: str | None = None
    artifacts: list[Artifact] = []


def _step(module: str, name: str) -> Callable[[JobCall], list[Artifact]]:
    def do(call: JobCall) -> list[Artifact]:
        artifacts: list[Artifact] = getattr(import_module(f"frametally_videos.jobs.{module}"), name)(call)
        return artifacts

    return do


def _frames(call: JobCall) -> list[Artifact]:
    from frametally_videos.jobs.frames_job import make_frames
    from frametally_videos.jobs.lost_pictures import make_pictures_again
    from frametally_videos.jobs.originals import note_damage

    if call.options == LOST_PICTURES:
        make_pictures_again(call.settings, call.store, call.record, call.patience)
        return []
    with _log_of(call.settings) as log:
        ports = StagePorts(call.settings, call.store, log)
        damage = make_frames(ports, call.record, call.progress, call.patience)
    if damage:
        call.until_done(lambda: note_damage(call.store, call.record.id, damage))
    return []


def _removal(call: JobCall) -> list[Artifact]:
    from frametally_videos.jobs.announced_medium import remove_video

    with _log_of(call.settings) as log:
        remove_video(StagePorts(call.settings, call.store, log), call.record, call.progress)
    return []


def _enhance(call: JobCall) -> list[Artifact]:
    from frametally_videos.library.enhancements import enhancement_of
    from frametally_videos.upload_refusals import FieldRefused

    try:
        enhancement = enhancement_of(call.options)
    except FieldRefused as error:
        raise Poison(f"cannot be enhanced like this: {error.field}: {error.reason} {error.remedy}") from error
    return _make(call, "enhanced", enhancement)


def _make(call: JobCall, kind: DerivativeKind, enhancement: Enhancement | None = None) -> list[Artifact]:
    from frametally_videos.jobs.derivative_jobs import DerivativeMaker

    return [DerivativeMaker(call, call.original).make(kind, enhancement)]


def _log_of(settings: Settings) -> AbstractContextManager[FrameLog]:
    return closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s))


class PluginJob(NamedTuple):
    """A kind of job that a plug-in does.

    Attributes:
        do: Does the job; see `DOING`.
        check: Raises `Misconfigured` if all jobs of this kind would fail.
    """

    do: Callable[[JobCall], list[Artifact]]
    check: Callable[[Settings], None]


def plugin_jobs() -> dict[JobKind, PluginJob]:
    """Return the jobs of plug-ins, by kind."""
    return {kind: job for jobs in hooks("jobs") for kind, job in jobs.items()}


DOING: dict[JobKind, Callable[[JobCall], list[Artifact]]] = {
    "removal": _removal,
    "frames": _frames,
    "previews": _step("artifact_jobs", "make_previews"),
    "playable": lambda call: _make(call, "playable"),
    "enhance": _enhance,
    "metadata": _step("artifact_jobs", "make_metadata"),
    "checks": _step("artifact_jobs", "make_quality"),
}
"""By kind, the function that does the job and returns its stored results; after a kill, it can be repeated.

Raises:
    Poison: The job can never be done.
    Retryable: A server that it needs is not available.
    Misconfigured: It could not be done this time.
    GivenUp: The command was stopped, or a server was not available for a while.
"""
