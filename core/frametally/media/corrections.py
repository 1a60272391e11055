"""Corrects a medium's event time or source, without its media file.

The stored pictures are put under their correct keys and announced again with the medium's next revision; the
previous revision is forgotten. In the end, the counts are as if the medium had been right from the start.

The shift of a video is that of its beginning. Pictures have a manifest per source and day; their shift is
that of the day's first picture, and all pictures of that day move by it, even to other days.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial, reduce
from typing import NamedTuple

import msgspec

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.files.jpeg_header import has_all_bytes
from frametally.media.forgetting import put_tombstone, store_manifest
from frametally.media.manifests import (
    change_manifest,
    delete_manifest,
    find_manifest,
    forgotten_by,
    list_records,
    list_tombstones,
    media_of,
    next_revision,
    pictures_identity,
    read_records,
    weaker,
)
from frametally.media.stored_images import announced_images, announcement_of, bitmap_of
from frametally.packs.packed_store import delete_pictures
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress
from frametally.records import FrameAnnouncement, MediaManifest, encode
from frametally.rules.overlaps import joined_runs
from frametally.rules.tombstones import is_forgotten, merged
from frametally.settings.loading import Settings
from frametally.undo_records import Correction

_ANNOUNCE_FRAMES = 100


class Corrected(NamedTuple):
    """The result of a correction: how many pictures were announced again, and the missing ones."""

    correction: Correction
    frames: int
    missing: list[str]


def begins_at(manifest: MediaManifest) -> int:
    """Return the event time at which a medium begins: a video's start, or that of the first picture.

    Raises:
        Misconfigured: None of its frames have been announced.
    """
    began_ms = manifest.start_ms if manifest.kind == "video" else None
    if began_ms is None:
        began_ms = manifest.first_captured_at_ms
    if began_ms is None:
        raise Misconfigured(
            f"no frames of {manifest.name} have been announced yet", "produce it with --start-time"
        )
    return began_ms


def lost_pictures(store: ObjectStore, manifest: MediaManifest) -> int:
    """Return how many pictures that count are removed or damaged: a correction would lose their counts.

    Of a video that is forgotten in part, the removed ones are unknown, and not counted. Raises
    `Misconfigured` as `retime`.
    """
    manifest = store_manifest(store, manifest)
    names = _counted_images(store, manifest)
    lost = sum(_read_whole(store, keys.image_key(manifest.source, *name)) is None for name in names)
    if manifest.kind == "video" and not _has_forgotten_ranges(store, manifest):
        lost += max(0, manifest.frames_announced - len(names))
    return lost


def retime(
    store: ObjectStore, manifest: MediaManifest, *, start_ms: int, delete_images: bool = False
) -> Correction | None:
    """Note that a medium begins at another time, for `finish`; return None if it already does.

    Raises:
        Misconfigured: None of its frames have been announced, or its pictures cannot be distinguished from
            others.
    """
    began_ms = begins_at(manifest)
    if began_ms == start_ms:
        return None
    return _note(
        store,
        manifest,
        why="retime",
        shift_ms=start_ms - began_ms,
        time_source="start_time",
        delete_images=delete_images,
    )


def retime_pictures(
    store: ObjectStore, manifest: MediaManifest, *, moves: dict[str, int], delete_images: bool = False
) -> Correction:
    """Note that some of a day's pictures were taken at other times, for `finish`.

    `moves` has what is added to the event time of each, in ms, by the last part of its key. Raises
    `Misconfigured` if pictures cannot be distinguished from others.
    """
    return _note(
        store, manifest, why="retime", time_source="start_time", delete_images=delete_images, moves=moves
    )


def rename_source(
    store: ObjectStore,
    manifest: MediaManifest,
    *,
    source: str,
    source_name: str,
    delete_images: bool = False,
) -> Correction | None:
    """Note that a medium belongs to another source (slug and display name), for `finish`.

    Returns:
        The correction, or None if only the display name differs, which is changed at once.

    Raises:
        Misconfigured: Its pictures cannot be distinguished from others.
    """
    if source == manifest.source:
        change_manifest(
            store,
            manifest.sha256,
            lambda manifest: manifest and msgspec.structs.replace(manifest, source_name=source_name),
        )
        return None
    return _note(
        store,
        manifest,
        why="rename-source",
        source=source,
        source_name=source_name,
        delete_images=delete_images,
    )


def pending(store: ObjectStore) -> list[Correction]:
    """Return the unfinished corrections. Raises `Poison` if one cannot be read."""
    return list(read_records(store, keys.CORRECTIONS, Correction))


def finish(
    store: ObjectStore, log: FrameLog, settings: Settings, correction: Correction, progress: Progress
) -> Corrected:
    """Make a noted correction. If it is killed at any point, the same call finishes it.

    The note was put before. The effects have this order, and repeating a step changes nothing:

    1. Put the tombstone of the medium's revision: its frames no longer count. For a video, forget its
       forgotten ranges in the new revision as well.
    2. Put each picture under its new key if there is none, then announce it with the new revision.
    3. Put the manifests that now have the frames; delete a manifest that no longer has any.
    4. Delete the pictures under their old keys if asked to.
    5. Delete the note.
    """
    old = correction.manifest
    targets = _Targets(store, correction)
    put_tombstone(store, old, why=correction.why)
    if old.kind == "video":
        _forget_ranges_again(store, correction, targets)
    log.create_topic(settings.topic, settings.log_partitions)
    images = [name for text in correction.images if (name := keys.parse_image_name(text)) is not None]
    missing: list[str] = []
    batch: list[FrameAnnouncement] = []
    for number, name in enumerate(images):
        progress.update(number, len(images), old.name)
        announcement = _move(store, correction, targets, name)
        if announcement is None:
            missing.append(keys.image_key(old.source, *name))
            continue
        targets.note(announcement)
        batch.append(announcement)
        if len(batch) >= _ANNOUNCE_FRAMES:
            _announce(store, log, settings.topic, batch)
            batch = []
    _announce(store, log, settings.topic, batch)
    targets.write()
    if old.sha256 not in targets.identities:
        delete_manifest(store, old.sha256, revision=old.revision)
    if correction.delete_images:
        old_keys = {keys.image_key(old.source, *name) for name in images}
        for _ in delete_pictures(store, old_keys - targets.image_paths):
            pass
    store.delete(keys.correction_key(media_of(old)))
    progress.update(len(images), len(images), old.name)
    return Corrected(correction, len(images) - len(missing), missing)


class _Targets:
    """The manifests that get a correction's frames: the video's, or one per new day of pictures."""

    def __init__(self, store: ObjectStore, correction: Correction) -> None:
        self._store = store
        self._correction = correction
        self._revisions: dict[str, int] = {}
        self._announcements: dict[str, list[FrameAnnouncement]] = defaultdict(list)
        self.image_paths: set[str] = set()

    @property
    def identities(self) -> set[str]:
        """The media that now have frames; always includes a video, even if all its pictures are lost."""
        return {*self._announcements, *([self._correction.manifest.sha256] if self._is_video else [])}

    @property
    def _is_video(self) -> bool:
        return self._correction.manifest.kind == "video"

    def identity_at(self, captured_at_ms: int) -> str:
        if self._is_video:
            return self._correction.manifest.sha256
        return pictures_identity(self._correction.source, keys.utc_day(captured_at_ms))

    def media_at(self, captured_at_ms: int) -> str:
        """Return the medium's name in a frame with a new event time."""
        sha256 = self.identity_at(captured_at_ms)
        return keys.media_id(sha256, self.revision_of(sha256))

    def revision_of(self, sha256: str) -> int:
        if sha256 not in self._revisions:
            manifest = find_manifest(self._store, sha256)
            old = self._correction.manifest
            if sha256 == old.sha256 and (manifest is None or manifest.revision <= old.revision):
                self._revisions[sha256] = old.revision + 1
            else:
                self._revisions[sha256] = (
                    manifest.revision if manifest else next_revision(self._store, sha256)
                )
        return self._revisions[sha256]

    def note(self, announcement: FrameAnnouncement) -> None:
        self._announcements[self.identity_at(announcement.captured_at_ms)].append(announcement)
        self.image_paths.add(announcement.image_path)

    def write(self) -> None:
        for sha256 in sorted(self.identities):
            frames = self._announcements[sha256]
            if self._is_video:
                new_manifest = self._video(frames)
                change_manifest(self._store, sha256, lambda _, new_manifest=new_manifest: new_manifest)  # type: ignore[misc]
            else:
                change_manifest(self._store, sha256, partial(self._pictures, sha256, frames))

    def _video(self, frames: list[FrameAnnouncement]) -> MediaManifest:
        correction, old = self._correction, self._correction.manifest
        times = [frame.captured_at_ms for frame in frames]
        # Frames with lost pictures must be produced from the file again; forgotten ones need not.
        ranges = _has_forgotten_ranges(self._store, old)
        whole = ranges or len(frames) >= old.frames_announced
        return msgspec.structs.replace(
            old,
            source=correction.source,
            source_name=correction.source_name,
            time_source=correction.time_source,
            start_ms=None if old.start_ms is None else old.start_ms + correction.shift_ms,
            first_captured_at_ms=min(times, default=None),
            last_captured_at_ms=max(times, default=None),
            frames_expected=len(frames) if ranges else old.frames_expected,
            frames_put=len(frames),
            frames_announced=len(frames),
            state=old.state if whole else "producing",
            announced_frames=bitmap_of([frame.frame_index for frame in frames]),
            runs=joined_runs((time_ms, time_ms) for time_ms in times),
            revision=self.revision_of(old.sha256),
        )

    def _pictures(
        self, sha256: str, frames: list[FrameAnnouncement], manifest: MediaManifest | None
    ) -> MediaManifest:
        """Return the day's `manifest` with `frames` added, or a new one if it has an earlier revision."""
        correction, old = self._correction, self._correction.manifest
        revision = self.revision_of(sha256)
        if manifest is None or manifest.revision != revision:
            manifest = MediaManifest(
                sha256=sha256,
                name=old.name,
                source=correction.source,
                source_name=correction.source_name,
                kind="pictures",
                time_source=frames[0].time_source,
                sampling=old.sampling,
                frames_expected=0,
                frames_put=0,
                frames_announced=0,
                state="complete",
                revision=revision,
            )
        names = {frame.image_path.rpartition("/")[2].removesuffix("-0.jpg") for frame in frames}
        names.update(manifest.announced_pictures)
        times = [frame.captured_at_ms for frame in frames]
        times += [
            ms for ms in (manifest.first_captured_at_ms, manifest.last_captured_at_ms) if ms is not None
        ]
        return msgspec.structs.replace(
            manifest,
            time_source=reduce(weaker, (frame.time_source for frame in frames), manifest.time_source),
            sampling=old.sampling,
            first_captured_at_ms=min(times),
            last_captured_at_ms=max(times),
            frames_expected=len(names) + max(manifest.frames_expected - manifest.frames_announced, 0),
            frames_put=len(names),
            frames_announced=len(names),
            announced_pictures=sorted(names),
        )


