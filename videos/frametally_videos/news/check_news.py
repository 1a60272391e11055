"""Tells what the checks of a video found, from what they have put into the store."""

from __future__ import annotations

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import decode_at
from frametally.settings.loading import Settings
from frametally_videos.media_records import VideoQuality
from frametally_videos.news.video_news import VideoNews
from frametally_videos.ports.outbox import Outbox
from frametally_videos.records import VideoRecord


def tell_checks(settings: Settings, store: ObjectStore, outbox: Outbox, video_id: str) -> None:
    """Have people told which checks a video did not pass; of a video that is gone, or passed all, nothing.

    Whoever checks a video calls this once its record of quality is in the store; again changes nothing.

    Raises:
        Retryable: The store or the catalogue is away.
    """
    if not settings.mail_receivers:
        return
    video_key, quality_key = keys.video_key(video_id), keys.quality_of_video_key(video_id)
    try:
        video = decode_at(video_key, store.get(video_key), VideoRecord)
        quality = decode_at(quality_key, store.get(quality_key), VideoQuality)
    except (ObjectMissing, Poison):  # what is damaged is told by `frametally doctor --deep`
        return
    VideoNews(settings, outbox).checked(video, quality)
