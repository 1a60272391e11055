"""What a job gets: its video, the settings and the store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from frametally import keys
from frametally.errors import Poison, Retryable
from frametally.media.screening import Screen, screen_of
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.process.retrying import Patience
from frametally.settings.loading import Settings
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from frametally_producer.reading.video_file import Video

T = TypeVar("T")


class JobCall(NamedTuple):
    """The input of a job.

    Attributes:
        record: The video's stored record; `deleting` only if the job is its removal.
        patience: Waits a while for a server that is not available, then (or after a stop) raises `GivenUp`.
    """

    record: VideoRecord
    options: str
    settings: Settings
    store: ObjectStore
    progress: Progress
    patience: Patience

    def original(self) -> AbstractContextManager[Video]:
        """Open the video's original; see `open_original`."""
        from frametally_videos.jobs.originals import open_original

        return open_original(self.store, self.record, self.patience, self.settings)

    def screen(self) -> Screen | None:
        """Return what changes pictures of the video before they are stored; see `screen_of`."""
        return self.until_done(lambda: screen_of(self.settings, self.store, self.record.source))

    def check_screen(self, screen: Screen | None) -> None:
        """Raise `Retryable` if pictures must now be changed in another way than by `screen`."""
        if self.screen() is not screen:
            raise Retryable("the privacy rule of its source has changed meanwhile; it is made again")

    def check_original(self, *made_keys: str) -> None:
        """Delete what was made, and raise `Poison`, if the original was deleted meanwhile, as by an erasure.

        Call it after you have stored it: an erasure deletes originals first, so one of both deletes it.
        """
        if self.until_done(lambda: self.store.head(keys.original_key(self.record.id))) is None:
            for key in made_keys:
                self.until_done(partial(self.store.delete, key))
            raise Poison("its original was deleted while this was made, so this was deleted, too")

    def until_done(self, action: Callable[[], T]) -> T:
        """Repeat an action until the store is available; see `patience`."""
        return self.patience.until_done("the object store", action)
