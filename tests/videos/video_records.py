"""Records of uploaded videos, and bytes that a fake look accepts as videos."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import msgspec

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import VideoQuestion
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.library.video_looks import inspect
from frametally_videos.records import UploadRecord, VideoFacts, VideoFields, VideoRecord
from frametally_videos.upload_refusals import Refused
from frametally_videos.uploads.acceptance import Acceptance, read_video
from frametally_videos.uploads.receiving import UploadPorts, begin_upload, resume_write

UPLOADED_AT_MS = 1_767_225_600_000


def make_facts(**values: Any) -> VideoFacts:
    """A minute of H.264 with its recording time."""
    usual: dict[str, Any] = {
        "container": "mp4",
        "content_type": "video/mp4",
        "codec": "h264",
        "width_px": 640,
        "height_px": 360,
        "fps": 25.0,
        "duration_s": 60.0,
        "frames": 1500,
        "has_sound": False,
        "plays_in_browsers": True,
        "started_at_ms": UPLOADED_AT_MS - 3_600_000,
        "time_source": "container",
    }
    return VideoFacts(**{**usual, **values})


def make_video(number: int = 1, *, facts: VideoFacts | None = None, **values: Any) -> VideoRecord:
    """The video with a number: its own bytes and name, a minute later than the previous number."""
    usual: dict[str, Any] = {
        "id": str(uuid.UUID(int=number, version=4)),
        "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
        "size_bytes": 1000 + number,
        "name": f"Gate {number}",
        "file_name": f"gate-{number}.mp4",
        "source_name": "Gate",
        "fields": VideoFields(),
        "facts": facts or make_facts(),
        "uploaded_at_ms": UPLOADED_AT_MS + 60_000 * number,
    }
    usual |= values
    usual.setdefault("source", keys.slug(usual["source_name"]))
    return VideoRecord(**usual)


def corrected(record: VideoRecord, **values: Any) -> VideoRecord:
    """A record after one more correction."""
    return msgspec.structs.replace(record, revision=record.revision + 1, **values)


SIGN = b"FAKEVIDEO"
"""The first bytes of a video in these tests."""

NO_TIME = SIGN + b" without a time"
NO_PICTURES = SIGN + b" without pictures"


def fake_video(number: int = 1, size_bytes: int = 1000) -> bytes:
    """Return bytes that are accepted as a video; they differ by number."""
    start = SIGN + b"-%d-" % number
    return start + bytes([number % 256]) * (size_bytes - len(start))


def open_parts(folder: Path) -> UploadPorts:
    """Open a store of files and a catalogue in a folder, with a look that accepts the results of
    `fake_video`."""
    settings = Settings(data_dir=folder).resolved()
    store = open_object_store(settings.store_url)
    catalogue = open_video_catalogue(settings.catalogue_url)

    def look(_: Settings, key: str, fields: VideoFields, file_name: str) -> VideoFacts:
        return fake_look(store, key, fields, file_name)

    return UploadPorts(settings, store, catalogue, look)


def fake_look(store: ObjectStore, key: str, fields: VideoFields, file_name: str) -> VideoFacts:
    """Return the facts of a fake video, or refuse anything else."""
    del fields, file_name
    start = store.get_range(key, 0, 100)
    if not start.startswith(SIGN):
        raise Refused(415, f"It does not begin like a video ({start[:4].hex(' ')}).", "Choose a video file.")
    if start.startswith(NO_PICTURES):
        raise Refused(422, "It has no moving pictures.", "Give a video that has some.")
    return make_facts(started_at_ms=None, time_source=None) if start.startswith(NO_TIME) else make_facts()


def send(
    ports: UploadPorts,
    data: bytes,
    *,
    file_name: str = "gate.mp4",
    fields: VideoFields = VideoFields(),  # noqa: B008 - frozen
    sha256: str | None = None,
) -> UploadRecord:
    """Upload everything, until it is received but not a video yet."""
    upload = begin_upload(
        ports, kind="resumable", length_bytes=len(data), file_name=file_name, fields=fields, sha256=sha256
    )
    write = resume_write(ports.store, upload)
    write.append(data, at_byte=0)
    write.flush()
    return upload


def all_keys(store: ObjectStore) -> list[str]:
    """Return every object's key."""
    return [info.key for info in store.list("")]


def keys_of_video(store: ObjectStore, video_id: str) -> list[str]:
    """Return the keys that exist once a video does, and no others."""
    video = read_video(store, video_id)
    assert hashlib.sha256(store.get(keys.original_key(video_id))).hexdigest() == video.sha256
    return sorted([keys.original_key(video_id), video.key, keys.video_content_key(video.sha256)])


def rows_and_jobs(catalogue: VideoCatalogue) -> list[tuple[object, ...]]:
    """Return the catalogue's rows of videos, without ids, versions and wall-clock times."""
    rows = catalogue.videos(VideoQuestion(order="name", limit=1000)).rows
    return [
        (
            row.record.sha256,
            row.record.name,
            row.record.source,
            row.record.source_name,
            row.record.fields,
            row.record.facts,
            row.state,
            row.reason,
            [(job.kind, job.state, job.attempts) for job in catalogue.jobs(row.record.id)],
        )
        for row in rows
    ]


def upload_file(
    path: Path, settings: Settings, store: ObjectStore, catalogue: VideoCatalogue, **fields: Any
) -> VideoRecord:
    """Upload a real video with these fields; return its record after a real look."""
    ports = UploadPorts(settings, store, catalogue, inspect)
    upload = send(ports, path.read_bytes(), file_name=path.name, fields=VideoFields(**fields))
    return Acceptance(ports).accept(upload).video
