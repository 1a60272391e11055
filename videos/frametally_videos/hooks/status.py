"""What `frametally status` says of uploaded videos."""

from __future__ import annotations

from contextlib import closing

from frametally import keys
from frametally.errors import FrametallyError
from frametally.ports.object_store import ObjectStore
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally_cli.console.status_part import StatusPart
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.video_catalogue import FINAL_STATES, VideoQuestion
from frametally_videos.uploads.content_claims import moved_words

_MOST_MOVED = 20
_NOTHING = StatusPart([], {"failed_jobs": {}})


def status(settings: Settings, store: ObjectStore) -> StatusPart:
    """Say which uploads moved counts, and which jobs failed; nothing while the catalogue is away."""
    if next(iter(store.list(keys.VIDEOS)), None) is None:
        return _NOTHING
    try:
        with closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue:
            rows = catalogue.videos(VideoQuestion(has_moved_counts=True, limit=_MOST_MOVED)).rows
            failures = catalogue.failures()
    except FrametallyError:
        return _NOTHING
    moved_lines = [
        f"moved by an upload: {moved_words(moved, settings)} "
        f"{'now' if row.state in FINAL_STATES else 'will soon'} count as {row.record.source_name}"
        for row in rows
        if (moved := row.record.moved_from) is not None
    ]
    failed_lines = [
        f"failed jobs, {kind}: {of.jobs}, since {utc(of.since_ms)}; the page /jobs says why and tries again"
        for kind, of in failures.items()
    ]
    return StatusPart(
        [*moved_lines, *failed_lines],
        {"failed_jobs": {kind: of._asdict() for kind, of in failures.items()}},
    )
