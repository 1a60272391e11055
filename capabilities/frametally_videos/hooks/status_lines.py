"""Lists uploaded videos' needs for `frametally status`, apart from hooks with slow imports."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.books.verdict import Need
from frametally.checkup.findings import StatusPart
from frametally.errors import FrametallyError
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import FINAL_STATES, VideoQuestion
from frametally_videos.catalogue_by_url import catalogue_of
from frametally_videos.jobs.waiting import waiting_lines

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

_MOST_MOVED = 20
_NOTHING = StatusPart([], {"failed_jobs": {}})


def needs(settings: Settings, store: ObjectStore) -> list[Need]:
    """Return failed jobs as work for a person, if there are any. Raises the errors of the database."""
    if next(iter(store.list(keys.VIDEOS)), None) is None:
        return []
    with catalogue_of(settings) as catalogue:
        failures = catalogue.failures().values()
    failed = sum(failure.jobs for failure in failures)
    since_ms = min((failure.since_ms for failure in failures), default=0)
    line = f"{plural(failed, 'job')} of videos failed, since {utc(since_ms)}; see the page /jobs"
    return [Need("job", failed, line, "/jobs")] if failed else []


def status(settings: Settings, store: ObjectStore) -> StatusPart:
    """List uploads that moved counts, the number of videos that are not ready yet, and jobs that wait.

    List nothing if the catalogue is not available.
    """
    if next(iter(store.list(keys.VIDEOS)), None) is None:
        return _NOTHING
    try:
        with catalogue_of(settings) as catalogue:
            rows = catalogue.videos(VideoQuestion(has_moved_counts=True, limit=_MOST_MOVED)).rows
            failures = catalogue.failures()
            unready = sum(number for state, number in catalogue.states().items() if state not in FINAL_STATES)
            final_now = _final_now(settings, store, catalogue) if unready else set()
            waits = [line for _, line in waiting_lines(catalogue)] if unready else []
    except FrametallyError:
        return _NOTHING
    moved_lines = [
        f"moved by an upload: {moved.in_words(settings.tzinfo())} "
        f"{'now' if row.state in FINAL_STATES or row.record.id in final_now else 'will soon'} count as "
        f"{row.record.source_name}"
        for row in rows
        if (moved := row.record.moved_from) is not None
    ]
    unready -= len(final_now)
    waiting = plural(unready, "uploaded video is", "uploaded videos are")
    unready_lines = [f"{waiting} not ready yet; see the page /jobs"] if unready > 0 else []
    failed_jobs = {kind: failure._asdict() for kind, failure in failures.items()}
    return StatusPart([*moved_lines, *unready_lines, *waits], {"failed_jobs": failed_jobs})


def _final_now(settings: Settings, store: ObjectStore, catalogue: VideoCatalogue) -> set[str]:
    """Return the IDs of videos that have reached a final state since a worker noted their states."""
    from frametally_videos.jobs.video_states import StateSettler

    with (
        closing(open_count_index(settings.index_url, settings.index_access)) as index,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        settler = StateSettler(
            settings=settings, store=store, index=index, ledger=ledger, catalogue=catalogue
        )
        return {
            row.record.id for row, _, settlement in settler.settlements() if settlement.state in FINAL_STATES
        }
