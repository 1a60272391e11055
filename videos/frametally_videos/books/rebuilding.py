"""The catalogue of videos, made anew from the store: rows, what was made, and the jobs that are missing."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import NamedTuple

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import decode_at
from frametally_videos.library.usual_jobs import missing_jobs
from frametally_videos.ports.video_catalogue import Artifact, ArtifactKind, VideoCatalogue
from frametally_videos.records import VideoRecord

_ARTIFACT = re.compile(
    r"(?P<kind>poster|sprite|metadata|quality|playable|enhanced)(?P<recipe>-[0-9a-f]{8})?\.(?P<ending>jpg|vtt|json|mp4)"
)
_TYPES: dict[str, tuple[ArtifactKind, str]] = {
    "poster.jpg": ("poster", "image/jpeg"),
    "sprite.jpg": ("sprite", "image/jpeg"),
    "sprite.vtt": ("sprite_vtt", "text/vtt"),
    "metadata.json": ("metadata", "application/json"),
    "quality.json": ("quality", "application/json"),
    "playable.mp4": ("playable", "video/mp4"),
    "enhanced.mp4": ("enhanced", "video/mp4"),
}


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
    records, artifacts = _listed(store)
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
        _take_in(catalogue, record, info.version, artifacts.get(video_id, []))
    gone = before.keys() - records.keys()
    for video_id in gone:
        # It may have been put after the listing.
        if store.head(keys.video_key(video_id)) is None:
            catalogue.remove_video(video_id)
    progress.update(len(records), len(records), "videos")
    return Rebuilt(len(records) - len(skipped), len(gone), skipped)


def _take_in(catalogue: VideoCatalogue, record: VideoRecord, version: str, artifacts: list[Artifact]) -> None:
    catalogue.put_video(record, version)
    catalogue.set_artifacts(record.id, artifacts)
    if record.state == "deleting":
        catalogue.queue(record.id, "removal")
        return
    catalogue.set_video(record.id, state="received")
    for kind in missing_jobs(record, {artifact.kind for artifact in artifacts}):
        catalogue.queue(record.id, kind)


def _listed(store: ObjectStore) -> tuple[dict[str, ObjectInfo], dict[str, list[Artifact]]]:
    """Return where the record of each video lies, and what was made from each, by id."""
    records: dict[str, ObjectInfo] = {}
    found: dict[str, list[tuple[int, Artifact]]] = defaultdict(list)
    for info in store.list(keys.VIDEOS):
        video_id = keys.parse_video_key(info.key)
        if video_id is not None:
            records[video_id] = info
            continue
        _, video_id, name = info.key.split("/", 2)
        match = _ARTIFACT.fullmatch(name)
        kind_and_type = _TYPES.get(f"{match['kind']}.{match['ending']}") if match else None
        if kind_and_type is not None:
            artifact = Artifact(kind_and_type[0], info.key, kind_and_type[1], info.size_bytes)
            found[video_id].append((info.modified_at_ms, artifact))
    return records, {video_id: _newest(artifacts) for video_id, artifacts in found.items()}


def _newest(artifacts: list[tuple[int, Artifact]]) -> list[Artifact]:
    """Return the newest of each kind, and all enhanced ones: of an earlier recipe there may be others."""
    by_kind: dict[str, Artifact] = {}
    for _, artifact in sorted(artifacts):
        by_kind[artifact.key if artifact.kind == "enhanced" else artifact.kind] = artifact
    return list(by_kind.values())
