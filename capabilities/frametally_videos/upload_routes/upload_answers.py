"""Builds answers about uploads from their records and rows."""

from __future__ import annotations

from frametally.actions.answers import answer_of
from frametally_videos.answers import AcceptedFile, AcceptedVideo, UploadProgress
from frametally_videos.catalogue.catalogue_rows import UploadRow
from frametally_videos.library.edits import is_guess
from frametally_videos.records import UploadRecord
from frametally_videos.uploads.acceptance import NO_TIME, Accepted
from frametally_videos.uploads.receiving import refusal_in
from frametally_web.translations.texts import problem_text


def tell_ended(row: UploadRow, language: str) -> UploadProgress:
    """Return the answer about an upload that ended, in a language."""
    refusal = refusal_in(row) if row.state == "refused" else None
    return answer_of(
        UploadProgress,
        (row,),
        offset=(row.length_bytes or 0) if row.state == "accepted" else 0,
        length=row.length_bytes,
        video_id=row.video_id if row.state == "accepted" else None,
        reason=problem_text(refusal.reason, language) if refusal else row.reason,
        remedy=problem_text(refusal.remedy, language) if refusal else None,
    )


def tell_under_way(upload: UploadRecord, offset: int, *, is_whole: bool) -> UploadProgress:
    """Return the answer about an upload that is under way."""
    return UploadProgress(
        id=upload.id,
        state="received" if is_whole else "receiving",
        offset=offset,
        length=upload.length_bytes,
        video_id=None,
        known=False,
        status=0,
        reason=None,
        remedy=None,
    )


def tell_video(accepted: Accepted) -> AcceptedVideo:
    """Return the answer about a form's accepted file."""
    video = accepted.video
    return answer_of(
        AcceptedVideo,
        (video, accepted),
        file_id=video.id,
        status="received",
        state="needs_time" if video.facts.started_at_ms is None else "received",
        time_is_guess=video.facts.started_at_ms is not None and is_guess(video.facts),
        message=_message(accepted),
    )


def tell_file(accepted: Accepted, client_id: str | None) -> AcceptedFile:
    """Return the answer about a form's accepted file for the simpler route."""
    return AcceptedFile(
        file_id=accepted.video.id,
        client_id=client_id,
        status="received",
        message=_message(accepted),
        id=accepted.video.id,
        known=accepted.known,
    )


def _message(accepted: Accepted) -> str:
    video = accepted.video
    if accepted.known:
        return f"This video has already been uploaded. {accepted.remark}".strip()
    sentences = ["The video was uploaded."]
    if accepted.remark:
        sentences.append(accepted.remark)
    if video.facts.started_at_ms is None:
        sentences.append(f"{NO_TIME} Set it, and frametally counts the video.")
    elif is_guess(video.facts):
        sentences.append(
            "Neither the file nor its name says when it was filmed. Its time is a guess, from the file's "
            f"date or the upload; correct it on its page, or with PATCH /api/v1/videos/{video.id} and "
            "start_time."
        )
    sentences += [*(f"{damage}." for damage in video.facts.damage), *video.facts.remarks]
    return " ".join(sentences)
