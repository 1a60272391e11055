"""What a job has made, as the catalogue notes it, whoever did the job: a worker, or a layer's run."""

from __future__ import annotations

from collections.abc import Sequence

from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_gold.video_rows import IN_ROWS
from frametally_gold.wanted import load_anew
from frametally_videos.news.check_news import tell_checks
from frametally_videos.ports.job_book import JobKind
from frametally_videos.ports.video_catalogue import Artifact, VideoCatalogue
from frametally_videos.uploads.acceptance import read_video


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
        if kind in IN_ROWS:
            load_anew(settings, catalogue, video_id)
    else:
        record = read_video(store, video_id)
        info = store.head(record.key) if record else None
        if record is not None and info is not None:
            catalogue.put_video(record, info.version)
