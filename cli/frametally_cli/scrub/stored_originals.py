"""Originals of videos: every byte of each, by the hash that its record has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import list_records
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress
from frametally.records import decode_at
from frametally_cli.checkup.findings import Finding
from frametally_cli.options.ports import Ports
from frametally_videos.records import VideoRecord

_READ_BYTES = 8 * 2**20
_REMEDY = (
    "restore it from a backup, or put the uploaded file back under this key; keep it until then, its counts "
    "stay as they are"
)


def check_originals(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read every original. One that is not there was removed, as `FRAMETALLY_STORE_VIDEO_DAYS` says."""
    wanted = [info.key for info in list_records(ports.store, keys.VIDEOS) if keys.parse_video_key(info.key)]
    read = 0
    for done, key in enumerate(wanted):
        progress.update(done, len(wanted), key)
        try:
            video = decode_at(key, ports.store.get(key), VideoRecord)
            sha256 = _hash(ports.store, keys.original_key(video.id))
        except (ObjectMissing, Poison):
            continue  # a damaged record has a row of its own
        read += 1
        if sha256 != video.sha256:
            yield Finding("originals", keys.original_key(video.id), "damaged", remedy=_REMEDY)
    progress.update(len(wanted), len(wanted))
    yield Finding("originals", "all", f"{read} read")


def _hash(store: ObjectStore, key: str) -> str:
    digest, at_byte = hashlib.sha256(), 0
    while data := store.get_range(key, at_byte, at_byte + _READ_BYTES):
        digest.update(data)
        at_byte += len(data)
    return digest.hexdigest()
