"""Manifests, tombstones, corrections, settled dead letters, the detector, and records of plug-ins."""

from __future__ import annotations

from collections.abc import Iterator

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import list_records
from frametally.media_records import Derivative, VideoMetadata, VideoQuality
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectMissing
from frametally.process.reports import Progress
from frametally.records import AutoDetector, MediaManifest, SealedRecord, decode_at
from frametally.undo_records import Correction, DroppedDeadLetter, Tombstone
from frametally_cli.checkup.findings import Finding
from frametally_cli.options.ports import Ports
from frametally_videos.records import UploadRecord, VideoContent, VideoRecord

_FOLDERS: dict[str, type[SealedRecord]] = {
    keys.MEDIA: MediaManifest,
    keys.TOMBSTONES: Tombstone,
    keys.CORRECTIONS: Correction,
    keys.DROPPED: DroppedDeadLetter,
    keys.VIDEOS: VideoRecord,
    keys.UPLOADS: UploadRecord,
}
_OF_PLUGINS = [folder for folders in hooks("records") for folder in folders]
_OF_A_VIDEO: dict[str, type[SealedRecord]] = {
    "video": VideoRecord,
    "metadata": VideoMetadata,
    "quality": VideoQuality,
    "playable": Derivative,
    "enhanced": Derivative,
}
"""By the first word of the file's name."""


def check_records(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read every small record."""
    wanted = [
        (info.key, _of_a_video(info.key) if folder == keys.VIDEOS else record_type)
        for folder, record_type in [*_FOLDERS.items(), *_OF_PLUGINS]
        for info in list_records(ports.store, folder)
    ]
    wanted.append((keys.AUTO_DETECTOR, AutoDetector))
    read = 0
    for done, (key, record_type) in enumerate(wanted):
        progress.update(done, len(wanted), key)
        try:
            decode_at(key, ports.store.get(key), record_type)
        except ObjectMissing:
            continue  # removed since it was listed, or never there
        except Poison as error:
            yield Finding("records", key, "damaged", remedy=str(error))
        read += 1
    progress.update(len(wanted), len(wanted))
    others = [*(folder for folder, _ in _OF_PLUGINS), keys.VIDEOS, keys.UPLOADS]
    yield Finding(
        "records",
        ", ".join(["manifests, tombstones, corrections, settled dead letters", *others]),
        f"{read} read",
    )


def _of_a_video(key: str) -> type[SealedRecord]:
    """Return which record lies under a key that `keys.is_record_key` knows, in the folder of videos."""
    if keys.is_video_content_key(key):
        return VideoContent
    name = key.rpartition("/")[2].removesuffix(".json")
    return _OF_A_VIDEO[name.partition("-")[0]]
