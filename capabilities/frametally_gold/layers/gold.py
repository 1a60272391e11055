"""Gold: loads a video into the tables that people query, and publishes its news."""

from __future__ import annotations

from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.process.retrying import Patience
from frametally.settings.loading import Settings
from frametally_videos.catalogue.video_catalogue import VideoCatalogue  # Hamilton reads annotations
from frametally_videos.jobs.job_call import JobCall
from frametally_videos.jobs.job_steps import plugin_jobs
from frametally_videos.jobs.video_news import tell_checks
from frametally_videos.records import VideoRecord


def tabled(
    envelope: VideoRecord, store: ObjectStore, settings: Settings, progress: Progress, patience: Patience
) -> str:
    """Return the id of the video, after loading its rows from its records and segments.

    Raises:
        Poison: A record or a segment is damaged.
    """
    call = JobCall(envelope, "", settings, store, progress, patience)
    patience.until_done("the gold tables", lambda: plugin_jobs()["gold"].do(call))
    return envelope.id


def told(
    tabled: str, store: ObjectStore, settings: Settings, catalogue: VideoCatalogue, patience: Patience
) -> str:
    """Return the id of the video, after putting its failed checks into the outbox, once."""
    patience.until_done("the outbox", lambda: tell_checks(settings, store, catalogue, tabled))
    return tabled