def _note(store: ObjectStore, manifest: MediaManifest, **change: object) -> Correction:
    """Store a correction that changes these fields, and return it; the others stay as in the manifest."""
    manifest = store_manifest(store, manifest)
    names = [name.file_name for name in _counted_images(store, manifest)]
    same = {name: getattr(manifest, name) for name in ("source", "source_name", "time_source")}
    correction = Correction(manifest=manifest, images=names, **({"shift_ms": 0} | same | change))
    store.put(correction.key, encode(correction))
    return correction


def _counted_images(store: ObjectStore, manifest: MediaManifest) -> list[keys.ImageName]:
    """Return the names of a medium's announced pictures, of single pictures only of those that count."""
    images = announced_images(store, manifest)
    if manifest.kind == "pictures":
        forgotten = forgotten_by(list_tombstones(store))
        media = media_of(manifest)
        images = [name for name in images if not is_forgotten(media, name.captured_at_ms, forgotten)]
    return images


def _has_forgotten_ranges(store: ObjectStore, manifest: MediaManifest) -> bool:
    folder = f"{keys.TOMBSTONES}/{manifest.sha256}"
    return any(keys.forgotten_revision(info.key) is None for info in list_records(store, folder))


def _forget_ranges_again(store: ObjectStore, correction: Correction, targets: _Targets) -> None:
    old = correction.manifest
    stones = [stone for stone in list_tombstones(store) if stone.media == media_of(old)]
    revision = targets.revision_of(old.sha256)
    new_manifest = msgspec.structs.replace(old, source=correction.source, revision=revision)
    ranges = [(s.from_ms, s.to_ms) for s in stones if not (s.from_ms is None and s.to_ms is None)]
    for from_ms, to_ms in merged(ranges):
        put_tombstone(
            store,
            new_manifest,
            from_ms=None if from_ms is None else from_ms + correction.shift_ms,
            to_ms=None if to_ms is None else to_ms + correction.shift_ms,
            why=correction.why,
        )


