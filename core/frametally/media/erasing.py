"""Deletes stored pictures of forgotten footage, and pictures that do not belong to a medium.

`retime` and `rename-source` leave the pictures under their old keys. The last part of a key identifies the
video or the picture. The tombstones of corrected media show where to look: each names the source under which
its frames were announced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from frametally import keys
from frametally.errors import Misconfigured
from frametally.media.manifests import list_manifests, list_tombstones, media_of, pictures_identity
from frametally.media.stored_images import announced_images
from frametally.ports.object_store import ObjectInfo, ObjectStore
from frametally.process.reports import Progress
from frametally.records import MediaManifest
from frametally.rules.frame_bitmap import FrameBitmap
from frametally.rules.times import DAY_MS, days_of_span, in_range
from frametally.undo_records import Tombstone

UNNAMED_REMEDY = "`frametally forget --unnamed-images` deletes all pictures that belong to no footage"

Forgotten = tuple[MediaManifest, int | None, int | None]
"""A medium and its event times `[from_ms, to_ms)`; both None for all of it."""


def images_of(store: ObjectStore, forgotten: Iterable[Forgotten]) -> list[str]:
    """Return the keys of the pictures of forgotten footage, of any revision, but not of other media.

    The media's manifests must still exist.

    Raises:
        Misconfigured: For a range, it is unknown which of several pictures belongs to a frame.
        Poison: A manifest or a tombstone does not parse.
    """
    image_keys: set[str] = set()
    folders: set[str] = set()
    frames_of: dict[str, set[int] | None] = {}
    pictures: set[str] = set()
    stones = list_tombstones(store)
    for manifest, from_ms, to_ms in forgotten:
        former = {
            stone.source
            for stone in stones
            if stone.media != media_of(manifest) and keys.parse_media_id(stone.media)[0] == manifest.sha256
        }
        video = manifest.sha256[:12]
        if manifest.kind == "video" and from_ms is None and to_ms is None:
            frames_of[video] = None
            folders |= {f"{keys.IMAGES}/{source}" for source in (manifest.source, *former)}
            continue
        if manifest.live is not None and manifest.state == "producing" and not manifest.revision:
            image_keys |= set(_images_between(store, manifest, from_ms, to_ms))  # not all of them are noted
        names = announced_images(store, manifest)
        names = [name for name in names if in_range(name.captured_at_ms, from_ms, to_ms)]
        image_keys |= {keys.image_key(manifest.source, *name) for name in names}
        if manifest.kind == "video":
            frames_of[video] = {name.frame_index for name in names}
            folders |= {f"{keys.IMAGES}/{source}" for source in former}
        else:
            pictures |= {name.medium_hex for name in names}
    announced_keys: set[str] = set()
    if pictures:
        folders |= {folder for stone in stones for folder in _left_behind(stone)}
        announced_keys = set(_named_pictures(store, pictures))
    for folder in sorted(folders):
        for info in store.list(folder):
            name = keys.parse_image_name(info.key.rpartition("/")[2])
            if name is None:
                continue
            if name.medium_hex in frames_of:
                frames = frames_of[name.medium_hex]
                if frames is None or name.frame_index in frames:
                    image_keys.add(info.key)
            elif name.medium_hex in pictures and info.key not in announced_keys:
                image_keys.add(info.key)
    return sorted(image_keys)


def _images_between(
    store: ObjectStore, manifest: MediaManifest, from_ms: int | None, to_ms: int | None
) -> Iterator[str]:
    for info in store.list(f"{keys.IMAGES}/{manifest.source}"):
        name = keys.parse_image_name(info.key.rpartition("/")[2])
        if name and name.medium_hex == manifest.sha256[:12] and in_range(name.captured_at_ms, from_ms, to_ms):
            yield info.key


def unnamed_images(store: ObjectStore, progress: Progress) -> list[ObjectInfo]:
    """Return the stored pictures that no medium names, by key, except of media that are being produced.

    Raises:
        Misconfigured: A medium is being corrected.
        Poison: A manifest or a tombstone does not parse, so the answer is unknown.
    """
    named_images = _NamedImages(store)
    images = []
    for number, info in enumerate(store.list(keys.IMAGES)):
        progress.update(number, None)
        if info.key not in named_images:
            images.append(info)
    # Media begun meanwhile have a manifest before their first picture.
    named_images = _NamedImages(store) if images else named_images
    return [info for info in images if info.key not in named_images]


def sizes_by_source(images: Iterable[ObjectInfo]) -> dict[str, tuple[int, int]]:
    """Return the number of pictures and their bytes, by source."""
    sizes: defaultdict[str, list[int]] = defaultdict(list)
    for info in images:
        sizes[info.key.split("/")[1]].append(info.size_bytes)
    return {source: (len(sizes_bytes), sum(sizes_bytes)) for source, sizes_bytes in sorted(sizes.items())}


def _left_behind(stone: Tombstone) -> Iterator[str]:
    """Yield the folders that may have old pictures of a correction; none for videos and for `forget`."""
    if stone.why == "forget" or stone.start_ms is not None:
        return
    first_ms, last_ms = stone.first_captured_at_ms, stone.last_captured_at_ms
    if first_ms is None or last_ms is None:
        yield f"{keys.IMAGES}/{stone.source}"
        return
    for day in days_of_span(first_ms, last_ms):
        yield keys.image_folder(stone.source, keys.utc_day(day * DAY_MS))


def _named_pictures(store: ObjectStore, hexes: set[str]) -> Iterator[str]:
    for manifest in list_manifests(store):
        if manifest.kind == "pictures":
            for name in announced_images(store, manifest):
                if name.medium_hex in hexes:
                    yield keys.image_key(manifest.source, *name)


class _NamedImages:
    """The pictures that media in the store name now, and any that may belong to media being produced."""

    def __init__(self, store: ObjectStore) -> None:
        if any(keys.is_record_key(info.key) for info in store.list(keys.CORRECTIONS)):
            raise Misconfigured(
                "a retime or rename-source is not finished: run that command again first; only then does "
                "frametally know which pictures belong to no footage"
            )
        self._keys: set[str] = set()
        self._videos: dict[tuple[str, str], list[tuple[MediaManifest, FrameBitmap]]] = defaultdict(list)
        self._growing: set[str] = set()
        starts: dict[tuple[str, str], set[int | None]] = defaultdict(set)
        for stone in list_tombstones(store):
            starts[stone.source, keys.parse_media_id(stone.media)[0]].add(stone.start_ms)
        for manifest in list_manifests(store):
            if manifest.state == "producing":
                self._growing |= {manifest.sha256, manifest.sha256[:12]}
                continue
            earlier_starts = starts[manifest.source, manifest.sha256] - {manifest.start_ms}
            if manifest.kind == "video" and not earlier_starts:
                of_video = self._videos[manifest.source, manifest.sha256[:12]]
                of_video.append((manifest, FrameBitmap(manifest.announced_frames)))
                continue
            try:
                names = announced_images(store, manifest)
            except Misconfigured:  # unknown, so include all of them
                self._growing.add(manifest.sha256[:12])
            else:
                self._keys |= {keys.image_key(manifest.source, *name) for name in names}

    def __contains__(self, key: str) -> bool:
        """Return whether a key is one of these, or is not the key of a frame."""
        _, source, day, last = (key.split("/") + [""] * 4)[:4]
        name = keys.parse_image_name(last)
        if name is None or key in self._keys or name.medium_hex in self._growing:
            return True
        if pictures_identity(source, day) in self._growing:
            return True
        return any(
            name.frame_index in announced
            and in_range(name.captured_at_ms, manifest.first_captured_at_ms, None)
            and name.captured_at_ms <= (manifest.last_captured_at_ms or 0)
            for manifest, announced in self._videos.get((source, name.medium_hex), ())
        )
