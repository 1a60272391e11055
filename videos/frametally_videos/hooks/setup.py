"""What uploaded videos need of servers: the catalogue's tables, the queue's queues, a topic of the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from frametally.opening import open_frame_log
from frametally.ports.frame_log import NoSuchTopic
from frametally.settings.loading import Settings
from frametally_cli.servers.index import tables_line
from frametally_videos.opening import open_task_queue, open_video_catalogue
from frametally_videos.ports.task_queue import QUEUES
from frametally_videos.settings import VideoSettings


def setup(settings: Settings, _: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set them up.

    Raises:
        Misconfigured: A server does not let us in, a right is missing, or what is there is of another make.
        Retryable: A server is away for now.
    """
    yield tables_line("catalogue", settings.catalogue_url, settings.catalogue_access, open_video_catalogue)
    of_videos = settings.part(VideoSettings)
    if url := of_videos.queue_url:
        with (
            closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
            closing(open_task_queue(url, catalogue, of_videos.queue_access)) as queue,
        ):
            queue.prepare()
        yield f"queue: {url} has its exchanges and its queues: {', '.join(QUEUES)}"
    if settings.log_url.startswith("kafka://") and of_videos.video_orchestrator == "airflow":
        yield _topic(settings, of_videos.videos_topic, check_only=check_only)


def _topic(settings: Settings, topic: str, *, check_only: bool) -> str:
    """Make the topic of new videos, of one partition, if it is not there."""
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        try:
            log.partitions(topic)
        except NoSuchTopic:
            if check_only:
                raise
            log.create_topic(topic, 1)
            return f"log: topic {topic!r} made, for new videos"
    return f"log: topic {topic!r} is there, for new videos"


def servers(settings: Settings) -> dict[str, str]:
    """Return where the queue is; empty: it is the catalogue."""
    return {"queue": settings.part(VideoSettings).queue_url}


def topics(settings: Settings) -> list[str]:
    """Return the topic that new videos are announced on."""
    return [settings.part(VideoSettings).videos_topic]
