"""Checksums of the Iceberg tables' files, without which a flipped bit could silently change sums.

Each change of the tables adds an object with the SHA-256 of every file that it wrote.
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
    """The files that one change of the tables wrote.

    Attributes:
        id: Unique hex digits.
        files: SHA-256 in hex, by the file's key.
    """

    id: str
    files: dict[str, str]

    remedy: ClassVar[str] = REMEDY

    @property
    def key(self) -> str:  # noqa: D102
        return f"{CHECKSUMS}/{self.id}.json"


def put_checksums(store: ObjectStore, files: Mapping[str, str]) -> None:
    """Store the checksums of written files, by key. Raises the errors of the store."""
    record = IcebergChecksums(id=uuid.uuid4().hex, files=dict(files))
    store.put(record.key, encode(record))


def join_checksums(store: ObjectStore) -> None:
    """Merge all records into one, without deleted files. Raises `Poison` and the errors of the store."""
    records = [key for key in keys_of_files(store) if key.startswith(f"{CHECKSUMS}/")]
    sums = {name: sum_ for key in records for name, sum_ in read_checksums(store, key).files.items()}
    present = {*keys_of_files(store)}
    if len(records) < 2 and sums.keys() <= present:
        return
    put_checksums(store, {name: sum_ for name, sum_ in sums.items() if name in present})
    for key in records:
        store.delete(key)


def keys_of_files(store: ObjectStore) -> list[str]:
    """Return the key of every object of the tables. Raises the errors of the store."""
    return [info.key for info in store.list(FOLDER)]


def read_checksums(store: ObjectStore, key: str) -> IcebergChecksums:
    """Return the record at a key. Raises `Poison` and the errors of the store."""
    return decode_at(key, store.get(key), IcebergChecksums)
