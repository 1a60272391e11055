"""Says which jobs of videos have to wait, until when, and why."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from frametally.rules.times import utc
from frametally_videos.catalogue.catalogue_rows import JobKind

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

_MOST_LINES = 20


def waiting_lines(
    catalogue: VideoCatalogue, kinds: Collection[JobKind] = (), *, own_prefix: str = ""
) -> list[tuple[str, str]]:
    """Return the ID of each waiting job, by default of all kinds, with a line; at most the first 20 due.

    Of running jobs, it returns those of workers whose names do not begin with `own_prefix`; none if that is
    empty.
    """
    lines = []
    for job, due_at_ms in catalogue.waiting_jobs(kinds, limit=_MOST_LINES):
        row = catalogue.video(job.video_id)
        subject = f"{row.record.name if row else job.video_id}: {job.kind}"
        if job.state == "queued":
            reason = job.reason or "it is not due"
            lines.append((job.id, f"{subject}: waits until {utc(due_at_ms)}: {reason}"))
        elif own_prefix and not job.worker.startswith(own_prefix):
            lines.append((job.id, f"{subject}: worker {job.worker} has this job"))
    return lines
