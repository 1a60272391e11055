"""Reads and changes the store's records of media: manifests, and tombstones of forgotten footage."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import get_args

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.files.replacing import replace_file
from frametally.ports.object_store import KeyRanges, ObjectInfo, ObjectMissing, ObjectStore
from frametally.process.collection import no_collection
from frametally.process.reports import Skipped
from frametally.records import NOT_JSON, MediaManifest, SealedRecordT, TimeSource, decode_at, encode
from frametally.rules.seals import check_crc32
from frametally.rules.tombstones import Range, forgotten_ranges
from frametally.undo_records import Tombstone

_RECENT_S = 3.0
_TIME_SOURCES: tuple[TimeSource, ...] = get_args(TimeSource)


def list_manifests(store: ObjectStore) -> list[MediaManifest]:
    """Return every medium's manifest, sorted by source, then first event time, then identity.

    Raises:
        Poison: A manifest cannot be read; the message names its key.
    """
    return _sorted(read_records(store, keys.MEDIA, MediaManifest))


def by_source(manifests: Iterable[MediaManifest]) -> dict[str, list[MediaManifest]]:
    """Return the manifests of each source, in their order."""
    manifests_by_source: defaultdict[str, list[MediaManifest]] = defaultdict(list)
    for manifest in manifests:
        manifests_by_source[manifest.source].append(manifest)
    return dict(manifests_by_source)


class _ManifestNote(msgspec.Struct, frozen=True, array_like=True):
    info: ObjectInfo  # as listed before reading
    manifest: MediaManifest


@cache
def _layout_crc32() -> int:
    """Return a checksum of the fields of a note, by which the file of an earlier version is read again."""
    return zlib.crc32(msgspec.json.encode(msgspec.json.schema(_ManifestNote), order="sorted"))


class ManifestReader:
    """Reads a store's manifests repeatedly, without their long fields, and unchanged ones only once.

    It caches them in `<data_dir>/manifests-<8 hex of the store's address>.jsonl`, one per line. A cached
    manifest belongs to the object as listed (size, version, date), so a manifest that was put again is read
    again. The file is only a cache: if it is missing or damaged, or has other fields, all manifests are read
    again.
    """

    def __init__(self, store: ObjectStore, data_dir: Path | None = None) -> None:
        """Load the cache; with `data_dir`, keep it there for later processes on this machine."""
        self._store = store
        self._path: Path | None = None
        # A store in memory ends with its process, so a cached file could only be of another store.
        if data_dir is not None and not store.url.startswith("memory:"):
            self._path = data_dir / f"manifests-{hashlib.sha256(store.url.encode()).hexdigest()[:8]}.jsonl"
        self._saved: list[_ManifestNote] = []
        with suppress(OSError, ValueError, Poison, *NOT_JSON), no_collection():
            self._saved = self._read_notes(self._path) if self._path else []
        self._notes = {note.info.key: note for note in self._saved}
        self._last: list[MediaManifest] = []
        self._read_at_s = float("-inf")

    def read(self) -> tuple[list[MediaManifest], list[Skipped]]:
        """Return the readable manifests, sorted as `list_manifests`, and the unreadable ones."""
        notes: list[_ManifestNote] = []
        skipped = []
        for info in list(list_records(self._store, keys.MEDIA)):
            try:
                notes.append(self._read_one(info))
            except ObjectMissing:
                continue  # removed since it was listed
            except Poison as error:
                consequence = "footage that overlaps it may count twice until you restore it"
                skipped.append(Skipped(info.key, f"{error}; {consequence}"))
        self._save(notes)
        self._last, self._read_at_s = _sorted([note.manifest for note in notes]), time.monotonic()
        return self._last, skipped

    def recent(self) -> list[MediaManifest]:
        """Return the readable manifests, at most some seconds old."""
        if time.monotonic() - self._read_at_s < _RECENT_S:
            return self._last
        return self.read()[0]

    def _read_one(self, info: ObjectInfo) -> _ManifestNote:
        note = self._notes.get(info.key)
        if note is None or note.info != info or not info.version:  # without a version it may have changed
            read = decode_at(info.key, self._store.get(info.key), MediaManifest)
            note = self._notes[info.key] = _ManifestNote(info, without_names(read))
        return note

    def _save(self, notes: list[_ManifestNote]) -> None:
        """Save the cache of the listed manifests if it has changed.

        A failure is ignored, as the objects are then just read again.
        """
        if self._path is None or notes == self._saved:
            return
        lines = msgspec.json.Encoder().encode_lines(notes)
        with suppress(OSError):
            replace_file(self._path, b"%08x\n%s" % (zlib.crc32(lines, _layout_crc32()), lines))
            self._saved = notes

    def _read_notes(self, path: Path) -> list[_ManifestNote]:
        """Read the cache; its first line is a checksum, as one bit could move frames to another day."""
        crc32, _, lines = path.read_bytes().partition(b"\n")
        check_crc32(zlib.crc32(lines, _layout_crc32()), int(crc32, 16))
        return msgspec.json.Decoder(_ManifestNote).decode_lines(lines)


def without_names(manifest: MediaManifest) -> MediaManifest:
    """Return the manifest without its announced frames, which can be a megabyte."""
    return msgspec.structs.replace(manifest, announced_frames=b"", announced_pictures=[])


def find_manifest(store: ObjectStore, sha256: str) -> MediaManifest | None:
    """Return one medium's manifest, or None. Raises `Poison` if it cannot be read."""
    return find_record(store, keys.media_key(sha256), MediaManifest)


