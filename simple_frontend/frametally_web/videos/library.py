"""Videos as the library's answers have them: made from the catalogue's rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode

from frametally.ports.video_catalogue import Job, VideoRow
from frametally.rules.times import EPOCH, MILLISECOND
from frametally_web.videos import answers

_MADE_BY = re.compile(r"-([0-9a-f]{8})\.")
_MINUTE_MS = 60_000
_REMEDIES = {
    "needs_time": "Say when it was filmed: change its start time.",
    "failed": "Have it tried again; if that fails as well, the line above says what to mend.",
}


def video_of(row: VideoRow, jobs: Sequence[Job] = ()) -> answers.LibraryVideo:
    """Return a video as it is answered; `jobs` are those that are shown."""
    record, facts, books = row.record, row.record.facts, row.books
    first_ms = facts.started_at_ms if row.first_captured_at_ms is None else row.first_captured_at_ms
    is_counted = row.state == "ready" and books.counted is not None
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
        started_at_ms=first_ms,
        ended_at_ms=row.last_captured_at_ms,
        time_source=facts.time_source,
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
        objects_counted=sum(books.labels.values()) if is_counted else None,
        roi=record.fields.roi,
        calibration=record.fields.calibration,
        revision=record.revision,
        links=_links_of(row),
        jobs=[job_of(job) for job in jobs],
    )


def job_of(job: Job) -> answers.VideoJob:
    """Return a job as it is answered: who holds it is no matter of who looks."""
    return answers.VideoJob(
        id=job.id,
        kind=job.kind,
        state=job.state,
        attempts=job.attempts,
        progress=job.progress,
        reason=job.reason,
        created_at_ms=job.created_at_ms,
        started_at_ms=job.started_at_ms,
        ended_at_ms=job.ended_at_ms,
    )


def _links_of(row: VideoRow) -> answers.VideoLinks:
    here = f"/api/v1/videos/{row.record.id}"
    pictures = {preview.kind: _version_in(preview.key) for preview in row.previews}

    def picture(kind: str, place: str) -> str | None:
        return f"{here}/{place}?v={pictures[kind]}" if kind in pictures else None

    chart = _chart_of(row)
    return answers.VideoLinks(
        original=f"{here}/original",
        playable=f"{here}/playable?v={row.record.sha256}" if row.record.facts.plays_in_browsers else None,
        poster=picture("poster", "poster"),
        sprite=picture("sprite", "sprite"),
        sprite_vtt=picture("sprite_vtt", "sprite.vtt"),
        detections=f"{here}/detections",
        chart=f"/?{urlencode(chart, safe=':')}" if chart else None,
        proof=f"/?{urlencode(chart | {'at': chart['from']}, safe=':')}" if chart else None,
    )


def _version_in(key: str) -> str:
    """Return what tells a picture from all that were made of the same video before."""
    found = _MADE_BY.search(key)
    return found[1] if found else ""


def _chart_of(row: VideoRow) -> dict[str, str]:
    """Return by what the dashboard shows the chart of a video's source and minutes; empty: it has none."""
    first_ms, last_ms = row.first_captured_at_ms, row.last_captured_at_ms
    if row.state != "ready" or first_ms is None or last_ms is None or not row.books.counted:
        return {}
    from_ms = first_ms // _MINUTE_MS * _MINUTE_MS
    to_ms = (last_ms // _MINUTE_MS + 1) * _MINUTE_MS
    return {"source": row.record.source, "from": _moment(from_ms), "to": _moment(to_ms)}


def _moment(time_ms: int) -> str:
    return (EPOCH + time_ms * MILLISECOND).replace(tzinfo=None).isoformat() + "Z"
