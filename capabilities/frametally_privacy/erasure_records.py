"""Defines the record of an erasure: its note while it runs, and its receipt afterwards."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath
from typing import ClassVar

import msgspec

from frametally import keys
from frametally.media.manifests import find_record, list_records, read_records
from frametally.media.screening import ErasedRange
from frametally.ports.object_store import ObjectStore
from frametally.records import SealedRecord
from frametally.rules.times import utc_range


class ErasedKind(msgspec.Struct, frozen=True, kw_only=True):
    """How much data of one kind there was when the erasure began."""

    kind: str
    items: int
    size_bytes: int


class Erasure(SealedRecord, frozen=True, kw_only=True):
    """An erasure (`privacy/erasures/<id>.json`); it stays as a receipt.

    Attributes:
        id: 12 hex.
        source: Slug.
        from_ms: Event time of the first frames.
        to_ms: Event time of the end, exclusive.
        keeps_counts: Whether counts and boxes stay.
        began_at_ms: When it began, by the clock of its machine.
        ended_at_ms: When nothing was left; None while it runs, and after a kill.
        erased: What there was when it began.
        backups: The backups that existed at the end; frametally does not change them.
        media: `short_media_id` of the footage in the range.
    """

    id: str
    source: str
    from_ms: int
    to_ms: int
    keeps_counts: bool
    began_at_ms: int
    ended_at_ms: int | None = None
    erased: tuple[ErasedKind, ...] = ()
    backups: tuple[str, ...] = ()
    media: tuple[str, ...] = ()

    remedy: ClassVar[str] = "restore it from a backup, or delete it and erase the same range again"

    @property
    def key(self) -> str:  # noqa: D102
        return f"{keys.ERASURES}/{self.id}.json"

    @property
    def in_words(self) -> str:
        """The source and the range, as text."""
        return f"{self.source}, {utc_range(self.from_ms, self.to_ms)}"


def short_media_id(sha256: str, revision: int) -> str:
    """Return `keys.media_id` with 12 hex, as many as pictures of videos have in their keys."""
    return keys.media_id(sha256[:12], revision)


def erasures(store: ObjectStore) -> list[Erasure]:
    """Return all erasures, the oldest first. Raises `Poison` at a damaged record."""
    records = read_records(store, keys.ERASURES, Erasure)
    return sorted(records, key=lambda erasure: (erasure.began_at_ms, erasure.id))


def erased_ranges(store: ObjectStore, known_ids: Collection[str]) -> dict[str, ErasedRange]:
    """Return the erasures, also those that still run, by id, without `known_ids`. Raises as `erasures`."""
    keys_by_id = {PurePosixPath(info.key).stem: info.key for info in list_records(store, keys.ERASURES)}
    records = {id: find_record(store, key, Erasure) for id, key in keys_by_id.items() if id not in known_ids}
    return {
        id: ErasedRange(erasure.source, erasure.from_ms, erasure.to_ms)
        for id, erasure in records.items()
        if erasure is not None
    }


def unfinished_erasures(store: ObjectStore) -> list[Erasure]:
    """Return the erasures that were interrupted or still run. Raises as `erasures`."""
    return [erasure for erasure in erasures(store) if erasure.ended_at_ms is None]


def finished_erasure(
    store: ObjectStore, source: str, from_ms: int, to_ms: int, keeps_counts: bool
) -> Erasure | None:
    """Return the newest finished erasure that covers a request, or None. Raises as `erasures`."""
    for erasure in reversed(erasures(store)):
        covers = erasure.from_ms <= from_ms and to_ms <= erasure.to_ms
        is_as_thorough = keeps_counts or not erasure.keeps_counts
        if erasure.ended_at_ms is not None and erasure.source == source and covers and is_as_thorough:
            return erasure
    return None