def media_of(manifest: MediaManifest) -> str:
    """Return the medium's name in its frames."""
    return keys.media_id(manifest.sha256, manifest.revision)


def footage_of(manifests: Sequence[MediaManifest], model: str | None) -> list[MediaManifest]:
    """Return the media that a model detects: its own simulated media, or else all filmed media."""
    own = [manifest for manifest in manifests if manifest.simulated_by == model]
    return own or [manifest for manifest in manifests if manifest.simulated_by is msgspec.UNSET]


def pictures_identity(source: str, day: str) -> str:
    """Return the identity of one source's pictures of one UTC day: SHA-256, hex."""
    return hashlib.sha256(f"pictures/{source}/{day}".encode()).hexdigest()


def track_identity(sha256: str, track: int) -> str:
    """Return the identity of a track other than the usual one of a file with this SHA-256: hex."""
    return hashlib.sha256(f"track/{sha256}/{track}".encode()).hexdigest()


def minute_identity(source: str, session_ms: int, minute_ms: int) -> str:
    """Return the identity of one minute of a camera in one capture session: SHA-256, hex."""
    return hashlib.sha256(f"live/{source}/{session_ms}/{minute_ms}".encode()).hexdigest()


def sources_timed_by_file(manifests: Iterable[MediaManifest]) -> set[str]:
    """Return the slugs of sources with a medium whose time is only its file's modification date."""
    return {manifest.source for manifest in manifests if manifest.time_source == "file_time"}


def weaker(first: TimeSource, second: TimeSource) -> TimeSource:
    """Return the less reliable of two sources of time."""
    return max(first, second, key=_TIME_SOURCES.index)


def list_tombstones(store: ObjectStore) -> list[Tombstone]:
    """Return every tombstone, by key.

    Raises:
        Poison: A tombstone cannot be read; the message names its key.
    """
    return list(read_records(store, keys.TOMBSTONES, Tombstone))


def tombstones_of(store: ObjectStore, sha256: str) -> list[Tombstone]:
    """Return the tombstones of one medium's revisions, by key. Raises as `list_tombstones`."""
    return list(read_records(store, f"{keys.TOMBSTONES}/{sha256}", Tombstone))


def readable_tombstones(store: ObjectStore) -> list[Tombstone]:
    """Return the readable tombstones; other readers report damaged ones."""
    tombstones = []
    for info in filter(lambda info: keys.is_record_key(info.key), store.list(keys.TOMBSTONES)):
        with suppress(ObjectMissing, Poison):
            tombstones.append(decode_at(info.key, store.get(info.key), Tombstone))
    return tombstones


def forgotten_by(tombstones: Iterable[Tombstone]) -> dict[str, list[Range]]:
    """Return the ranges that tombstones forget, in the form that `tombstones.is_forgotten` expects."""
    return forgotten_ranges((stone.media, stone.from_ms, stone.to_ms) for stone in tombstones)


