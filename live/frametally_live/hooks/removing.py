"""What streams a video ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from frametally.settings.loading import Settings
from frametally_live.opening import open_live_book


@contextmanager
def removing_streams(settings: Settings, video_id: str) -> Iterator[bool]:
    """Stop what streams a video, and forget that in the end; yields whether there was some.

    Raises:
        Retryable: The database is away.
        Misconfigured: It cannot be opened or written.
    """
    with closing(open_live_book(settings)) as book:
        yield bool(book.stop_streams(video_id))
        book.forget_streams(video_id)
