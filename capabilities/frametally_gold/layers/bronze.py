"""Bronze: a video as uploaded: its envelope, its accepted bytes, and their form."""

from __future__ import annotations

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.retrying import Patience
from frametally.settings.loading import Settings
from frametally_videos.jobs.originals import find_record
from frametally_videos.library.video_looks import inspect
from frametally_videos.records import VideoFacts, VideoRecord
from frametally_videos.upload_refusals import Refused
from frametally_videos.uploads.acceptance import sha256_of_object

_COPY_AGAIN = "restore it from a backup, or put the uploaded file back under this key"


def envelope(video_id: str, store: ObjectStore, patience: Patience) -> VideoRecord:
    """Return the envelope of a video, as recorded when it was accepted.

    Raises:
        Poison: The video does not exist or is being removed, or its record is damaged.
    """
    record = find_record(store, video_id, patience)
    if record is None:
        raise Poison(f"video {video_id} does not exist: `/api/v1/videos` lists all videos")
    if record.state == "deleting":
        raise Poison(f"video {video_id} is being deleted")
    return record


def size_bytes(envelope: VideoRecord, store: ObjectStore, patience: Patience) -> int:
    """Return the number of bytes of the original.

    Raises:
        Poison: It is missing, or its size has changed.
    """
    key = keys.original_key(envelope.id)
    info = patience.until_done("the object store", lambda: store.head(key))
    if info is None:
        raise Poison(f"{key} is missing; {_COPY_AGAIN}")
    if info.size_bytes != envelope.size_bytes:
        raise Poison(
            f"{key} has {info.size_bytes} bytes, but {envelope.size_bytes} were accepted; {_COPY_AGAIN}"
        )
    return info.size_bytes


def sha256(envelope: VideoRecord, size_bytes: int, store: ObjectStore, patience: Patience) -> str:
    """Return the SHA-256 of the original's bytes, hex, by reading them all.

    Raises:
        Poison: The bytes have changed or are missing.
    """
    key = keys.original_key(envelope.id)

    def read() -> str:
        try:
            return sha256_of_object(store, key, size_bytes)
        except ObjectMissing as error:
            raise Poison(f"{key} is missing; {_COPY_AGAIN}") from error

    digest = patience.until_done("the object store", read)
    if digest != envelope.sha256:
        raise Poison(f"{key} does not contain the bytes that were accepted; {_COPY_AGAIN}")
    return digest


def form(envelope: VideoRecord, sha256: str, settings: Settings) -> VideoFacts:
    """Return the container of the bytes, recognised by the first of them; the video must open.

    A separate process opens the video.

    Raises:
        Poison: The bytes are not a video, or not a usable one.
        Retryable: The store is not available.
        Misconfigured: This machine cannot read videos.
    """
    del sha256  # only needed to run this function after `sha256`
    try:
        return inspect(settings, keys.original_key(envelope.id), envelope.fields, envelope.file_name)
    except Refused as refusal:
        raise Poison(f"{keys.original_key(envelope.id)}: {refusal.reason}") from refusal
