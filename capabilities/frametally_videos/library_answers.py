"""Builds answers about videos from the catalogue's rows."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from frametally import keys
from frametally.actions.answers import answer_of
from frametally.rules.times import EPOCH, MILLISECOND
from frametally_videos import answers
from frametally_videos.catalogue.catalogue_rows import Artifact, ArtifactKind, Job, VideoRow
from frametally_videos.job_answers import JobOfVideo, VideoDerivative
from frametally_videos.library.edits import is_guess
from frametally_videos.library.enhancements import enhancement_of
from frametally_videos.media_records import Derivative, Enhancement

_MINUTE_MS = 60_000
_REMEDIES = {
    "needs_time": "Set its start time.",
    "failed": "Try again; if it fails again, follow the line above.",
}


def video_of(row: VideoRow, timezone: str, jobs: Sequence[Job] = ()) -> answers.LibraryVideo:
    """Return the answer about a video, with its chart in a time zone and with `jobs`."""
    record, facts, books = row.record, row.record.facts, row.books
    first_ms = facts.started_at_ms if row.first_captured_at_ms is None else row.first_captured_at_ms
    is_blank = books.visible_frames == 0 and bool(books.counted)
    is_counted = row.state == "ready" and bool(books.counted) and not is_blank
    detections = sum(books.labels.values()) if is_counted else None
    return answer_of(
        answers.LibraryVideo,
        (row, record, facts, record.fields),
        file_id=record.id,
        remedy=_REMEDIES.get(row.state),
        owner=record.owner or None,
        calibrate_coordinates=record.fields.calibration,
        started_at_ms=first_ms,
        ended_at_ms=row.last_captured_at_ms,
        time_is_guess=facts.started_at_ms is not None and is_guess(facts),
        frames=answer_of(answers.FramesOfVideo, (books,)),
        labels=dict(books.labels),
        detections_counted=detections,
        links=_links_of(row, timezone),
        jobs=[job_of(job) for job in jobs],
    )


def job_of(job: Job) -> answers.VideoJob:
    """Return the answer about a job of a video."""
    return answer_of(answers.VideoJob, (job,), options=_options_of(job))


def job_of_video(job: Job, video_name: str) -> JobOfVideo:
    """Return the answer about a job for the list of all jobs."""
    return answer_of(JobOfVideo, (job,), options=_options_of(job), video_name=video_name)


def _options_of(job: Job) -> Enhancement | None:
    return enhancement_of(job.options) if job.kind == "enhance" else None


def derivative_of(derivative: Derivative) -> VideoDerivative:
    """Return the answer about a version of a video."""
    parameter = "recipe" if derivative.kind == "enhanced" else "v"
    url = f"/api/v1/videos/{derivative.video_id}/{derivative.kind}?{parameter}={derivative.recipe}"
    return answer_of(VideoDerivative, (derivative,), url=url)


def original_of(row: VideoRow) -> Artifact:
    """Return the uploaded video; types other than video and audio are sent as bytes."""
    content_type = row.record.facts.content_type
    media_type = content_type if content_type.startswith(("video/", "audio/")) else "application/octet-stream"
    return Artifact("playable", keys.original_key(row.record.id), media_type, row.record.size_bytes)


def playable_of(row: VideoRow) -> Artifact | None:
    """Return the version for browsers (the original or one made from it), or None if there is none yet."""
    version = row.artifact("playable")
    return original_of(row) if version is None and row.record.facts.plays_in_browsers else version


def _links_of(row: VideoRow, timezone: str) -> answers.VideoLinks:
    base = f"/api/v1/videos/{row.record.id}"
    kinds: tuple[ArtifactKind, ...] = ("poster", "sprite", "sprite_vtt", "metadata", "quality", "enhanced")
    artifacts = {kind: row.artifact(kind) for kind in kinds}

    def link(kind: ArtifactKind, place: str, parameter: str = "") -> str | None:
        artifact = artifacts[kind]
        return f"{base}/{place}{parameter and f'?{parameter}={artifact.recipe}'}" if artifact else None

    playable = playable_of(row)
    version = playable and (playable.recipe or row.record.sha256)
    chart = _chart_of(row, timezone)
    return answers.VideoLinks(
        original=f"{base}/original",
        playable=f"{base}/playable?v={version}" if playable else None,
        poster=link("poster", "poster", "v"),
        sprite=link("sprite", "sprite", "v"),
        sprite_vtt=link("sprite_vtt", "sprite.vtt", "v"),
        enhanced=link("enhanced", "enhanced", "recipe"),
        processed=f"/processed_videos/{row.record.id}" if playable or artifacts["enhanced"] else None,
        metadata=link("metadata", "metadata"),
        quality=link("quality", "quality"),
        derivatives=f"{base}/derivatives",
        detections=f"{base}/detections",
        chart=f"/?{urlencode(chart, safe=':/')}" if chart else None,
        proof=f"/?{urlencode(chart | {'at': chart['from']}, safe=':/')}" if chart else None,
    )


def _chart_of(row: VideoRow, timezone: str) -> dict[str, str]:
    """Return the dashboard's parameters for the chart of a video's source and time; empty without a chart."""
    first_ms, last_ms = row.first_captured_at_ms, row.last_captured_at_ms
    if row.state != "ready" or first_ms is None or last_ms is None or not row.books.counted:
        return {}
    from_ms = first_ms // _MINUTE_MS * _MINUTE_MS
    to_ms = (last_ms // _MINUTE_MS + 1) * _MINUTE_MS
    return {
        "source": row.record.source,
        "from": _moment(from_ms),
        "to": _moment(to_ms),
        "timezone": timezone,
    }


def _moment(time_ms: int) -> str:
    return (EPOCH + time_ms * MILLISECOND).replace(tzinfo=None).isoformat() + "Z"
