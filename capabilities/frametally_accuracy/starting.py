"""Starts a check: reads the units, draws a sample by a seed, and stores both."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

import msgspec

from frametally.books.counted_days import present_end_ms
from frametally.errors import Misconfigured
from frametally.media.sources import source_names
from frametally.naming import KnownNames
from frametally.ports.count_index import CountIndex, SourceSummary
from frametally.process.reports import plural
from frametally.rules.times import FIRST_MS, NEXT_MS
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.pieces.counted_pieces import plain_label, read_pieces
from frametally_accuracy.pieces.event_places import find_place
from frametally_accuracy.population import COUNT_FIRST, CheckFootage, CheckScope, Population, read_frames
from frametally_accuracy.records import AccuracyCheck
from frametally_accuracy.sent import CheckWanted
from frametally_accuracy.staleness import BarGrid, KnownCoverage, sums_sha256

MOST_LABELS = 30
MOST_UNITS = 400
_MOST_CHARS = 100


def start_check(
    book: AccuracyBook,
    footage: CheckFootage,
    form: CheckWanted,
    *,
    most_units: int = MOST_UNITS,
    person: str = "",
) -> AccuracyCheck:
    """Add a check to the book, by default of the model published last and of all its sources.

    The seed is not a parameter, or people could choose a sample whose interval they like.

    Raises:
        Misconfigured: Such a check is not possible.
        Retryable: A port is unavailable.
    """
    from_ms, to_ms = form.from_ms, form.to_ms
    labels, planned_units = form.labels, form.planned_units
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise Misconfigured("the range ends before it begins; swap its start and its end")
    if not 0.005 <= form.wanted_width <= 1:
        raise Misconfigured("the target precision must be between 0.005 and 1, such as 0.1 for ±10%")
    if len(set(labels)) > MOST_LABELS:
        raise Misconfigured(f"a check can have at most {MOST_LABELS} labels; choose fewer")
    if planned_units and not 30 <= planned_units <= most_units:
        raise Misconfigured(f"a planned size must be 30 to {most_units} units")
    identity = secrets.token_hex(6)
    name = form.name.strip() or f"check-{identity}"
    if len(name) > _MOST_CHARS or not name.isprintable() or "/" in name:
        raise Misconfigured(f"a name can have at most {_MOST_CHARS} characters, on one line, and no /")
    for label in labels:
        if (
            not 0 < len(label) <= _MOST_CHARS
            or label != label.strip()
            or not label.isprintable()
            or "/" in label
        ):
            raise Misconfigured(
                f"a label must have 1 to {_MOST_CHARS} characters, on one line, and no /; not {label[:60]!r}"
            )
    model = _known_model(footage, form.model, form.sources)
    summaries = {entry.source: entry for entry in footage.counts.sources(model)}
    sources = sorted(set(form.sources) or summaries)
    place = find_place(footage.store, form.metric, line=form.line, direction=form.direction, sources=sources)
    sources = sources if place is None else [place.source]
    checked = [summaries[source] for source in sources if source in summaries]
    until_ms = _counted_until(footage.counts, model, checked) if to_ms is None else to_ms
    since_ms = FIRST_MS if from_ms is None else from_ms
    population = _read(footage, CheckScope(form.metric, place, model, sources, labels, since_ms, until_ms))
    members = population.members
    first_ms = min(unit.captured_at_ms for unit in members)
    behind_ms = max(unit.to_ms or unit.captured_at_ms + 1 for unit in members)
    if len(population.labels) > MOST_LABELS:
        raise Misconfigured(
            f"this footage has {plural(len(population.labels), 'label')}; choose at most {MOST_LABELS}"
        )
    seed = new_seed()
    units = population.units(seed, min(planned_units or most_units, len(members)))
    check = AccuracyCheck(
        id=identity,
        name=name,
        metric=form.metric,
        place=place,
        model=model,
        sources=tuple(sources),
        labels=population.labels,
        from_ms=first_ms if from_ms is None else from_ms,
        to_ms=behind_ms if to_ms is None else to_ms,
        seed=seed,
        wanted_width=form.wanted_width,
        planned_units=min(planned_units, len(units)),
        params=population.params,
        **population.facts(),
        started_by=person,
    )
    check = msgspec.structs.replace(check, sums_sha256=_sums_sha256(check, population, footage.counts))
    base_s = next(summary.base_interval_s for summary in footage.counts.series() if summary.model == model)
    if KnownCoverage().covered(check, footage.counts, base_s).stale:
        raise Misconfigured(
            "some frames of this range have not been counted yet; run `frametally aggregate` and "
            "`frametally index` first, or choose a range that ends earlier"
        )
    return book.add(check, units)


def new_seed() -> str:
    """Return an unpredictable seed."""
    return secrets.token_hex(8)


def read_again(check: AccuracyCheck, footage: CheckFootage, *, model: str = "") -> Population:
    """Return the units of a check as counted now, or as another model counts them.

    Raises:
        Misconfigured: They are no longer counted, or its line is gone.
        Retryable: A port is unavailable.
    """
    place, labels = check.place, check.labels
    if place is not None:
        now = find_place(footage.store, check.metric, line=place.name, direction="", sources=[place.source])
        if now is not None:
            place = msgspec.structs.replace(now, directions=place.directions)
        labels = tuple(dict.fromkeys(plain_label(label, place) for label in labels))
    model = model or check.model
    scope = CheckScope(check.metric, place, model, check.sources, labels, check.from_ms, check.to_ms)
    return _read(footage, scope)


def _read(footage: CheckFootage, scope: CheckScope) -> Population:
    return (read_frames if scope.metric == "detections" else read_pieces)(footage, scope)


def _counted_until(counts: CountIndex, model: str, summaries: Sequence[SourceSummary]) -> int:
    """Return the end of the counts of some sources in ms, without footage dated in the future.

    Frames that are detected but not counted yet are not part of it.
    """
    bases_s = [series.base_interval_s for series in counts.series() if series.model == model]
    present_ms = present_end_ms(counts, model, bases_s, summaries, int(time.time() * 1000))
    return present_ms or max((summary.next_interval_ms for summary in summaries), default=NEXT_MS)


def _known_model(footage: CheckFootage, model: str, sources: Sequence[str]) -> str:
    """Return the model whose counts are checked; refuse unknown names.

    A label may be one that no model ever counted; the check then shows how many are missed.
    """
    series = footage.counts.series()
    if not series:
        raise Misconfigured(f"nothing is counted yet; {COUNT_FIRST}")
    names = KnownNames(
        source_names(footage.ledger.manifests()),
        settings=footage.settings,
        store=footage.store,
        index=footage.counts,
    )
    for name in names.unknown(sources=sources, model=model):
        raise Misconfigured(str(name))
    return model or series[0].model


def _sums_sha256(check: AccuracyCheck, population: Population, counts: CountIndex) -> dict[str, str]:
    """Return the digest of the counts in bars, for each stored interval of the model."""
    bases_s = [entry.base_interval_s for entry in counts.series() if entry.model == check.model]
    return {str(base_s): sums_sha256(population.sums(BarGrid.of_check(check, base_s))) for base_s in bases_s}
