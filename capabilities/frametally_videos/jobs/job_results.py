"""Notes a job's results in the catalogue, for a worker or a layer's run.

All functions raise `Retryable` while the store or the catalogue is not available.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import find_record
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import Artifact, JobKind
from frametally_videos.jobs.video_news import tell_checks
from frametally_videos.media_records import VideoQuality
from frametally_videos.uploads.acceptance import read_video

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

Made = JobKind | Literal["end"]
"""A kind of job that made results of a video or removed it, or `end` if the video is ready or has failed."""


def tell_made(settings: Settings, catalogue: VideoCatalogue, video_id: str, kind: Made) -> None:
    """Notify plug-ins of new results of a video; a second call changes nothing."""
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
    """Update the catalogue with the stored results of a video's job; a second call changes nothing."""
    if kind == "removal":
        catalogue.remove_video(video_id)
    elif kind != "frames":
        if kind == "checks":  # first: noted results are not looked at again
            _tell_checks(settings, store, catalogue, video_id)
        catalogue.put_artifacts(video_id, artifacts)
        tell_made(settings, catalogue, video_id, kind)
    else:
        record = read_video(store, video_id)
        info = store.head(record.key) if record else None
        if record is not None and info is not None:
            catalogue.put_video(record, info.version)


def _tell_checks(settings: Settings, store: ObjectStore, catalogue: VideoCatalogue, video_id: str) -> None:
    """Put the news of failed checks into the outbox; black pictures are news once their boxes are known."""
    try:
        quality = find_record(store, keys.quality_of_video_key(video_id), VideoQuality)
    except Poison:  # `frametally doctor --deep` reports it
        return
    if quality is None or not quality.fails_black:
        tell_checks(settings, store, catalogue, video_id)
    elif (row := catalogue.video(video_id)) is not None and row.state in ("ready", "failed"):
        catalogue.set_video(video_id, state="counting")  # it is settled again, with its boxes
