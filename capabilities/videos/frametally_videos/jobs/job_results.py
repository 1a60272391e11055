"""A job's results, as the catalogue notes them, from a worker or a layer's run.

All functions raise `Retryable` while the store or the catalogue is not available.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import Artifact, JobKind
from frametally_videos.jobs.video_news import tell_checks
from frametally_videos.uploads.acceptance import read_video

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

Made = JobKind | Literal["end"]
"""A kind of job that has made something of a video, or removed that; or all that is made for its counts."""


def tell_made(settings: Settings, catalogue: VideoCatalogue, video_id: str, kind: Made) -> None:
    """Tell plug-ins that something was made of a video; again changes nothing."""
    for tell in hooks("made"):
        tell(settings, catalogue, video_id, kind)


def take_in(
    settings: Settings,
    store: ObjectStore,
    catalogue: VideoCatalogue,
    video_id: str,
    kind: JobKind,
    artifacts: Sequence[Artifact],
) -> None:
    """Update the catalogue with the results of a video's job in the store; doing so again changes nothing."""
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
