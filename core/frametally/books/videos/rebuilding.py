"""The catalogue of videos, made anew from the store: rows and previews; of jobs what is still to be done."""

from __future__ import annotations

import re
from typing import NamedTuple

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.ports.video_catalogue import Preview, VideoCatalogue
from frametally.process.reports import Progress, Skipped
from frametally.records import decode_at
from frametally.video_records import VideoRecord

_PREVIEW = re.compile(r"(poster|sprite)-[0-9a-f]{8}\.(jpg|vtt)")
_TYPES = {"jpg": "image/jpeg", "vtt": "text/vtt"}


class Rebuilt(NamedTuple):
    """What a rebuilding found: videos in the store, rows of others that are removed, and what is damaged."""

    videos: int
    removed: int
    skipped: list[Skipped]


def rebuild_catalogue(store: ObjectStore, catalogue: VideoCatalogue, progress: Progress) -> Rebuilt:
    """Make the catalogue's rows what the store says, and queue what is missing; again changes nothing.

    Every video counts as received afterwards: `StateSettler` finds out how far it has come, and has its
    frames made where there are none. How uploads ended, and which jobs were done, is not in the store.

    Raises:
        Retryable: The store or the catalogue is away.
    """
    before = catalogue.versions()
    records, previews = _listed(store)
    skipped = []
    for done, (video_id, info) in enumerate(records.items()):
        progress.update(done, len(records), "videos")
        try:
            record = decode_at(info.key, store.get(info.key), VideoRecord)
        except ObjectMissing:
            continue
        except Poison as error:
            skipped.append(Skipped(info.key, str(error)))
            continue
        _take_in(catalogue, record, info.version, previews.get(video_id, []))
    gone = before.keys() - records.keys()
    for video_id in gone:
        # It may have been put after the listing.
        if store.head(keys.video_key(video_id)) is None:
            catalogue.remove_video(video_id)
    progress.update(len(records), len(records), "videos")
    return Rebuilt(len(records) - len(skipped), len(gone), skipped)


def _take_in(catalogue: VideoCatalogue, record: VideoRecord, version: str, previews: list[Preview]) -> None:
    catalogue.put_video(record, version)
    catalogue.set_previews(record.id, previews)
    if record.state == "deleting":
        catalogue.queue(record.id, "removal")
        return
    catalogue.set_video(record.id, state="received")
    # Of a video that states no length a poster is all.
    if len(previews) < (3 if record.facts.duration_s else 1):
        catalogue.queue(record.id, "previews")


def _listed(store: ObjectStore) -> tuple[dict[str, ObjectInfo], dict[str, list[Preview]]]:
    """Return where the record of each video lies, and the pictures of each, by id."""
    records: dict[str, ObjectInfo] = {}
    newest: dict[str, dict[str, tuple[int, Preview]]] = {}
    for info in store.list(keys.VIDEOS):
        video_id = keys.parse_video_key(info.key)
        if video_id is not None:
            records[video_id] = info
            continue
        _, _, rest = info.key.partition("/")
        video_id, _, name = rest.partition("/")
        match = _PREVIEW.fullmatch(name)
        if match is None:
            continue
        preview = _preview_of(info, *match.groups())
        of_video = newest.setdefault(video_id, {})
        # Of an earlier recipe there may be others.
        if preview.kind not in of_video or of_video[preview.kind][0] <= info.modified_at_ms:
            of_video[preview.kind] = (info.modified_at_ms, preview)
    previews = {
        video_id: [preview for _, (_, preview) in sorted(found.items())] for video_id, found in newest.items()
    }
    return records, previews


def _preview_of(info: ObjectInfo, what: str, kind: str) -> Preview:
    if kind == "vtt":
        return Preview("sprite_vtt", info.key, _TYPES[kind], info.size_bytes)
    return Preview("poster" if what == "poster" else "sprite", info.key, _TYPES[kind], info.size_bytes)
