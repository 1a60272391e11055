"""An object as a file that can be read and sought, in blocks: no copy of it lies on this machine."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from typing import TYPE_CHECKING

from frametally.errors import Retryable
from frametally.ports.object_store import ObjectMissing, ObjectStore

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 2**20
MOST_BLOCKS = 16
"""Kept at once. Sound that lies far from its pictures is read in turns with them."""


class StoredFile(io.RawIOBase):
    """An object of a store, for whoever wants a file: PyAV, the reader of a picture.

    An object that is put anew meanwhile is not read as half of each: its size is asked for once, and what
    comes shorter is an error.

    Attributes:
        key: The object's.
        size_bytes: Its size when it was opened.
        read_bytes: How many bytes the store was asked for.
    """

    def __init__(self, store: ObjectStore, key: str, *, size_bytes: int | None = None) -> None:
        """Open it; the store is asked for its size, unless that is known.

        Raises:
            ObjectMissing: There is no such object.
        """
        if size_bytes is None:
            info = store.head(key)
            if info is None:
                raise ObjectMissing(f"no object {key!r} in {store.url}")
            size_bytes = info.size_bytes
        self.key = key
        self.size_bytes = size_bytes
        self.read_bytes = 0
        self._store = store
        self._at = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def tell(self) -> int:  # noqa: D102
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a byte, counted from the start, from here or from the end; beyond the end is no error."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size_bytes}.get(whence)
        if start is None or start + offset < 0:
            raise ValueError(f"no place in a file: {offset} from {whence}")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read what is there up to the end of a block; 0 bytes are the end of the object.

        Raises:
            ObjectMissing: It was removed meanwhile.
            Retryable: It came cut short, or the store is away.
        """
        wanted = memoryview(buffer).cast("B")
        number, start = divmod(self._at, BLOCK_BYTES)
        if self._at >= self.size_bytes:
            return 0
        found = self._block(number)[start : start + len(wanted)]
        wanted[: len(found)] = found
        self._at += len(found)
        return len(found)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, fewer only at the end; all of the rest without a size."""
        left = max(0, self.size_bytes - self._at)
        size = left if size is None or size < 0 else min(size, left)
        data = bytearray(size)
        done = 0
        while done < size:
            done += self.readinto(memoryview(data)[done:])
        return bytes(data)

    def _block(self, number: int) -> bytes:
        data = self._blocks.pop(number, None)
        if data is None:
            first = number * BLOCK_BYTES
            end = min(first + BLOCK_BYTES, self.size_bytes)
            data = self._store.get_range(self.key, first, end)
            self.read_bytes += len(data)
            if len(data) != end - first:
                raise Retryable(f"{self.key} is not as long any more as when it was opened: try again")
            while len(self._blocks) >= MOST_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks[number] = data
        return data
