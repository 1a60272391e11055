"""Writes why a day was counted again: each run has the history of its day up to itself.

It is put with the run's list of hour files, so that no run is without it, and retention of older runs takes
nothing from it. What it costs is the sum of what changed: an entry has no hours and labels in which nothing
did.
"""

from __future__ import annotations

import importlib.metadata
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from frametally import keys
from frametally.books.index_lag import mark_of
from frametally.books.runs import read_history, read_run
from frametally.errors import Poison
from frametally.history_records import HistoryEntry, HistoryReason, RunHistory
from frametally.ports.object_store import ObjectStore
from frametally.records import Run
from frametally.rules.overlaps import Overlap
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_hadoop.planning.plan import DayPlan

_MOST_ENTRIES = 60
_MOST_SEGMENTS = 10

_Totals = Mapping[tuple[str, str, int], int]
"""By source, label ("" for the frames analysed) and hour of the day."""


def make_history(store: ObjectStore, plan: DayPlan, run_id: str, totals: _Totals) -> RunHistory:
    """Return the history of a day up to the run that is about to be published.

    It is of whole pictures: a run that only counts within other zones than before has no entry.
    """
    before = _history_before(store, plan)
    chains = {key: _chain(key) for key in plan.own.segments}
    arrived = _arrived(chains, before)
    entries = [*before.entries] if before else []
    if entries and not entries[-1].counted_at_ms:
        entries[-1] = msgspec.structs.replace(entries[-1], counted_at_ms=plan.current_put_at_ms)
    version = importlib.metadata.version("frametally")
    differences = _differences(totals, _summed(entries))
    has_more = any(more > 0 for by_label in differences.values() for more in by_label.get("", {}).values())
    reasons = [*_reasons(plan, before, bool(arrived) or has_more, version)]
    zones_before = plan.current_zones.zones if plan.current_zones else {}
    if differences or zones_before == plan.zones or reasons != [HistoryReason(kind="stored")]:
        entries.append(
            HistoryEntry(
                sequence=plan.sequence,
                run_id=run_id,
                version=version,
                params=plan.params.digest(),
                reasons=reasons,
                differences=differences,
                segments=arrived[:_MOST_SEGMENTS],
            )
        )
    return RunHistory(
        run_id=run_id,
        model=plan.key.model,
        params=plan.params.digest(),
        interval_s=plan.key.interval_s,
        day=plan.key.day,
        entries=_shortened(entries),
        segments_to=_segments_to(chains),
        overlaps_crc32=sorted(map(_mark, plan.own_overlaps)),
    )


def _history_before(store: ObjectStore, plan: DayPlan) -> RunHistory | None:
    """Return the history of the current run, or one that begins with it; None where it tells nothing."""
    run = plan.current
    if run is None:
        return None
    try:
        if (history := read_history(store, run)) is not None:
            return history
    except Poison:
        pass  # it begins anew, as that of a day which an earlier version counted
    try:
        totals = _totals_of(store, run)
    except Poison:
        return None
    entry = HistoryEntry(
        sequence=run.sequence,
        run_id=run.run_id,
        params=run.params,
        reasons=[HistoryReason(kind="earlier")],
        differences=_differences(totals, {}),
    )
    return RunHistory(
        run_id=run.run_id,
        model=run.model,
        params=run.params,
        interval_s=run.interval_s,
        day=run.day,
        entries=[entry],
        segments_to={},  # not known
        overlaps_crc32=sorted(map(_mark, plan.own_overlaps)),
    )


