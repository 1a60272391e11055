"""Moving stored pictures into packs: `frametally pack`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count, groupby
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.packs.pack_changes import add_frames, remove_frames
from frametally.packs.pack_format import PACK_BYTES, PackDamaged, decode_part
from frametally.packs.pack_keys import is_part_key, pack_of, part_key
from frametally.packs.packed_store import plain_of
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.rules.times import HOUR_S

SETTLED_MS = HOUR_S * 1000
"""A minute is packed once nothing of it was stored for so long: nobody else is at it then."""

_END_OF_JPEG = b"\xff\xd9"


class PackingReport(NamedTuple):
    """What a packing moved.

    Attributes:
        pictures: Pictures that are in a pack now, and no objects of their own any more.
        packs: Packs that they are in.
        young: Minutes that were left alone because something of them was stored within the last hour.
        skipped: Pictures and packs that were left as they are.
    """

    pictures: int
    packs: int
    young: int
    skipped: list[Skipped]


def pack_pictures(store: ObjectStore, folder: str, *, now_ms: int, progress: Progress) -> PackingReport:
    """Move the single pictures below a folder of `images` into packs. Killed anywhere, a later call goes on.

    The order of effects, for the pictures of one source and minute:

    1. They are added to their pack; a picture that the pack has already stays as it is there.
    2. The pack is read back and compared. Pictures that were deleted meanwhile leave the pack again.
    3. The single pictures are deleted. Until then readers see them, from then on those in the pack.

    Of two calls at once each deletes only the pictures that it added itself. If a kill leaves pictures single
    and in a pack, a call deletes the single ones once the pack is an hour old.
    """
    plain = plain_of(store)
    report = PackingReport(0, 0, 0, [])
    for pack, of_minute in groupby(plain.list(folder), lambda info: _pack_of(info.key)):
        infos = list(of_minute) if pack is not None else []
        pictures = [info for info in infos if not is_part_key(info.key)]
        if pack is None or not pictures or len(infos) < 2:
            continue
        if max(info.modified_at_ms for info in infos) > now_ms - SETTLED_MS:
            report = report._replace(young=report.young + 1)
            continue
        try:
            moved = sum(
                _pack_batch(plain, pack, batch, now_ms, report.skipped) for batch in _batches(pictures)
            )
        except Misconfigured as error:
            report.skipped.append(Skipped(pack, str(error)))
            continue
        report = report._replace(pictures=report.pictures + moved, packs=report.packs + bool(moved))
        progress.update(report.pictures, None, pack)
    return report


def _pack_of(key: str) -> str | None:
    return key.rpartition("-")[0] if is_part_key(key) else pack_of(key)


def _batches(pictures: Iterable[ObjectInfo]) -> Iterator[list[str]]:
    """Yield the keys of pictures that fit into a part together."""
    batch: list[str] = []
    size_bytes = 0
    for info in pictures:
        if batch and size_bytes + info.size_bytes > PACK_BYTES:
            yield batch
            batch, size_bytes = [], 0
        batch.append(info.key)
        size_bytes += info.size_bytes
    yield batch


def _pack_batch(
    plain: ObjectStore, pack: str, image_keys: Sequence[str], now_ms: int, skipped: list[Skipped]
) -> int:
    """Move these pictures into their pack; return how many were."""
    frames: dict[str, bytes] = {}
    key_of = {key.rpartition("/")[2]: key for key in image_keys}
    for name, key in key_of.items():
        with suppress(ObjectMissing):
            data = plain.get(key)
            if data.endswith(_END_OF_JPEG):
                frames[name] = data
            else:
                skipped.append(Skipped(key, "is not a whole JPEG, so it stays single; produce it again"))
    added = add_frames(plain, pack, frames).names
    failpoints.passing("pack.put")
    deleted = {name for name in added if plain.head(key_of[name]) is None}
    if deleted:
        remove_frames(plain, pack, deleted)
    packed = _read_back(plain, pack, frames, is_settled_by_ms=None if added else now_ms - SETTLED_MS)
    movable = (added or packed.keys()) - deleted
    moved = 0
    for name in sorted(movable):
        if packed.get(name) != frames[name]:
            skipped.append(Skipped(key_of[name], f"differs from the picture in {pack}, so it stays single"))
            continue
        plain.delete(key_of[name])
        failpoints.passing("pack.picture")
        moved += 1
    return moved


def _read_back(
    plain: ObjectStore, pack: str, frames: dict[str, bytes], *, is_settled_by_ms: int | None
) -> dict[str, bytes]:
    """Return those of `frames` that the store has in the pack; none of parts put later than that time."""
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
