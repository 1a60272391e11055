"""Moves stored pictures into packs, for `frametally pack`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, groupby
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.files.jpeg_header import has_all_bytes
from frametally.packs.pack_changes import add_frames, remove_frames, remove_from_part
from frametally.packs.pack_format import PACK_BYTES, PackDamaged, decode_part
from frametally.packs.pack_keys import is_part_key, minute_of, pack_of_part, part_key
from frametally.packs.packed_store import plain_of
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.rules.times import HOUR_S

SETTLED_MS = HOUR_S * 1000
"""A minute is packed once nothing of it was stored for this long: nothing else works on it then."""


class PackingReport(NamedTuple):
    """The result of a packing.

    Attributes:
        pictures: Pictures that are now in a pack and no longer single objects.
        packs: Packs with these pictures.
        young: Minutes left alone because one of their frames was stored within the last hour.
        skipped: Pictures and packs left unchanged.
    """

    pictures: int
    packs: int
    young: int
    skipped: list[Skipped]


def pack_pictures(store: ObjectStore, folder: str, *, now_ms: int, progress: Progress) -> PackingReport:
    """Move pictures below a folder of `images` into packs of a minute; a call after a kill continues.

    It moves single pictures, and those in packs of two seconds, which cameras write.

    The order of effects, for the pictures of one source and minute:

    1. Add them to their pack; a picture that the pack already has stays unchanged there.
    2. Read the pack back and compare. Remove pictures from it that were deleted in the meantime.
    3. Delete the single pictures, and remove those in packs of two seconds. Until then readers see these,
       from then on those in the pack.

    Of two concurrent calls, each deletes only the pictures that it added itself. If a kill leaves pictures
    both single and in a pack, a call deletes the single ones once the pack is an hour old. A picture that is
    deleted while a call adds it stays in the pack if that call is killed before the end of step 2.
    """
    plain = plain_of(store)
    report = PackingReport(0, 0, 0, [])
    for pack, of_minute in groupby(plain.list(folder), lambda info: minute_of(info.key)):
        infos = list(of_minute) if pack is not None else []
        loose = [info for info in infos if not is_part_key(info.key) or pack_of_part(info.key) != pack]
        if pack is None or not loose or len(infos) < 2:
            continue
        if max(info.modified_at_ms for info in infos) > now_ms - SETTLED_MS:
            report = report._replace(young=report.young + 1)
            continue
        try:
            moved = sum(_pack_batch(plain, pack, batch, now_ms, report.skipped) for batch in _batches(loose))
        except Misconfigured as error:
            report.skipped.append(Skipped(pack, str(error)))
            continue
        report = report._replace(pictures=report.pictures + moved, packs=report.packs + bool(moved))
        progress.update(report.pictures, None, pack)
    return report


def _batches(loose: Iterable[ObjectInfo]) -> Iterator[list[str]]:
    """Yield the keys of objects that fit into one part together."""
    batch: list[str] = []
    size_bytes = 0
    for info in loose:
        if batch and size_bytes + info.size_bytes > PACK_BYTES:
            yield batch
            batch, size_bytes = [], 0
        batch.append(info.key)
        size_bytes += info.size_bytes
    yield batch


def _pack_batch(
    plain: ObjectStore, pack: str, object_keys: Sequence[str], now_ms: int, skipped: list[Skipped]
) -> int:
    """Move the pictures of these objects into the pack of their minute; return how many moved."""
    objects = {key: _frames_of(plain, key, skipped) for key in object_keys}
    frames = {name: data for of_object in reversed(objects.values()) for name, data in of_object.items()}
    added = add_frames(plain, pack, frames).names
    failpoints.passing("pack.put")
    deleted = {
        name
        for key, of_object in objects.items()
        if not is_part_key(key)
        for name in of_object.keys() & added
        if plain.head(key) is None
    }
    if deleted:
        remove_frames(plain, pack, deleted)
    packed = _read_back(plain, pack, frames, is_settled_by_ms=None if added else now_ms - SETTLED_MS)
    movable = (added or packed.keys()) - deleted
    moved = 0
    for key, of_object in objects.items():
        names = {name for name in of_object.keys() & movable if packed.get(name) == of_object[name]}
        if names < of_object.keys() & movable:
            skipped.append(Skipped(key, f"differs from the picture in {pack}, so it stays as it is"))
        if names and is_part_key(key):
            removed, _ = remove_from_part(plain, key, names)
            if missing := (names & added) - removed:  # deleted in the meantime
                remove_frames(plain, pack, missing)
        elif names:
            plain.delete(key, durable=False)  # if it comes back, a later call deletes it again
        if names:
            failpoints.passing("pack.picture")
        moved += len(names)
    return moved


def _frames_of(plain: ObjectStore, key: str, skipped: list[Skipped]) -> dict[str, bytes]:
    """Return the frames of a picture, or of a part of a pack, by name; none if it is gone."""
    try:
        data = plain.get(key)
        if is_part_key(key):
            return decode_part(key, data)[0]
    except PackDamaged as error:
        skipped.append(Skipped(key, str(error)))
        return {}
    except ObjectMissing:
        return {}
    if has_all_bytes(data):
        return {key.rpartition("/")[2]: data}
    skipped.append(Skipped(key, "is not a whole JPEG, so it stays single; produce it again"))
    return {}


def _read_back(
    plain: ObjectStore, pack: str, frames: dict[str, bytes], *, is_settled_by_ms: int | None
) -> dict[str, bytes]:
    """Return those of `frames` that the store has in the pack, except in parts put after that time."""
    packed: dict[str, bytes] = {}
    is_full = True
    for part in count():
        info = plain.head(part_key(pack, part)) if is_full else None
        if info is None:
            return packed
        try:
            of_part, is_full = decode_part(info.key, plain.get(info.key))
        except PackDamaged as error:
            raise Misconfigured(str(error)) from error
        if is_settled_by_ms is None or info.modified_at_ms <= is_settled_by_ms:
            packed |= {name: data for name, data in of_part.items() if name in frames}
    return packed
