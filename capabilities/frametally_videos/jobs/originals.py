"""Finds a video's record and opens its original, for jobs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.files.value_ranges import parse_value_range
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.retrying import Patience
from frametally.records import decode_at, encode
from frametally.settings.loading import Settings
from frametally_producer.reading.video_file import Video, open_video
from frametally_videos.library.stored_file import StoredFile
from frametally_videos.records import VideoRecord
from frametally_videos.upload_refusals import sentence
from frametally_videos.uploads.acceptance import read_video


def find_record(store: ObjectStore, video_id: str, patience: Patience) -> VideoRecord | None:
    """Return a video's record, or None if it does not exist.

    Raises:
        Poison: The record is damaged.
        GivenUp: The store is not available, and the command was stopped.
    """
    return patience.until_done("the object store", lambda: read_video(store, video_id))


@contextmanager
def open_original(
    store: ObjectStore, record: VideoRecord, patience: Patience, settings: Settings
) -> Iterator[Video]:
    """Open a video's original within the settings' limits; wait while the store is not available.

    Raises:
        Poison: The original is missing, or is not a video that can be opened.
        GivenUp: The store is not available, and the command was stopped, even if FFmpeg raised another error.
    """
    key = keys.original_key(record.id)

    def retry(read: Callable[[], int]) -> int:
        return patience.until_done("the object store", read)

    try:
        file = patience.until_done("the object store", lambda: StoredFile(store, key, retry=retry))
    except ObjectMissing as error:
        raise Poison(
            f"its original is missing ({key}); restore it from a backup, or put the uploaded file back there"
        ) from error
    try:
        value_range = parse_value_range(settings.value_range)
        max_pixels = settings.max_image_megapixels * 1_000_000
        with open_video(io.BufferedReader(file), max_pixels=max_pixels, value_range=value_range) as video:
            yield video
    except Exception as error:
        if file.failure is not None and file.failure is not error:
            raise file.failure from error
        raise
    if file.failure is not None:  # FFmpeg mistook it for the end of the file
        raise file.failure


def note_damage(store: ObjectStore, video_id: str, damage: list[str]) -> None:
    """Add problems of the file that its frames showed to a video's record. Raises `Retryable`."""
    key = keys.video_key(video_id)

    def add(data: bytes | None) -> bytes | None:
        if data is None:
            return None
        record = decode_at(key, data, VideoRecord)
        old_damage = record.facts.damage
        new = [text for damage_text in damage if (text := sentence(damage_text)) not in old_damage]
        if not new:
            return data
        facts = msgspec.structs.replace(record.facts, damage=[*old_damage, *new])
        return encode(msgspec.structs.replace(record, facts=facts))

    store.change(key, add)
