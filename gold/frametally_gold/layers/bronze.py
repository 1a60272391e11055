"""Bronze: a video as it came. Its envelope, its bytes, which are those that were accepted, and their form."""

from __future__ import annotations

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.retrying import Patience
from frametally.settings.loading import Settings
from frametally_videos.jobs.originals import find_record
from frametally_videos.records import VideoFacts, VideoRecord
from frametally_videos.upload_refusals import Refused
from frametally_videos.uploads.acceptance import sha256_of_object
from frametally_videos.uploads.inspection import inspect

_COPY_AGAIN = "restore it from a backup, or put the uploaded file back under this key"


def envelope(video_id: str, store: ObjectStore, patience: Patience) -> VideoRecord:
    """Return what came with a video, and what it was accepted as.

    Raises:
        Poison: There is no such video, or it is being removed; or its record is damaged.
    """
    record = find_record(store, video_id, patience)
    if record is None:
        raise Poison(f"there is no video {video_id}: `/api/v1/videos` lists those that there are")
    if record.state == "deleting":
        raise Poison(f"video {video_id} is being removed")
    return record


def size_bytes(envelope: VideoRecord, store: ObjectStore, patience: Patience) -> int:
    """Return how many bytes the original has.

    Raises:
        Poison: It is gone, or has not as many as were accepted.
    """
    key = keys.original_key(envelope.id)
    info = patience.until_done("the object store", lambda: store.head(key))
    if info is None:
        raise Poison(f"{key} is gone; {_COPY_AGAIN}")
    if info.size_bytes != envelope.size_bytes:
        raise Poison(
            f"{key} has {info.size_bytes} bytes, and {envelope.size_bytes} were accepted; {_COPY_AGAIN}"
        )
    return info.size_bytes


def sha256(envelope: VideoRecord, size_bytes: int, store: ObjectStore, patience: Patience) -> str:
    """Return the SHA-256 of the original's bytes, hex, by reading them all.

    Raises:
        Poison: They are others than were accepted, or gone.
    """
    key = keys.original_key(envelope.id)

    def read() -> str:
        try:
            return sha256_of_object(store, key, size_bytes)
        except ObjectMissing as error:
            raise Poison(f"{key} is gone; {_COPY_AGAIN}") from error

    found = patience.until_done("the object store", read)
    if found != envelope.sha256:
        raise Poison(f"{key} holds other bytes than were accepted; {_COPY_AGAIN}")
    return found


def form(envelope: VideoRecord, sha256: str, settings: Settings) -> VideoFacts:
    """Return what the bytes are: by the first of them a container that is known, and a video that opens.

    The look is a process of its own.

    Raises:
        Poison: They are no video, or none that can be used.
        Retryable: The store is away.
        Misconfigured: Videos cannot be read here.
    """
    del sha256  # what is looked into is what was accepted
    try:
        return inspect(settings, keys.original_key(envelope.id), envelope.fields, envelope.file_name)
    except Refused as refusal:
        raise Poison(f"{keys.original_key(envelope.id)}: {refusal.reason}") from refusal
