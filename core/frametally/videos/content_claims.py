"""Of uploads of the same bytes exactly one makes the video: whose note of them is first."""

from __future__ import annotations

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import decode_at, encode
from frametally.video_records import UploadRecord, VideoContent


def holder_of(store: ObjectStore, sha256: str) -> str | None:
    """Return the id of the video that has these bytes, or is about to; None if there is none."""
    key = keys.video_content_key(sha256)
    try:
        note = decode_at(key, store.get(key), VideoContent)
    except (ObjectMissing, Poison):
        return None
    return note.video_id if _leads_to_a_video(store, note) else None


def claim(store: ObjectStore, sha256: str, upload: UploadRecord) -> str:
    """Note these bytes as those of an upload's video, unless they are another's.

    Returns:
        The id of the video whose they are: the upload's own, or another that is there or about to be.

    Raises:
        Retryable: The store is away, or others change the note again and again.
    """
    mine = VideoContent(sha256=sha256, video_id=upload.video_id, upload_id=upload.id)
    if store.put(mine.key, encode(mine), if_absent=True):
        return mine.video_id

    def take_over(before: bytes | None) -> bytes:
        try:
            there = decode_at(mine.key, before, VideoContent) if before is not None else None
        except Poison:  # a damaged one says nothing
            there = None
        keeps = there is not None and (there.video_id == mine.video_id or _leads_to_a_video(store, there))
        return before if keeps and before is not None else encode(mine)

    after = store.change(mine.key, take_over)
    return mine.video_id if after is None else decode_at(mine.key, after, VideoContent).video_id


def give_up_claim(store: ObjectStore, sha256: str, video_id: str) -> None:
    """Remove the note of these bytes, if it is this video's."""

    def without_mine(before: bytes | None) -> bytes | None:
        try:
            mine = before is not None and decode_at(key, before, VideoContent).video_id == video_id
        except Poison:
            mine = True
        return None if mine else before

    key = keys.video_content_key(sha256)
    store.change(key, without_mine)


def _leads_to_a_video(store: ObjectStore, note: VideoContent) -> bool:
    # In this order: an upload's record is removed when its video's is there, and not before.
    return any(
        store.head(key) is not None
        for key in (keys.upload_key(note.upload_id), keys.video_key(note.video_id))
    )
