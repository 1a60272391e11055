"""A store to try a change in: it shows another store, and keeps what is written in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from operator import attrgetter
from pathlib import Path

from frametally.adapters.files.folder_store import FileStore
from frametally.errors import Misconfigured
from frametally.ports.object_store import (
    Change,
    KeyRanges,
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    ResumableWrite,
    change_alone,
)
from frametally.rules.times import DAY_S


class TrialStore:
    """`base` as it would be after the writes that this store was given; `base` itself stays as it is.

    For one process. Links (`address`) work for the objects of both.
    """

    def __init__(self, base: ObjectStore, folder: Path) -> None:
        """Keep what is written in `folder`, which the caller removes."""
        self.url = base.url
        self._base = base
        self._written = FileStore(folder.resolve().as_uri())
        self._deleted: set[str] = set()

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        if if_absent and self.head(key) is not None:
            return False
        self._deleted.discard(key)
        return self._written.put(key, data, durable=False)

    def get(self, key: str) -> bytes:
        return self._place_of(key).get(key)

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        return self._place_of(key).get_range(key, first_byte, next_byte)

    def head(self, key: str) -> ObjectInfo | None:
        return None if key in self._deleted else self._written.head(key) or self._base.head(key)

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        last = None
        listings = (self._written.list(prefix, after), self._base.list(prefix, after))
        for info in merge(*listings, key=attrgetter("key")):  # of equal keys, the first place's comes first
            if info.key not in self._deleted and info.key != last:
                yield info
            last = info.key

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        return known_keys.leave_out(self.list(prefix))

    def delete(self, key: str, *, durable: bool = True) -> None:
        del durable
        self._written.delete(key, durable=False)
        self._deleted.add(key)

    def sync(self) -> None:
        """Do nothing: a trial does not outlive its process."""

    def change(self, key: str, make: Change) -> bytes | None:
        return change_alone(self, key, make)

    def address(self, key: str, *, ttl_s: int = DAY_S) -> str:
        return self._place_of(key).address(key, ttl_s=ttl_s)

    def resumable(self, key: str, part_key: str) -> ResumableWrite:
        raise Misconfigured(f"{key}: a trial takes no uploads")

    def close(self) -> None:
        self._written.close()

    def _place_of(self, key: str) -> ObjectStore:
        if key in self._deleted:
            raise ObjectMissing(key)
        return self._base if self._written.head(key) is None else self._written
