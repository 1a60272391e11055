"""The parts of segments that a request has read, kept while it lasts: neighbours lie in the same ones."""

from __future__ import annotations

from collections import OrderedDict

from frametally.ports.object_store import ObjectStore

_MOST_BYTES = 32 * 1024 * 1024


class RecentRanges:
    """Reads ranges through a small memory, the oldest given up first."""

    def __init__(self, store: ObjectStore) -> None:
        """Remember nothing yet."""
        self._store = store
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._bytes = 0

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Read as `ObjectStore.get_range` does."""
        place = (key, first_byte, next_byte)
        data = self._kept.pop(place, None)
        if data is None:
            data = self._store.get_range(key, first_byte, next_byte)
            self._bytes += len(data)
        self._kept[place] = data
        while self._bytes > _MOST_BYTES and len(self._kept) > 1:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return data
