"""Checksums of the Iceberg tables' files: without them a flipped bit would change sums in silence.

Each change of the tables leaves an object with the SHA-256 of every file that it wrote.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import ClassVar

from frametally.ports.object_store import ObjectStore
from frametally.records import SealedRecord, decode_at, encode

FOLDER = "iceberg"
"""The folder of the tables in the store."""
CHECKSUMS = f"{FOLDER}/checksums"
HINT = "version-hint.text"
METADATA = ".metadata.json"
REMEDY = "restore it from a backup, or run `frametally iceberg --rebuild`"


class IcebergChecksums(SealedRecord, frozen=True, kw_only=True):
    """What one change of the tables wrote.

    Attributes:
        id: Hex digits that no other has.
        files: SHA-256 in hex, by the key of the file.
    """

    id: str
    files: dict[str, str]

    remedy: ClassVar[str] = REMEDY

    @property
    def key(self) -> str:  # noqa: D102
        return f"{CHECKSUMS}/{self.id}.json"


def put_checksums(store: ObjectStore, files: Mapping[str, str]) -> None:
    """Keep the checksums of written files, by their keys. Raises as the store does."""
    record = IcebergChecksums(id=uuid.uuid4().hex, files=dict(files))
    store.put(record.key, encode(record))


def join_checksums(store: ObjectStore) -> None:
    """Replace all records by one, without files that are gone. Raises `Poison`, and as the store does."""
    records = [key for key in keys_of_files(store) if key.startswith(f"{CHECKSUMS}/")]
    sums = {name: sum_ for key in records for name, sum_ in read_checksums(store, key).files.items()}
    present = {*keys_of_files(store)}
    if len(records) < 2 and sums.keys() <= present:
        return
    put_checksums(store, {name: sum_ for name, sum_ in sums.items() if name in present})
    for key in records:
        store.delete(key)


def keys_of_files(store: ObjectStore) -> list[str]:
    """Return the key of every object of the tables. Raises as the store does."""
    return [info.key for info in store.list(FOLDER)]


def read_checksums(store: ObjectStore, key: str) -> IcebergChecksums:
    """Return the record at a key. Raises `Poison`, and as the store does."""
    return decode_at(key, store.get(key), IcebergChecksums)
