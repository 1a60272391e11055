"""What `frametally doctor` looks at of uploaded videos: catalogue, queue, and the store's records of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import list_records
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress
from frametally.records import SealedRecord, decode_at
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import Finding
from frametally_cli.checkup.ports import area_rows
from frametally_cli.options.ports import Ports
from frametally_cli.scrub.small_records import RecordFolder
from frametally_videos.media_records import Derivative, VideoMetadata, VideoQuality
from frametally_videos.opening import open_task_queue, open_video_catalogue
from frametally_videos.records import UploadRecord, VideoContent, VideoRecord
from frametally_videos.settings import VideoSettings

_READ_BYTES = 8 * 2**20
_REMEDY = (
    "restore it from a backup, or put the uploaded file back under this key; keep it until then, its counts "
    "stay as they are"
)
_OF_A_VIDEO: dict[str, type[SealedRecord]] = {
    "video": VideoRecord,
    "metadata": VideoMetadata,
    "quality": VideoQuality,
    "playable": Derivative,
    "enhanced": Derivative,
}
"""By the first word of the file's name."""


def checks(settings: Settings, stage: str) -> Iterator[Finding]:
    """Open the catalogue, and the queue where it is a broker's."""
    yield from area_rows(settings, stage, "catalogue", settings.catalogue_url, _check_catalogue)
    if queue_url := settings.part(VideoSettings).queue_url:
        yield from area_rows(settings, stage, "queue", queue_url, _check_queue)


def _check_catalogue(settings: Settings, address: str) -> Iterator[Finding]:
    with closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue:
        states = catalogue.states()
    each = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in sorted(states.items()))
    waiting = sum(states.get(state, 0) for state in ("received", "producing", "deleting"))
    note = "`frametally serve`, `up` or `work` works on those that wait" if waiting else ""
    total = sum(states.values())
    yield Finding("catalogue", address, f"{total} videos: {each}" if states else "no videos", note)


def _check_queue(settings: Settings, address: str) -> Iterator[Finding]:
    of_videos = settings.part(VideoSettings)
    with (
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
        closing(open_task_queue(of_videos.queue_url, catalogue, of_videos.queue_access)) as queue,
    ):
        queue.prepare()
        states = catalogue.job_states()
    each = ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none yet"
    yield Finding("queue", address, f"lets us in, and has its queues; jobs: {each}")


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


def _of_a_video(key: str) -> type[SealedRecord]:
    """Return which record lies under a key that `keys.is_record_key` knows, in the folder of videos."""
    if keys.is_video_content_key(key):
        return VideoContent
    name = key.rpartition("/")[2].removesuffix(".json")
    return _OF_A_VIDEO[name.partition("-")[0]]


DEEP_CHECKS = {"originals": check_originals}
RECORDS = (
    RecordFolder(keys.VIDEOS, "videos", _of_a_video),
    RecordFolder(keys.UPLOADS, "uploads", lambda _: UploadRecord),
)