def touches(tombstone: Tombstone, *, source: str, from_ms: int, to_ms: int) -> bool:
    """Return whether `tombstone` may forget frames of `source` in `[from_ms, to_ms)`."""
    starts = [ms for ms in (tombstone.from_ms, tombstone.first_captured_at_ms) if ms is not None]
    last_ms = tombstone.last_captured_at_ms
    return (
        tombstone.source == source
        and all(start < to_ms for start in starts)
        and (tombstone.to_ms is None or tombstone.to_ms > from_ms)
        and (last_ms is None or last_ms >= from_ms)
    )


def next_revision(store: ObjectStore, sha256: str) -> int:
    """Return the revision of a medium produced without a manifest: above all its forgotten revisions."""
    revisions = (keys.forgotten_revision(info.key) for info in store.list(f"{keys.TOMBSTONES}/{sha256}"))
    return max((revision + 1 for revision in revisions if revision is not None), default=0)


def _sorted(manifests: Iterable[MediaManifest]) -> list[MediaManifest]:
    return sorted(manifests, key=lambda m: (m.source, m.first_captured_at_ms or 0, m.sha256))


def list_records(store: ObjectStore, folder: str) -> Iterator[ObjectInfo]:
    """List the records in a folder, ignoring other files, such as a file manager's."""
    infos = store.list_unless(folder, KeyRanges())
    return (info for info in infos if keys.is_record_key(info.key))


def find_record(store: ObjectStore, key: str, record_type: type[SealedRecordT]) -> SealedRecordT | None:
    """Return the record under a key, or None. Raises `Poison` if it cannot be read."""
    try:
        return decode_at(key, store.get(key), record_type)
    except ObjectMissing:
        return None


def change_record(
    store: ObjectStore, before_any: SealedRecordT, change: Callable[[SealedRecordT], SealedRecordT]
) -> SealedRecordT:
    """Replace the record under the key of `before_any`, which stands for none, by the result of `change`.

    `change` may be called several times. Raises `Poison` if the record cannot be read.

    Returns:
        The record as it is now.
    """
    key, record_type = before_any.key, type(before_any)

    def make(data: bytes | None) -> bytes:
        return encode(change(before_any if data is None else decode_at(key, data, record_type)))

    data = store.change(key, make)
    if data is None:
        raise AssertionError("`change` removes no record")
    return decode_at(key, data, record_type)


def read_records(
    store: ObjectStore, folder: str, record_type: type[SealedRecordT]
) -> Iterator[SealedRecordT]:
    """Yield the records in a folder, by key. Raises `Poison` at one that cannot be read."""
    for info in list_records(store, folder):
        try:
            yield decode_at(info.key, store.get(info.key), record_type)
        except ObjectMissing:
            continue  # removed since it was listed


def change_manifest(
    store: ObjectStore, sha256: str, change: Callable[[MediaManifest | None], MediaManifest | None]
) -> MediaManifest | None:
    """Replace a medium's manifest with the result of `change`, atomically.

    Args:
        store: The store with the manifest.
        sha256: The medium's identity.
        change: Returns the new manifest for the current one (or for None if there is none), or None to change
            nothing. It may be called several times and must not change manifests itself.

    Returns:
        The result of `change`.

    Raises:
        Poison: The current manifest does not parse.
        Retryable: The store is unavailable, or another process has locked the manifests for too long.
    """
    changed_manifest: MediaManifest | None = None

    def make(data: bytes | None) -> bytes | None:
        nonlocal changed_manifest
        changed_manifest = change(_decode(sha256, data))
        return data if changed_manifest is None else encode(changed_manifest)

    store.change(keys.media_key(sha256), make)
    return changed_manifest


def delete_manifest(store: ObjectStore, sha256: str, *, revision: int) -> None:
    """Delete a medium's manifest atomically unless it has a later revision.

    So a producer that is working on the medium cannot put a deleted manifest back.

    Raises:
        Poison: The current manifest does not parse.
        Retryable: As `change_manifest`.
    """

    def make(data: bytes | None) -> bytes | None:
        manifest = _decode(sha256, data)
        return None if manifest is not None and manifest.revision <= revision else data

    store.change(keys.media_key(sha256), make)


def _decode(sha256: str, data: bytes | None) -> MediaManifest | None:
    return None if data is None else decode_at(keys.media_key(sha256), data, MediaManifest)
