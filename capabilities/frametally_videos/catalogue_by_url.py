"""Opens the catalogue of videos and the queue of jobs by their URLs' schemes; see `adapters_by_url`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, cast

from frametally.adapters_by_url import adapter
from frametally.settings.access import ServerAccess
from frametally.settings.loading import Settings
from frametally_videos.queues.task_queue import BookQueue
from frametally_videos.settings import VideoSettings

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

_CATALOGUE = (
    "FRAMETALLY_CATALOGUE_URL",
    "video catalogue",
    "sqlite:////absolute/file.sqlite or postgresql://host/database",
)
_QUEUE = (
    "FRAMETALLY_QUEUE_URL",
    "queue",
    "amqp://host, amqps://host or nothing for the video catalogue's own",
)
_NOTES = ("put_video", "put_upload", "queue", "on_queued")


def open_video_catalogue(url: str, access: ServerAccess | None = None) -> VideoCatalogue:
    """Open the catalogue that `url` names: `sqlite:///<absolute file>` or `postgresql://host/database`.

    Missing tables are created, as is SQLite's file.

    Raises:
        Misconfigured: The kind of URL is unknown, or the database cannot be opened.
    """
    catalogue: VideoCatalogue = adapter("video_catalogue", url, _CATALOGUE)(url, access=access)
    return catalogue


def open_task_queue(url: str, book: VideoCatalogue, access: ServerAccess | None = None) -> BookQueue:
    """Open the queue that `url` names: `amqp://host[:port][/virtual host]` or `amqps://`; the book if empty.

    A broker is not contacted before the first call.

    Raises:
        Misconfigured: The kind of URL is unknown, or the URL is incomplete.
    """
    url = url or book.url
    queue: BookQueue = adapter("task_queue", url, _QUEUE)(url, book=book, access=access)
    return queue


def catalogue_of(settings: Settings) -> AbstractContextManager[VideoCatalogue]:
    """Open the catalogue that the settings name; close it at the end."""
    return closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access))


def queue_of(settings: Settings, book: VideoCatalogue) -> BookQueue:
    """Open the queue that the settings name."""
    of_videos = settings.part(VideoSettings)
    return open_task_queue(of_videos.queue_url, book, of_videos.queue_access)


@contextmanager
def catalogue_to_look(settings: Settings) -> Iterator[VideoCatalogue]:
    """Open the catalogue of videos, which the first write creates; close it at the end."""
    from frametally.openers.look_openers import database_to_look

    with database_to_look(settings, open_video_catalogue, makes=_NOTES) as catalogue:
        yield cast("VideoCatalogue", catalogue)
