"""Checks uploaded videos for `frametally doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from frametally import keys
from frametally.checkup.areas import area_rows, is_needed
from frametally.checkup.findings import Finding, RecordFolder
from frametally.errors import Misconfigured, Poison
from frametally.media.manifests import list_records
from frametally.ports.object_store import ObjectMissing
from frametally.ports.opened import Ports
from frametally.process.no_network import check_without_network
from frametally.process.reports import Progress, plural
from frametally.records import SealedRecord, decode_at
from frametally.settings.loading import Settings
from frametally_videos.catalogue_by_url import catalogue_of, queue_of
from frametally_videos.media_records import Derivative, VideoMetadata, VideoQuality
from frametally_videos.records import UploadRecord, VideoContent, VideoRecord
from frametally_videos.settings import VideoSettings
from frametally_videos.uploads.acceptance import sha256_of_object

_REMEDY = (
    "restore it from a backup, or put the uploaded file back under this key; keep the video until then: "
    "its counts stay as they are"
)
_OF_A_VIDEO: dict[str, type[SealedRecord]] = {
    "video": VideoRecord,
    "metadata": VideoMetadata,
    "quality": VideoQuality,
    "playable": Derivative,
    "enhanced": Derivative,
}
"""Types of records by the first word of the file's name."""


def check_parts(settings: Settings, stage: str) -> Iterator[Finding]:
    """Open the catalogue, and the queue if it is a broker; try what isolates a job."""
    yield from area_rows(settings, stage, "catalogue", settings.catalogue_url, _check_catalogue)
    if queue_url := settings.part(VideoSettings).queue_url:
        yield from area_rows(settings, stage, "queue", queue_url, _check_queue)
    if is_needed("catalogue", stage):
        yield _isolation_row(settings)


def _isolation_row(settings: Settings) -> Finding:
    try:
        check_without_network()
    except Misconfigured as error:
        if settings.job_network:
            return Finding("jobs", "isolation", "with the network", "allowed by FRAMETALLY_JOB_NETWORK")
        return Finding("jobs", "isolation", "not possible", remedy=str(error))
    return Finding("jobs", "isolation", "without a network", "for jobs that decode videos")


def _check_catalogue(settings: Settings, address: str) -> Iterator[Finding]:
    with catalogue_of(settings) as catalogue:
        states = catalogue.states()
    states_text = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in sorted(states.items()))
    waiting_count = sum(states.get(state, 0) for state in ("received", "producing", "deleting"))
    note = (
        "`frametally serve`, `frametally up` or `frametally work` runs the waiting jobs"
        if waiting_count
        else ""
    )
    total = sum(states.values())
    yield Finding(
        "catalogue", address, f"{plural(total, 'video')}: {states_text}" if states else "no videos", note
    )


def _check_queue(settings: Settings, address: str) -> Iterator[Finding]:
    with catalogue_of(settings) as catalogue, closing(queue_of(settings, catalogue)) as queue:
        queue.prepare()
        states = catalogue.job_states()
    states_text = ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none yet"
    yield Finding("queue", address, f"connected, and its queues exist; jobs: {states_text}")


def check_originals(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read every original, except missing ones, which `FRAMETALLY_STORE_VIDEO_DAYS` removed."""
    record_keys = [
        info.key for info in list_records(ports.store, keys.VIDEOS) if keys.parse_video_key(info.key)
    ]
    read = 0
    for number, key in enumerate(record_keys):
        progress.update(number, len(record_keys), key)
        try:
            video = decode_at(key, ports.store.get(key), VideoRecord)
            original = ports.store.head(keys.original_key(video.id))
            if original is None:
                continue
            sha256 = sha256_of_object(ports.store, original.key, original.size_bytes)
        except (ObjectMissing, Poison):
            continue  # another check reports damaged records
        read += 1
        if sha256 != video.sha256:
            yield Finding("originals", original.key, "damaged", remedy=_REMEDY)
    progress.update(len(record_keys), len(record_keys))
    yield Finding("originals", "all", f"{read} read")


def _of_a_video(key: str) -> type[SealedRecord]:
    """Return the type of record at a key in the folder of videos for which `keys.is_record_key` is true."""
    if keys.is_video_content_key(key):
        return VideoContent
    name = key.rpartition("/")[2].removesuffix(".json")
    return _OF_A_VIDEO[name.partition("-")[0]]


RECORDS = (
    RecordFolder(keys.VIDEOS, "videos", _of_a_video),
    RecordFolder(keys.UPLOADS, "uploads", lambda _: UploadRecord),
)