def _totals_of(store: ObjectStore, run: Run) -> _Totals:
    totals: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    counts, coverage = read_run(store, run)
    for count in counts:
        totals[count.source, count.label, count.interval_start_ms % DAY_MS // HOUR_MS] += count.detections
    for seen in coverage:
        totals[seen.source, "", seen.interval_start_ms % DAY_MS // HOUR_MS] += seen.analysed
    return totals


def _summed(entries: list[HistoryEntry]) -> _Totals:
    totals: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    for entry in entries:
        for source, of_source in entry.differences.items():
            for label, by_hour in of_source.items():
                for hour, more in by_hour.items():
                    totals[source, label, hour] += more
    return totals


def _differences(now: _Totals, before: _Totals) -> dict[str, dict[str, dict[int, int]]]:
    found: dict[str, dict[str, dict[int, int]]] = {}
    for place in sorted(now.keys() | before.keys()):
        if more := now.get(place, 0) - before.get(place, 0):
            source, label, hour = place
            found.setdefault(source, {}).setdefault(label, {})[hour] = more
    return found


def _segments_to(chains: Mapping[str, tuple[str, int]]) -> dict[str, int]:
    last: dict[str, int] = {}
    for chain, offset in chains.values():
        last[chain] = max(offset, last.get(chain, offset))
    return dict(sorted(last.items()))


def _arrived(chains: Mapping[str, tuple[str, int]], before: RunHistory | None) -> list[str]:
    """Return the segments with frames of the day that came behind those of the run before, if it says."""
    if before is None or not before.segments_to:
        return []
    return [key for key, (chain, offset) in chains.items() if offset > before.segments_to.get(chain, -1)]


def _chain(key: str) -> tuple[str, int]:
    place = keys.parse_segment_key(key)
    return (f"{place.log_id}/{place.topic}-{place.partition}", place.first_offset) if place else ("", 0)


def _mark(overlap: Overlap) -> int:
    return zlib.crc32(f"{overlap.loser} {overlap.from_ms} {overlap.to_ms}".encode())


def _reasons(
    plan: DayPlan, before: RunHistory | None, has_arrivals: bool, version: str
) -> Iterator[HistoryReason]:
    run = plan.current
    if run is None:
        yield HistoryReason(kind="first")
        return
    if before is None:
        yield HistoryReason(kind="lost")
        return
    found = [
        *([HistoryReason(kind="footage")] if has_arrivals else []),
        *_undone(plan, run),
        *_overlapped(plan, before),
        *_settings(run, plan.params.in_words()),
    ]
    yield from found or [HistoryReason(kind="stored")]
    former = before.entries[-1].version
    if former not in ("", version):
        yield HistoryReason(kind="upgrade", before=former, after=version)


def _undone(plan: DayPlan, run: Run) -> Iterator[HistoryReason]:
    known = run.tombstones_crc32 or ()
    for stone in plan.own_tombstones:
        if mark_of(stone) not in known:
            yield HistoryReason(
                kind=stone.why,
                source=stone.source,
                media=stone.media,
                name=stone.name,
                from_ms=stone.from_ms,
                to_ms=stone.to_ms,
            )


def _overlapped(plan: DayPlan, before: RunHistory) -> Iterator[HistoryReason]:
    marks = {_mark(one): one for one in plan.own_overlaps}
    for mark, one in marks.items():
        if mark not in before.overlaps_crc32:
            yield HistoryReason(
                kind="overlap", source=one.source, media=one.loser, from_ms=one.from_ms, to_ms=one.to_ms
            )
    if not marks.keys() >= {*before.overlaps_crc32}:
        yield HistoryReason(kind="overlap")


def _settings(run: Run, now: Mapping[str, Any]) -> Iterator[HistoryReason]:
    before, after = _flat(run.settings), _flat(now)
    if not run.settings:
        before = after
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield HistoryReason(
                kind="settings", setting=name, before=before.get(name, "off"), after=after.get(name, "off")
            )


def _flat(settings: Mapping[str, Any], within: str = "") -> dict[str, str]:
    """Return settings as text, by name; those of a group by `<group>.<name>`."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{within}{name}.")
        elif isinstance(value, list | tuple):
            found[within + name] = ", ".join(map(str, value)) or ("all" if name == "labels" else "none")
        else:
            text = f"{value:g}" if isinstance(value, float) else str(value)
            found[within + name] = "off" if value is None else text
    return found


def _shortened(entries: list[HistoryEntry]) -> list[HistoryEntry]:
    """Put runs of the same reason together, the oldest first, until there are few enough."""
    while len(entries) > _MOST_ENTRIES:
        at = next((at for at in range(1, len(entries) - 1) if _are_alike(*entries[at : at + 2])), 0)
        entries[at : at + 2] = [_together(*entries[at : at + 2])]
    return entries


def _are_alike(one: HistoryEntry, other: HistoryEntry) -> bool:
    return one.reasons == other.reasons == [HistoryReason(kind="footage")] and (one.params, one.version) == (
        other.params,
        other.version,
    )


def _together(one: HistoryEntry, other: HistoryEntry) -> HistoryEntry:
    alike = _are_alike(one, other)
    return msgspec.structs.replace(
        other,
        runs=one.runs + other.runs,
        reasons=other.reasons if alike else [HistoryReason(kind="earlier")],
        differences=_differences(_summed([one, other]), {}),
        segments=[*one.segments, *other.segments][:_MOST_SEGMENTS],
    )
