"""What a job has made, as the catalogue notes it, whoever did the job: a worker, or a layer's run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_videos.news.check_news import tell_checks
from frametally_videos.ports.job_book import JobKind
from frametally_videos.ports.video_catalogue import Artifact, VideoCatalogue
from frametally_videos.uploads.acceptance import read_video

Made = JobKind | Literal["end"]
"""A kind of job that has made something of a video, or removed that; or all that is made for its counts."""


def tell_made(settings: Settings, catalogue: VideoCatalogue, video_id: str, made: Made) -> None:
    """Tell plug-ins that something was made of a video; again changes nothing.

    Raises:
        Retryable: The catalogue is away.
    """
    for tell in hooks("made"):
        tell(settings, catalogue, video_id, made)


def take_in(
    settings: Settings,
    store: ObjectStore,
    catalogue: VideoCatalogue,
    video_id: str,
    kind: JobKind,
    artifacts: Sequence[Artifact],
) -> None:
    """Bring the catalogue up to what a job of a video has made in the store; again changes nothing.

    Raises:
        Retryable: The store or the catalogue is away.
    """
    if kind == "removal":
        catalogue.remove_video(video_id)
    elif kind != "frames":
        if kind == "checks":  # first: what is noted is not looked at again
            tell_checks(settings, store, catalogue, video_id)
        catalogue.put_artifacts(video_id, artifacts)
        tell_made(settings, catalogue, video_id, kind)
    else:
        record = read_video(store, video_id)
        info = store.head(record.key) if record else None
        if record is not None and info is not None:
            catalogue.put_video(record, info.version)
