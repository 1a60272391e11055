"""Finds what is wrong with uploaded videos, apart from hooks with slow imports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.checkup.findings import DeepLook, Finding, Glance, Look, TrialLook
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


def findings(look: Look) -> Iterator[Finding]:
    """Yield failed jobs, news, parts that do not work, and damaged originals. Raises as the database does."""
    match look:
        case Glance(settings, store) if next(iter(store.list(keys.VIDEOS)), None) is not None:
            with catalogue_of(settings) as catalogue:
                yield from _failed_jobs(catalogue)
                if look.has_time:
                    with suppress(FrametallyError):  # the index or the ledger is away, which others report
                        yield from _news(settings, store, catalogue)
        case TrialLook(settings, stage):
            from frametally_videos.hooks.checks import check_parts

            yield from check_parts(settings, stage)
        case DeepLook(ports, progress):
            from frametally_videos.hooks.checks import check_originals

            yield from check_originals(ports, progress)


def _failed_jobs(catalogue: VideoCatalogue) -> Iterator[Finding]:
    failures = catalogue.failures().values()
    if failed := sum(failure.jobs for failure in failures):
        since_ms = min(failure.since_ms for failure in failures)
        value = f"{plural(failed, 'job')} of videos failed, since {utc(since_ms)}"
        yield Finding("job", "", value, "", "", "/jobs", failed, "need", "Show the jobs")


def _news(settings: Settings, store: ObjectStore, catalogue: VideoCatalogue) -> Iterator[Finding]:
    """Yield uploads that moved counts, the number of videos that are not ready yet, and jobs that wait."""
    rows = catalogue.videos(VideoQuestion(has_moved_counts=True, limit=_MOST_MOVED)).rows
    unready = sum(number for state, number in catalogue.states().items() if state not in FINAL_STATES)
    final_now = _final_now(settings, store, catalogue) if unready else set()
    waits = [line for _, line in waiting_lines(catalogue)] if unready else []
    lines = [
        f"moved by an upload: {moved.in_words(settings.tzinfo())} "
        f"{'now' if row.state in FINAL_STATES or row.record.id in final_now else 'will soon'} count as "
        f"{row.record.source_name}"
        for row in rows
        if (moved := row.record.moved_from) is not None
    ]
    if (unready := unready - len(final_now)) > 0:
        waiting = plural(unready, "uploaded video is", "uploaded videos are")
        lines.append(f"{waiting} not ready yet; see the page /jobs")
    yield from (Finding("videos", "", line, severity="notice") for line in (*lines, *waits))


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
