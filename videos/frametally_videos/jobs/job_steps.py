"""What each kind of job does, in a process of its own.

Each function imports what its job needs, nothing of other jobs: a process begins for every single one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING, NamedTuple

from frametally.errors import Poison
from frametally.opening import open_frame_log
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.process.retrying import Patience
from frametally.settings.loading import Settings
from frametally_videos.ports.job_book import JobKind
from frametally_videos.ports.video_catalogue import Artifact
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from frametally_producer.reading.video_file import Video
    from frametally_videos.derivatives.derivative_jobs import DerivativeMaker


class JobCall(NamedTuple):
    """What a job is to be done to, and with.

    Attributes:
        record: The video's, as it is in the store; it is being removed only where the job is its removal.
        options: Of the job; see `Job`.
        settings: Of the worker.
        store: Where the video is.
        progress: Is told how far the job is.
        patience: Waits for a store that is away; raises `GivenUp` once a stop is asked for.
        should_stop: Whether it is.
    """

    record: VideoRecord
    options: str
    settings: Settings
    store: ObjectStore
    progress: Progress
    patience: Patience
    should_stop: Callable[[], bool]

    @property
    def max_pixels(self) -> int:
        """Most pixels that a frame may have."""
        return self.settings.max_image_megapixels * 1_000_000


def _frames(call: JobCall) -> list[Artifact]:
    from frametally_videos.jobs.frames_job import make_frames
    from frametally_videos.jobs.originals import note_damage

    settings = call.settings
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        damage = make_frames(
            call.record,
            settings=settings,
            store=call.store,
            log=log,
            progress=call.progress,
            should_stop=call.should_stop,
        )
    if damage:
        call.patience.until_done("the object store", lambda: note_damage(call.store, call.record.id, damage))
    return []


def _previews(call: JobCall) -> list[Artifact]:
    from frametally_videos.jobs.previews import make_previews

    return make_previews(
        call.record,
        store=call.store,
        progress=call.progress,
        patience=call.patience,
        max_pixels=call.max_pixels,
    )


def _metadata(call: JobCall) -> list[Artifact]:
    from frametally_videos.jobs.description_jobs import make_metadata

    return make_metadata(
        call.record,
        store=call.store,
        patience=call.patience,
        max_pixels=call.max_pixels,
        sampling=call.settings.sample_fps,
    )


def _checks(call: JobCall) -> list[Artifact]:
    from frametally_videos.jobs.description_jobs import make_quality

    return make_quality(
        call.record,
        store=call.store,
        progress=call.progress,
        patience=call.patience,
        max_pixels=call.max_pixels,
    )


def _playable(call: JobCall) -> list[Artifact]:
    return [_maker(call).make("playable")]


def _enhance(call: JobCall) -> list[Artifact]:
    from frametally_videos.library.enhancements import enhancement_of
    from frametally_videos.upload_refusals import FieldRefused

    try:
        asked = enhancement_of(call.options)
    except FieldRefused as error:
        raise Poison(f"cannot be enhanced so: {error.field}: {error.reason} {error.remedy}") from error
    return [_maker(call).make("enhanced", asked)]


def _maker(call: JobCall) -> DerivativeMaker:
    from frametally_videos.derivatives.derivative_jobs import DerivativeMaker
    from frametally_videos.jobs.originals import open_original

    def opened() -> AbstractContextManager[Video]:
        return open_original(call.store, call.record, call.patience, max_pixels=call.max_pixels)

    return DerivativeMaker(
        call.record,
        open_video=opened,
        settings=call.settings,
        store=call.store,
        progress=call.progress,
        patience=call.patience,
    )


def _removal(call: JobCall) -> list[Artifact]:
    from frametally_videos.jobs.removal import remove_video

    settings = call.settings
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        remove_video(call.record, settings=settings, store=call.store, log=log, progress=call.progress)
    return []


class PluginJob(NamedTuple):
    """A kind of job that a plug-in does.

    Attributes:
        do: Does it, as `DOING` says.
        check: Raises `Misconfigured` where all of them would fail.
    """

    do: Callable[[JobCall], list[Artifact]]
    check: Callable[[Settings], None]


def plugin_jobs() -> dict[JobKind, PluginJob]:
    """Return the jobs of plug-ins, by kind."""
    return {kind: job for jobs in hooks("jobs") for kind, job in jobs.items()}


DOING: dict[JobKind, Callable[[JobCall], list[Artifact]]] = {
    "removal": _removal,
    "frames": _frames,
    "previews": _previews,
    "playable": _playable,
    "enhance": _enhance,
    "metadata": _metadata,
    "checks": _checks,
}
"""By kind: does it, and returns what it has put into the store; all can be done again, wherever it was cut.

Raises:
    Poison: It can never be done.
    Retryable: What it needs is away for now.
    Misconfigured: It could not be done this time.
    GivenUp: A stop was asked for.
"""
