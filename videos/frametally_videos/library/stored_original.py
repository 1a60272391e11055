"""An uploaded video in the store, read by ranges: what the store refuses for now is asked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from frametally.ports.object_store import ObjectStore
from frametally.process.retrying import a_few_times
from frametally_videos.library.stored_file import StoredFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class StoredOriginal(StoredFile):
    """A stored file for FFmpeg, which may take it for the file's end that reading failed.

    Attributes:
        failure: What reading raised in the end; whoever decodes looks here before it believes what it found.
    """

    def __init__(
        self, store: ObjectStore, key: str, *, retry: Callable[[Callable[[], int]], int] = a_few_times
    ) -> None:
        """Open it; `retry` asks again for what the store refuses for now.

        Raises:
            ObjectMissing: There is no such object.
            Retryable: The store is away.
        """
        super().__init__(store, key)
        self.failure: Exception | None = None
        self._retry = retry

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read as `StoredFile.readinto`, and raise what `retry` raises."""
        try:
            return self._retry(lambda: super(StoredOriginal, self).readinto(buffer))
        except Exception as error:
            self.failure = error
            raise
