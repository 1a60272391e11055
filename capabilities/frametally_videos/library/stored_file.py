"""Reads an object as a seekable file, in blocks, without a local copy."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from frametally.errors import Retryable
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.retrying import a_few_times

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 2**20
MOST_BLOCKS = 16
"""Blocks in memory: sound that is stored far from its pictures is read in turns with them."""


class StoredFile(io.RawIOBase):
    """An object of a store, for readers of files such as PyAV.

    Its size is read once, and a shorter answer is an error, so that a replaced object is not read half old
    and half new.

    Attributes:
        read_bytes: Number of bytes read from the store.
        failure: Error of a failed read. FFmpeg may mistake it for the end of the file, so callers check it
            before they trust the data.
    """

    def __init__(
        self, store: ObjectStore, key: str, *, retry: Callable[[Callable[[], int]], int] = a_few_times
    ) -> None:
        """Open the object; `retry` repeats reads while the store is not available.

        Raises:
            ObjectMissing: The object does not exist.
            Retryable: The store is not available.
        """
        info = store.head(key)
        if info is None:
            raise ObjectMissing(f"no object {key!r} in {store.url}")
        self.key = key
        self.size_bytes = info.size_bytes
        self.read_bytes = 0
        self.failure: Exception | None = None
        self._store = store
        self._retry = retry
        self._at = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def tell(self) -> int:  # noqa: D102
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a byte, relative to the start, the current byte or the end; it may be beyond the end."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size_bytes}.get(whence)
        if start is None or start + offset < 0:
            raise ValueError(f"not a position in a file: {offset} from {whence}")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read up to the end of a block; return the number of bytes, 0 at the end of the object.

        Raises:
            ObjectMissing: The object was removed after opening.
            Retryable: The answer was too short, or the store is not available.
        """
        try:
            return self._retry(lambda: self._read_into(memoryview(buffer).cast("B")))
        except Exception as error:
            self.failure = error
            raise

    def _read_into(self, buffer: memoryview) -> int:
        number, start = divmod(self._at, BLOCK_BYTES)
        if self._at >= self.size_bytes:
            return 0
        block = self._block(number)[start : start + len(buffer)]
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, fewer only at the end; without a size, read the rest."""
        rest_bytes = max(0, self.size_bytes - self._at)
        size = rest_bytes if size is None or size < 0 else min(size, rest_bytes)
        data = bytearray(size)
        byte_count = 0
        while byte_count < size:
            byte_count += self.readinto(memoryview(data)[byte_count:])
        return bytes(data)

    def _block(self, number: int) -> bytes:
        data = self._blocks.pop(number, None)
        if data is None:
            first = number * BLOCK_BYTES
            end = min(first + BLOCK_BYTES, self.size_bytes)
            data = self._store.get_range(self.key, first, end)
            self.read_bytes += len(data)
            if len(data) != end - first:
                raise Retryable(f"the length of {self.key} has changed since it was opened: try again")
            while len(self._blocks) >= MOST_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks[number] = data
        return data
