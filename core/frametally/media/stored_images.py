"""Finds the stored pictures of a medium's frames by their keys."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice

from msgspec import UNSET

from frametally import keys
from frametally.errors import Misconfigured
from frametally.files.jpeg_header import jpeg_size_px
from frametally.media.manifests import tombstones_of
from frametally.media.screening import note_in
from frametally.ports.object_store import ObjectStore
from frametally.records import FrameAnnouncement, MediaManifest, TimeSource
from frametally.rules.frame_bitmap import FrameBitmap
from frametally.rules.times import DAY_MS, days_of_span


def announcement_of(
    data: bytes, name: keys.ImageName, *, media: str, source: str, time_source: TimeSource
) -> FrameAnnouncement:
    """Return the announcement of the stored picture `data` with a name under `source`.

    Raises:
        Poison: It is not a JPEG.
    """
    width_px, height_px = jpeg_size_px(data)
    note = note_in(data)
    return FrameAnnouncement(
        image_path=keys.image_key(source, *name),
        source=source,
        frame_index=name.frame_index,
        captured_at_ms=name.captured_at_ms,
        time_source=time_source,
        width_px=width_px,
        height_px=height_px,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        media=media,
        screened=UNSET if note is None else note.screened,
    )


def announced_images(store: ObjectStore, manifest: MediaManifest) -> list[keys.ImageName]:
    """Return the names of the stored pictures of a medium's announced frames, by event time.

    The manifest has the names of pictures. For a video it has decode indices, so the store is listed; earlier
    revisions, which began at other times, may have left pictures with the same indices.

    Raises:
        Misconfigured: It is unknown which of several pictures of one index is right.
    """
    if manifest.kind == "pictures":
        parsed = (keys.parse_image_name(f"{name}-0.jpg") for name in manifest.announced_pictures)
        return sorted(name for name in parsed if name is not None)
    starts = {manifest.start_ms} | {
        stone.start_ms for stone in tombstones_of(store, manifest.sha256) if stone.source == manifest.source
    }
    times_of: dict[int, set[int]] = defaultdict(set)
    announced = FrameBitmap(manifest.announced_frames)
    for name in _images_of_revisions(store, manifest):
        if name.frame_index in announced:
            times_of[name.frame_index].add(name.captured_at_ms)
    images = []
    for frame_index, times in times_of.items():
        # The picture of this revision exists, so all others must belong to earlier ones.
        start_ms = manifest.start_ms or 0
        right = [ms for ms in times if all(other_ms - ms + start_ms in starts for other_ms in times)]
        if len(times) > 1 and len(right) != 1:
            raise Misconfigured(
                f"frame {frame_index} of {manifest.name} has {len(times)} stored pictures, left by earlier "
                "`forget` commands: forget it with --delete-images, and produce it again with the right "
                "time"
            )
        images.append(keys.ImageName(min(right or times), manifest.sha256[:12], frame_index))
    return sorted(images)


def _images_of_revisions(store: ObjectStore, manifest: MediaManifest) -> Iterator[keys.ImageName]:
    """Yield the stored pictures of a video from its first to its last announced frame, of any revision."""
    first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
    if first_ms is None or last_ms is None:
        return
    for day in days_of_span(first_ms, last_ms):
        folder = keys.image_folder(manifest.source, keys.utc_day(day * DAY_MS))
        for name in images_of_video(store, folder, manifest):
            if first_ms <= name.captured_at_ms <= last_ms:
                yield name


_AT_ONCE = 8
_LISTED = 1000
"""How many objects of a folder are listed: as many as a bucket lists in one request."""
_FEW = 3
"""Up to so many frames of a folder cost a request each."""


def missing_images(store: ObjectStore, image_keys: Sequence[str]) -> set[str]:
    """Return those of some frames whose pictures the store does not have; their counts stay.

    Neighbours cost one listing; frames far from each other cost a request each.
    """
    missing, to_ask = set[str](), list[str]()
    for folder, of_folder in groupby(sorted(set(image_keys)), lambda key: key.rpartition("/")[0]):
        folder_keys = list(of_folder)
        if len(folder_keys) <= _FEW:
            to_ask += folder_keys
            continue
        before = folder_keys[0][:-1]  # a listing begins after a key
        listed = [info.key for info in islice(store.list(folder, before), _LISTED)]
        is_whole = len(listed) < _LISTED
        missing |= {key for key in folder_keys if is_whole or key <= listed[-1]} - {*listed}
        to_ask += [key for key in folder_keys if not is_whole and key > listed[-1]]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        infos = pool.map(store.head, to_ask)
        return missing | {key for key, info in zip(to_ask, infos, strict=True) if info is None}


def images_of_video(store: ObjectStore, folder: str, manifest: MediaManifest) -> Iterator[keys.ImageName]:
    """Yield the pictures of a video, of any revision and time, in or below a folder of the store."""
    for info in store.list(folder):
        name = keys.parse_image_name(info.key.rpartition("/")[2])
        if name is not None and name.medium_hex == manifest.sha256[:12]:
            yield name


def bitmap_of(frame_indices: Collection[int]) -> bytes:
    """Return a set of decode indices in the form of `MediaManifest.announced_frames`."""
    bitmap = FrameBitmap(b"")
    for frame_index in frame_indices:
        bitmap.add(frame_index)
    return bytes(bitmap)
