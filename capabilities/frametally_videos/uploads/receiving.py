"""Begins, finds, keeps and removes uploads that are under way.

An upload exists while its record does (`uploads/<id>.json`). In addition, its row in the catalogue counts it
among the current uploads, until a few minutes after the last byte, and later has its result.
All functions raise `Retryable` while the store or the catalogue is not available.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from frametally import keys
from frametally.media.manifests import find_record
from frametally.ports.object_store import ObjectStore, ResumableWrite
from frametally.process import failpoints
from frametally.records import decode, encode
from frametally.rules.times import HOUR_S
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import UploadRow
from frametally_videos.records import UploadKind, UploadRecord, VideoFacts, VideoFields
from frametally_videos.upload_refusals import WOULD_MOVE_COUNTS, Refused

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

Look = Callable[[Settings, str, VideoFields, str], VideoFacts]
"""Inspects the original under a key, given its fields and its file's name; raises `Refused`."""

End = Literal["accepted", "refused", "aborted"]

OPEN_MS = 120_000
"""How long after its last sign of life an upload counts as a current one."""

_KEEP_MS = 48 * HOUR_S * 1000
"""How long an idle upload and the result of an ended one are kept."""

_FORM_MS = HOUR_S * 1000
"""Shorter, since an interrupted form is sent again from the start, so its bytes are useless."""


def wall_clock_ms() -> int:
    """Return the time by this machine's clock, ms since 1970."""
    return time.time_ns() // 1_000_000


class UploadPorts(NamedTuple):
    """The ports of uploads; their opener closes them."""

    settings: Settings
    store: ObjectStore
    catalogue: VideoCatalogue
    look: Look
    now_ms: Callable[[], int] = wall_clock_ms


def begin_upload(
    ports: UploadPorts,
    *,
    kind: UploadKind,
    length_bytes: int | None,
    file_name: str,
    fields: VideoFields,
    sha256: str | None = None,
    owner: str = "",
) -> UploadRecord:
    """Begin an upload without any bytes yet; `owner` is the uploading account.

    Raises:
        Misconfigured: This user may not write there.
    """
    now_ms = ports.now_ms()
    upload = UploadRecord(
        id=str(uuid.uuid4()),
        video_id=str(uuid.uuid4()),
        kind=kind,
        length_bytes=length_bytes,
        file_name=file_name,
        fields=fields,
        sha256=sha256,
        created_at_ms=now_ms,
        expires_at_ms=now_ms + (_KEEP_MS if kind == "resumable" else _FORM_MS),
        owner=owner,
    )
    # Note it first, so that a concurrent count never misses this upload.
    note_open(ports, upload)
    ports.store.put(upload.key, encode(upload), if_absent=True)
    failpoints.passing("upload.created")
    return upload


def find_upload(store: ObjectStore, upload_id: str) -> UploadRecord | None:
    """Return an upload that is under way, or None. Raises `Poison` if its record is damaged."""
    if not keys.is_video_id(upload_id):
        return None
    return find_record(store, keys.upload_key(upload_id), UploadRecord)


def resume_write(store: ObjectStore, upload: UploadRecord) -> ResumableWrite:
    """Resume the write of an upload's bytes."""
    return store.resumable(keys.original_key(upload.video_id), keys.upload_part_key(upload.id))


def keep_upload(
    ports: UploadPorts,
    upload: UploadRecord,
    *,
    length_bytes: int | None = None,
    fields: VideoFields | None = None,
) -> UploadRecord:
    """Postpone an upload's expiry if half of the time is over, and record its current state.

    Returns:
        The current record; `upload` if the record was removed in the meantime.
    """
    whole_ms = _KEEP_MS if upload.kind == "resumable" else _FORM_MS
    now_ms = ports.now_ms()
    record = msgspec.structs.replace(
        upload,
        length_bytes=upload.length_bytes if length_bytes is None else length_bytes,
        fields=upload.fields if fields is None else fields,
        expires_at_ms=max(upload.expires_at_ms, now_ms + whole_ms)
        if upload.expires_at_ms - now_ms < whole_ms / 2
        else upload.expires_at_ms,
    )
    if record == upload:
        return upload
    after = ports.store.change(upload.key, lambda data: data and encode(record))
    return upload if after is None else decode(after, UploadRecord)


def note_open(ports: UploadPorts, upload: UploadRecord) -> None:
    """Note that an upload is receiving bytes now."""
    _note(ports, upload, OPEN_MS, state="receiving", video_id=upload.video_id)


def note_end(
    ports: UploadPorts,
    upload: UploadRecord,
    state: Literal["received", "accepted", "refused", "aborted"],
    *,
    video_id: str | None = None,
    reason: str | None = None,
    refusal: Refused | None = None,
) -> None:
    """Note an upload's state for clients that missed the answer.

    `video_id` is the video with its bytes, if it is not the upload's own.
    """
    video_id = video_id or upload.video_id
    is_known = video_id != upload.video_id
    _note(
        ports,
        upload,
        _KEEP_MS,
        state=state,
        video_id=video_id,
        known=is_known,
        status=refusal.status if refusal else 0,
        reason=refusal.reason if refusal else reason,
        remedy=refusal.remedy if refusal else None,
    )


def refusal_in(row: UploadRow) -> Refused:
    """Return the refusal that a row notes."""
    return Refused(row.status, row.reason or "", row.remedy or "")


def _note(ports: UploadPorts, upload: UploadRecord, keep_ms: int, **values: Any) -> None:
    ports.catalogue.put_upload(
        UploadRow(
            id=upload.id,
            length_bytes=upload.length_bytes,
            client_id=upload.fields.client_id or "",
            expires_at_ms=ports.now_ms() + keep_ms,
            **values,
        )
    )


def can_be_confirmed(upload: UploadRecord, row: UploadRow) -> bool:
    """Return whether a refused upload's bytes are kept until it expires, since a client may confirm it."""
    return row.state == "refused" and row.status == WOULD_MOVE_COUNTS and upload.kind == "resumable"


def confirm_move(ports: UploadPorts, upload: UploadRecord) -> UploadRecord:
    """Note that an upload may move counts; return its current record. Raises `Retryable`."""
    return keep_upload(ports, upload, fields=msgspec.structs.replace(upload.fields, move_counts=True))


def abort_upload(ports: UploadPorts, upload: UploadRecord, reason: str) -> None:
    """Remove an upload that did not become a video, and note why. Raises `Retryable`."""
    note_end(ports, upload, "aborted", reason=reason)
    remove_upload(ports.store, upload, original=True)


def remove_upload(store: ObjectStore, upload: UploadRecord, *, original: bool) -> None:
    """Remove an upload from the store; with `original`, also the original of its video."""
    resume_write(store, upload).abort()
    if original:
        store.delete(keys.original_key(upload.video_id))
    # Last, since the record leads to leftovers.
    store.delete(upload.key)
