"""Videos as the library's answers have them: made from the catalogue's rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from frametally import keys
from frametally.rules.times import EPOCH, MILLISECOND
from frametally_videos import answers
from frametally_videos.job_answers import JobOfVideo, VideoDerivative
from frametally_videos.library.edits import is_guess
from frametally_videos.library.enhancements import enhancement_of
from frametally_videos.media_records import Derivative
from frametally_videos.ports.job_book import Job
from frametally_videos.ports.video_catalogue import Artifact, ArtifactKind, VideoRow

_MINUTE_MS = 60_000
_REMEDIES = {
    "needs_time": "Say when it was filmed: change its start time.",
    "failed": "Have it tried again; if that fails as well, the line above says what to mend.",
}


def video_of(row: VideoRow, timezone: str, jobs: Sequence[Job] = ()) -> answers.LibraryVideo:
    """Return a video as it is answered, with its chart in a time zone; `jobs` are those that are shown."""
    record, facts, books = row.record, row.record.facts, row.books
    first_ms = facts.started_at_ms if row.first_captured_at_ms is None else row.first_captured_at_ms
    is_counted = row.state == "ready" and books.counted is not None
    detections = sum(books.labels.values()) if is_counted else None
    return answers.LibraryVideo(
        id=record.id,
        file_id=record.id,
        name=record.name,
        file_name=record.file_name,
        source=record.source,
        source_name=record.source_name,
        state=row.state,
        reason=row.reason,
        remedy=_REMEDIES.get(row.state),
        progress=row.progress,
        uploaded_at_ms=record.uploaded_at_ms,
        owner=record.owner or None,
        started_at_ms=first_ms,
        ended_at_ms=row.last_captured_at_ms,
        time_source=facts.time_source,
        time_is_guess=facts.started_at_ms is not None and is_guess(facts),
        moved_from=record.moved_from,
        duration_s=facts.duration_s,
        width_px=facts.width_px,
        height_px=facts.height_px,
        fps=facts.fps,
        size_bytes=record.size_bytes,
        sha256=record.sha256,
        container=facts.container,
        codec=facts.codec,
        content_type=facts.content_type,
        has_sound=facts.has_sound,
        plays_in_browsers=facts.plays_in_browsers,
        why_not=facts.why_not,
        damage=facts.damage,
        frames=answers.FramesOfVideo(
            expected=books.expected,
            announced=books.announced,
            detected=books.detected,
            dead_lettered=books.dead_lettered,
            counted=books.counted,
        ),
        labels=dict(books.labels),
        detections_counted=detections,
        objects_counted=detections,
        roi=record.fields.roi,
        calibration=record.fields.calibration,
        revision=record.revision,
        links=_links_of(row, timezone),
        jobs=[job_of(job) for job in jobs],
    )


def job_of(job: Job) -> answers.VideoJob:
    """Return a job of a video as it is answered."""
    return answers.VideoJob(**_told_of(job))


def job_of_video(job: Job, video_name: str) -> JobOfVideo:
    """Return a job as it is answered among those of all videos."""
    return JobOfVideo(**_told_of(job), video_id=job.video_id, video_name=video_name, worker=job.worker)


def _told_of(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "options": enhancement_of(job.options) if job.kind == "enhance" else None,
        "attempts": job.attempts,
        "progress": job.progress,
        "reason": job.reason,
        "created_at_ms": job.created_at_ms,
        "started_at_ms": job.started_at_ms,
        "ended_at_ms": job.ended_at_ms,
    }


def derivative_of(one: Derivative) -> VideoDerivative:
    """Return what was made of a video as it is answered."""
    told = msgspec.structs.asdict(one)
    asked = "recipe" if one.kind == "enhanced" else "v"
    return VideoDerivative(
        **{name: told[name] for name in VideoDerivative.__struct_fields__ if name in told},
        url=f"/api/v1/videos/{one.video_id}/{one.kind}?{asked}={one.recipe}",
    )


def original_of(row: VideoRow) -> Artifact:
    """Return the video as it came; what calls itself neither picture nor sound is told to be bytes."""
    said = row.record.facts.content_type
    media_type = said if said.startswith(("video/", "audio/")) else "application/octet-stream"
    return Artifact("playable", keys.original_key(row.record.id), media_type, row.record.size_bytes)


def playable_of(row: VideoRow) -> Artifact | None:
    """Return what browsers play of a video: the original, or what was made of it; None: nothing yet."""
    return original_of(row) if row.record.facts.plays_in_browsers else row.artifact("playable")


def _links_of(row: VideoRow, timezone: str) -> answers.VideoLinks:
    here = f"/api/v1/videos/{row.record.id}"
    kinds: tuple[ArtifactKind, ...] = ("poster", "sprite", "sprite_vtt", "metadata", "quality", "enhanced")
    made = {kind: row.artifact(kind) for kind in kinds}

    def link(kind: ArtifactKind, place: str, asked: str = "") -> str | None:
        one = made[kind]
        return f"{here}/{place}{asked and f'?{asked}={one.recipe}'}" if one else None

    playable = playable_of(row)
    version = playable and (playable.recipe or row.record.sha256)
    chart = _chart_of(row, timezone)
    return answers.VideoLinks(
        original=f"{here}/original",
        playable=f"{here}/playable?v={version}" if playable else None,
        poster=link("poster", "poster", "v"),
        sprite=link("sprite", "sprite", "v"),
        sprite_vtt=link("sprite_vtt", "sprite.vtt", "v"),
        enhanced=link("enhanced", "enhanced", "recipe"),
        processed=f"/processed_videos/{row.record.id}" if playable or made["enhanced"] else None,
        metadata=link("metadata", "metadata"),
        quality=link("quality", "quality"),
        derivatives=f"{here}/derivatives",
        detections=f"{here}/detections",
        chart=f"/?{urlencode(chart, safe=':/')}" if chart else None,
        proof=f"/?{urlencode(chart | {'at': chart['from']}, safe=':/')}" if chart else None,
    )


def _chart_of(row: VideoRow, timezone: str) -> dict[str, str]:
    """Return by what the dashboard shows the chart of a video's source and minutes; empty: it has none."""
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
