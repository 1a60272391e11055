"""One round of counting, and what it prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import click

from frametally.books.index_lag import of_earlier_rules, of_earlier_version, places_counted
from frametally.books.runs import current_days, read_run
from frametally.console import output as console
from frametally.errors import Poison
from frametally.files.temporary import remove_abandoned
from frametally.files.work_lock import work_lock
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StorePorts
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import plural
from frametally.records import Run
from frametally.rules.known import basis_of, objects_of
from frametally_hadoop.driver import aggregate
from frametally_hadoop.planning.plan import ALL_DAYS, DaySelection


def count_once(
    ports: StorePorts, selection: DaySelection = ALL_DAYS, *, wait: bool = True, upgraded: bool = True
) -> int:
    """Aggregate once, after any other aggregation on this machine; return the exit code.

    Unless `upgraded` is False, names the days that an earlier version counted, and later the changed totals.

    Raises `Retryable` if `wait` is False and another is running; otherwise as `driver.aggregate` does.
    """
    with (
        console.stage_bar("counts") as bar,
        work_lock(ports.settings.data_dir, "aggregate", wait=wait, on_wait=bar.say),
    ):
        remove_abandoned(ports.settings.data_dir)
        before = _to_count_again(ports, selection) if upgraded else []
        for finding in of_earlier_rules(before):
            bar.say(finding.line)
        report = aggregate(settings=ports.settings, store=ports.store, progress=bar, selection=selection)
    for line in changed_totals(ports.store, before, report.runs):
        click.echo(console.plain(line))
    skipped = report.all_skipped
    console.print_skipped(skipped)
    for line in report.warnings + [line for step in report.steps for line in step.warnings]:
        click.echo(f"warning: {console.plain(line)}", err=True)
    console.say_round(
        f"counts: {plural(len(report.runs), 'day')} counted, {report.days_up_to_date} up to date, "
        f"{report.frames} frames, {plural(report.duplicates_dropped, 'duplicate')} dropped"
        + (f"; {plural(len(report.part_runs), 'day')} within zones" if report.part_runs else "")
        + ("" if report.runs or report.skipped else f"; no new footage in {ports.settings.store_url}"),
        is_news=bool(report.runs or report.part_runs or report.skipped),
    )
    if report.hours_kept:
        console.say_round(
            f"hours of sources: {report.hours_kept} kept from the runs before, "
            f"{report.hours_counted} counted from {plural(report.segments_read, 'segment')}",
            is_news=True,
        )
    for step in report.steps:
        if step.runs or step.days_up_to_date:
            console.say_round(
                f"{step.name}: {plural(len(step.runs), 'day')} counted, {step.days_up_to_date} up to date",
                is_news=bool(step.runs),
            )
    for name, runs in report.failed_checks.items():
        click.echo(f"quality: {name!r} failed for {runs} of these days; see `frametally quality`")
    # Setting aside or refusing everything is also a valid result.
    return PART_DONE if skipped else 0


def _to_count_again(ports: StorePorts, selection: DaySelection) -> list[Run]:
    """Return the runs of an earlier version that a count would replace."""
    return [
        run
        for run in of_earlier_version(current_runs(ports.store))
        if run.interval_s == ports.settings.interval_s and selection.has(run.day)
    ]


def current_runs(store: ObjectStore) -> list[Run]:
    """Return the current run of every day whose pointer can be read, zones and lines included."""
    return [day.run for day in current_days(store).values() if day.run is not None]


def changed_totals(store: ObjectStore, before: Sequence[Run], runs: Sequence[Run]) -> Iterator[str]:
    """Yield a line for each number of a day that differs from an earlier version's."""
    older = {(run.model, run.interval_s, run.day): run for run in before}
    for run in runs:
        earlier = older.get((run.model, run.interval_s, run.day))
        if earlier is None or earlier.run_id == run.run_id:
            continue
        day = f"{run.day}, {run.interval_s} s, with this version"
        try:
            old, new = _totals(store, earlier), _totals(store, run)
        except Poison as error:
            yield f"{day}; its earlier counts cannot be read: {error}"
            continue
        for place in sorted({name for name, _ in old | new}):
            words = [
                f"{old[key]} -> {new[key]} {key[1]}"
                for key in dict.fromkeys([*old, *new])
                if key[0] == place and old[key] != new[key]
            ]
            if words:
                yield f"{day}: {place}: {', '.join(words)}"


def _totals(store: ObjectStore, run: Run) -> Counter[tuple[str, str]]:
    """Return the numbers of a run by what they are of (a source, place or label of one) and in words."""
    places = places_counted(run)
    if places is not None:
        return Counter(dict(places.totals(store, run)))
    totals: Counter[tuple[str, str]] = Counter()
    counts, coverage = read_run(store, run)
    for filmed in coverage:
        totals[filmed.source, "frames that show something"] += filmed.frames
    for count in counts:
        objects = objects_of(basis_of(count))
        counted = f"{count.source}, {count.label}"
        totals[counted, "detections"] += count.detections
        totals[counted, "objects"] += (objects.at_least if objects.value is None else objects.value) or 0
        totals[counted, "intervals without objects"] += objects.value is None
    return totals
