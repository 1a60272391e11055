"""What is answered about uploads: frozen records, JSON on the wire."""

from __future__ import annotations

import msgspec

from frametally_videos.catalogue.catalogue_rows import UploadRow
from frametally_videos.library.edits import is_guess
from frametally_videos.records import UploadRecord
from frametally_videos.upload_fields import calibration_remark
from frametally_videos.uploads.acceptance import NO_TIME, Accepted
from frametally_web.requests.answers import Answer


class UploadTold(Answer, frozen=True, kw_only=True):
    """`/api/uploads/{upload_id}`: the progress or the result of an upload.

    Attributes:
        id: Of the upload.
        state: `receiving`, `received` (all has arrived, and it becomes a video), `accepted`, `refused`,
            `aborted`.
        offset: How many bytes are there; all, once it has been received.
        length: Its length in bytes; None if unknown.
        video_id: The video that it became, or that has the same bytes; None before it is accepted.
        known: Whether another upload had brought these bytes before.
        status: HTTP status of a refusal; 0: it was not refused.
        reason: Why it was refused or aborted; of an accepted one, what it moved or which fields were ignored.
    """

    id: str
    state: str
    offset: int
    length: int | None
    video_id: str | None = None
    known: bool = False
    status: int = 0
    reason: str | None = None


class UploadedVideo(Answer, frozen=True, kw_only=True):
    """`POST /api/videos/upload`: what a form's file became.

    Attributes:
        id: Of the video; `file_id` is the same.
        status: `received`.
        name: What it is called.
        source: Slug of its source.
        state: `received`, or `needs_time` if its time is unknown.
        known: Whether its bytes were there already, as the video that is named.
        time_is_guess: Whether its time is only a guess, from the file's date or the upload.
        message: One or more sentences for people.
    """

    id: str
    file_id: str
    status: str
    name: str
    source: str
    state: str
    known: bool
    time_is_guess: bool
    message: str


class UploadedFile(Answer, frozen=True, kw_only=True):
    """`POST /upload`: what a form's file became.

    Attributes:
        file_id: Id of the video; `id` is the same.
        client_id: The uploading client, as sent; None if none was sent.
        status: `received`.
        message: One or more sentences for people.
        known: Whether its bytes were there already, as the video that is named.
    """

    file_id: str
    client_id: str | None
    status: str
    message: str
    id: str
    known: bool


def tell_ended(row: UploadRow) -> UploadTold:
    """Return how an upload ended."""
    return UploadTold(
        id=row.id,
        state=row.state,
        offset=(row.length_bytes or 0) if row.state == "accepted" else 0,
        length=row.length_bytes,
        video_id=row.video_id if row.state == "accepted" else None,
        known=row.known,
        status=row.status,
        reason=row.reason,
    )


def tell_under_way(upload: UploadRecord, offset: int, *, is_whole: bool) -> UploadTold:
    """Return the progress of an upload."""
    return UploadTold(
        id=upload.id,
        state="received" if is_whole else "receiving",
        offset=offset,
        length=upload.length_bytes,
    )


def tell_video(accepted: Accepted) -> UploadedVideo:
    """Return what a form's file became."""
    video = accepted.video
    return UploadedVideo(
        id=video.id,
        file_id=video.id,
        status="received",
        name=video.name,
        source=video.source,
        state="needs_time" if video.facts.started_at_ms is None else "received",
        known=accepted.known,
        time_is_guess=video.facts.started_at_ms is not None and is_guess(video.facts),
        message=_message(accepted),
    )


def tell_file(accepted: Accepted, client_id: str | None) -> UploadedFile:
    """Return what a form's file became, as the simpler route has it."""
    return UploadedFile(
        file_id=accepted.video.id,
        client_id=client_id,
        status="received",
        message=_message(accepted),
        id=accepted.video.id,
        known=accepted.known,
    )


def as_json(answer: Answer) -> bytes:
    """Return an answer as it is sent."""
    return msgspec.json.encode(answer)


def _message(accepted: Accepted) -> str:
    video = accepted.video
    if accepted.known:
        return f"This video has already been uploaded. {accepted.remark}".strip()
    sentences = ["It was received."]
    if accepted.remark:
        sentences.append(accepted.remark)
    if video.facts.started_at_ms is None:
        sentences.append(f"{NO_TIME} Set it, and it is counted.")
    elif is_guess(video.facts):
        sentences.append(
            "Nothing in it says when it was filmed. Its time is a guess, from the file's date or the upload; "
            f"correct it on its page, or by PATCH /api/v1/videos/{video.id} with start_time."
        )
    if video.fields.calibration is not None and (remark := calibration_remark(video.fields.calibration)):
        sentences.append(f"Its calibration has {remark}.")
    sentences += [f"{damage}." for damage in video.facts.damage]
    return " ".join(sentences)