def _move(
    store: ObjectStore, correction: Correction, targets: _Targets, name: keys.ImageName
) -> FrameAnnouncement | None:
    """Put one picture under its new key; return its announcement, or None if the store has lost it."""
    shift_ms, time_source = correction.shift_ms, correction.time_source
    if correction.moves is not msgspec.UNSET:
        shift_ms = correction.moves.get(name.file_name, 0)
        time_source = time_source if shift_ms else correction.manifest.time_source
    new_name = name._replace(captured_at_ms=name.captured_at_ms + shift_ms)
    key = keys.image_key(correction.source, *new_name)
    data = _read_whole(store, keys.image_key(correction.manifest.source, *name)) or _read_whole(store, key)
    if data is None:
        return None
    if not store.put(key, data, if_absent=True, durable=False):  # `_announce` syncs it
        if (stored := _read_whole(store, key)) is None:  # power loss took what an earlier call had put
            store.put(key, data, durable=False)
        data = stored or data
    media = targets.media_at(new_name.captured_at_ms)
    try:
        return announcement_of(data, new_name, media=media, source=correction.source, time_source=time_source)
    except Poison:
        return None


def _read_whole(store: ObjectStore, key: str) -> bytes | None:
    """Return a stored picture, or None if it is missing, or power loss has damaged it."""
    try:
        data = store.get(key)
    except ObjectMissing:
        return None
    return data if has_all_bytes(data) else None


def _announce(store: ObjectStore, log: FrameLog, topic: str, batch: list[FrameAnnouncement]) -> None:
    store.sync()
    log.publish(
        topic, [(keys.frame_log_key(frame.source, frame.captured_at_ms), encode(frame)) for frame in batch]
    )
