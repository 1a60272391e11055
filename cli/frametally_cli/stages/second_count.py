"""The work of `frametally models count`: counts footage with another model too, and compares."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from frametally.books.compare import Comparison, compare_models
from frametally.books.runs import current_runs
from frametally.console import output as console
from frametally.console.stop_signals import stop_on, stopped
from frametally.errors import Misconfigured
from frametally.media.lookup import media_of_source
from frametally.media.manifests import footage_of, list_manifests
from frametally.openers.port_openers import open_ports
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import Ports
from frametally.process.exit_codes import worst
from frametally.process.reports import NoProgress, Progress, exit_code
from frametally.rules.times import DAY_MS
from frametally.segments.redetect import redetect
from frametally.settings.loading import Settings
from frametally_hadoop.count_round import count_once
from frametally_hadoop.planning.plan import DaySelection
from frametally_search.indexer import index_runs

if TYPE_CHECKING:
    from frametally_consumer.detectors.protocol import Detector

LAST_DAYS = 7
_EVERY_S = 1.0


class JsonLines:
    """Writes progress and result as JSON, one object per line; implements `reports.Progress`."""

    def __init__(self, output: TextIO) -> None:
        """Write to `output`."""
        self._output, self._next_s = output, 0.0

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Write the number of finished frames, at most once a second."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _EVERY_S
            self._write({"done": done, "total": total})

    def say(self, line: str) -> None:
        """Show a line on standard error."""
        console.err().print(console.plain(line), markup=False)

    def result(self, comparison: Comparison) -> None:
        """Write both models and their counts by label."""
        labels = [
            {"label": label, "now": total.a, "other": total.b} for label, total in comparison.by_label.items()
        ]
        self._write({"model": comparison.model_a, "other": comparison.model_b, "labels": labels})

    def _write(self, line: dict[str, object]) -> None:
        print(json.dumps(line), file=self._output, flush=True)


def count_again(
    settings: Settings,
    detector: Detector,
    present: str,
    source: str | None,
    asked_ms: tuple[int | None, int | None],
    progress: Progress | None,
    publish: Callable[[Ports], int],
) -> tuple[int, Comparison | None]:
    """Detect and count the footage of `asked_ms` with `detector`; return the exit code and both counts.

    The counts are None if it was stopped.

    Frames that this model has already analysed are left out, so the same call resumes a stopped one.

    Args:
        settings: The settings of the other model.
        detector: The other model.
        present: ID of the model to compare with.
        source: The only source to count; None for all.
        asked_ms: Range of event times; `(None, None)` for the last 7 days with footage.
        progress: Shows the progress of detection; None for a bar.
        publish: Publishes counts in the index; returns an exit code.

    Raises:
        Misconfigured: There is no footage, or the present model has not counted it.
        Retryable: A port is unavailable.
    """
    from frametally_consumer.worker.loop import consume

    with open_ports(settings) as ports, stop_on(signal.SIGTERM, signal.SIGINT) as should_stop:
        from_ms, to_ms = (
            last_days(ports.store, detector.model_id, source) if asked_ms == (None, None) else asked_ms
        )
        if not any(run.model == present for run in current_runs(ports.store)):
            raise Misconfigured(
                f"{present}, the model in use, has not counted anything yet: run `frametally consume "
                "--until-caught-up`, then `frametally aggregate`"
            )
        with console.stage_bar("frames") as bar:
            announced = redetect(
                settings=settings,
                store=ports.store,
                log=ports.log,
                model=detector.model_id,
                progress=bar,
                source=source,
                from_ms=from_ms,
                to_ms=to_ms,
            )
        if not (announced.announced or announced.known or announced.skipped):
            raise Misconfigured("no footage between --from and --to; nothing was counted")
        with console.stage_bar("detections") as bar:
            report = consume(
                settings=settings.model_copy(update={"topic": announced.topic}),
                store=ports.store,
                log=ports.log,
                detector=detector,
                progress=progress or bar,
                until_caught_up=True,
                should_stop=should_stop,
            )
        if should_stop():
            return stopped(), None
        skipped = announced.skipped + report.dead_letters + report.stopped + report.lost
        console.print_skipped(skipped)
        selection = DaySelection(from_ms, to_ms, False)
        shown_before = ports.index.series()
        codes = [exit_code(done_count=1, skipped=skipped), count_once(ports, selection), publish(ports)]
        if shown_before and ports.index.series()[0].model != shown_before[0].model:
            _publish_last(ports, shown_before[0].model)
        comparison = compare_models(
            ports.store,
            present,
            detector.model_id,
            source=source and media_of_source(ports.store, source)[0].source,
            from_ms=from_ms,
            to_ms=to_ms,
        )
    return worst(*codes), comparison


def _publish_last(ports: Ports, model: str) -> None:
    """Republish the newest day of `model`: by default, pages show the model that was published last."""
    newest = max((run for run in ports.index.current_runs() if run.model == model), key=lambda run: run.day)
    ports.index.remove(newest)
    index_runs(store=ports.store, index=ports.index, progress=NoProgress())


def last_days(store: ObjectStore, model: str, source: str | None = None) -> tuple[int, int]:
    """Return the range of event times (ms) of the last 7 days of footage.

    Raises:
        Misconfigured: There is none.
    """
    manifests = footage_of(list_manifests(store) if source is None else media_of_source(store, source), model)
    times_ms = [
        manifest.last_captured_at_ms for manifest in manifests if manifest.last_captured_at_ms is not None
    ]
    if not times_ms:
        raise Misconfigured("there is no footage to count yet: run `frametally produce` first")
    return max(times_ms) + 1 - LAST_DAYS * DAY_MS, max(times_ms) + 1
