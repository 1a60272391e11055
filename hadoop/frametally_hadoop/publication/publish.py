"""Publishes one day's run, with the history of the day up to it.

The order of effects makes it atomic:

1. New hour files are put under names that identify their inputs, then the part files, into a folder that only
   this run uses.
2. The quality report is put. If sums differ or frames are lost, publication ends here; otherwise the day's
   history and the list of its hour files are put.
3. The run pointer is created if absent. Readers see the previous run until then, and this run from then on.

If it is killed before step 3, nothing has happened; the next attempt puts the same bytes under the same keys.

The history gives the reason why the day was counted again. It is put with the list, so every run has one, and
retention of older runs removes nothing from it. It omits hours and labels in which nothing changed.
"""

from __future__ import annotations

import importlib.metadata
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from typing import Any, NamedTuple

import msgspec

from frametally import keys
from frametally.books.index_lag import mark_of
from frametally.books.quality_reports import QualityReport
from frametally.books.runs import DayKey, put_part, read_history, read_parts, read_run
from frametally.errors import Poison
from frametally.history_records import (
    HistoryEntry,
    HistoryReason,
    HourFile,
    HourList,
    RunHistory,
    hour_file_key,
)
from frametally.media.manifests import touches
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Skipped, plural
from frametally.records import Coverage, Run, decode, encode
from frametally.rules.overlaps import Overlap
from frametally.rules.places import ZoneParts, source_of
from frametally.rules.seals import name_of
from frametally.rules.times import DAY_MS, HOUR_MS, utc
from frametally.undo_records import Tombstone
from frametally_hadoop.planning.hours import SourceHour
from frametally_hadoop.planning.plan import DayPlan
from frametally_hadoop.publication.quality_checks import (
    STOPS_PUBLICATION,
    DayAudit,
    LinesWatched,
    Surroundings,
)
from frametally_hadoop.running.outcome import Interval, Outcome

LINES_PER_PART = 1_000_000
_COUNTS = (b'["count"', b'["coverage"')
_AT_ONCE, _BATCH = 8, 32
"""The number of hour files that are put at once, because a distant store is slow, and held in memory."""


class NotPublished(Poison):
    """A day was not published because its figures contradict each other or are below the current ones."""


class OnlyLoses(NotPublished):
    """The day has fewer frames and nothing else new: no frames, no settings, nothing forgotten."""


class DayOutcome(NamedTuple):
    """The outcome of a counted day.

    Attributes:
        corrupt: Lines that were set aside, of any day.
        run: The run that was published.
        refusal: Why its figures must not be published.
        not_kept: Why hours of its current run cannot be kept, so that the whole day has to be counted.
    """

    key: DayKey
    corrupt: Sequence[Skipped] = ()
    run: Run | None = None
    is_up_to_date: bool = False
    refusal: Skipped | None = None
    not_kept: str = ""
    labels: frozenset[str] = frozenset()
    warnings: Sequence[str] = ()
    failed_checks: Sequence[str] = ()
    hours_kept: int = 0
    hours_counted: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether the day needs no further attempt; it needs one if another aggregation published first."""
        return self.run is not None or self.is_up_to_date or self.refusal is not None


def publish_counted(
    store: ObjectStore,
    day: DayPlan,
    outcome: Outcome,
    surroundings: Callable[[], Surroundings],
    *,
    forgotten: Sequence[Tombstone],
    recount: bool,
    may_lose: bool,
    segments_end: bool,
) -> DayOutcome:
    """Publish a day, unless its current run was counted from the same inputs and `recount` is False.

    `forgotten` are all tombstones; `may_lose` is as for `publish_day`. With `segments_end`, the store deletes
    segments after some days, so a day that only loses frames stays as it is.
    """
    inputs_sha256 = day.inputs_sha256(outcome.corrupt_lines)
    counted = DayOutcome(day.key, outcome.skipped())
    if inputs_sha256 == day.current_sha256 and not recount:  # the same segments are still damaged
        return counted._replace(is_up_to_date=True)
    duplicates = outcome.duplicates[day.key]
    of_zones = sum(lines for (name, _), lines in duplicates.items() if name != source_of(name))
    audit = DayAudit(
        plan=day,
        lines_passed_on=outcome.lines_passed_on[day.key],
        duplicates_dropped=duplicates.total() - of_zones,
        corrupt_lines=outcome.corrupt_lines,
        surroundings=surroundings(),
        within_zones=LinesWatched(outcome.lines_passed_on[day.zone_key], of_zones),
    )
    try:
        run = publish_day(
            store, day, outcome, audit, inputs_sha256=inputs_sha256, forgotten=forgotten, may_lose=may_lose
        )
    except NotPublished as error:
        if isinstance(error, OnlyLoses) and segments_end:  # it was counted before its segments were deleted
            return counted._replace(is_up_to_date=True)
        return counted._replace(refusal=Skipped(f"{day.key.model}, {day.key.day}", str(error)))
    if run is None:
        return counted
    failpoints.passing("aggregate.published")
    return counted._replace(
        run=run,
        labels=frozenset(audit.labels),
        warnings=[f"{day.key.day}, {line}" for line in audit.weak_sources()],
        failed_checks=audit.failed,
        hours_kept=len(day.unchanged),
        hours_counted=len(day.hours.segments_by_hour()) - len(day.unchanged),
    )


def publish_day(
    store: ObjectStore,
    plan: DayPlan,
    outcome: Outcome,
    audit: DayAudit,
    *,
    inputs_sha256: str,
    forgotten: Sequence[Tombstone] = (),
    may_lose: bool = False,
) -> Run | None:
    """Publish the day's counts and coverage, tracks and their paths, which `audit` watches.

    `inputs_sha256` identifies its inputs. `forgotten` are all tombstones; frames in them are not lost. With
    `may_lose`, publishes even if it covers fewer frames than the day's current run.

    Returns the run, or None if another aggregation published a run of that sequence first: plan again. Raises
    `NotPublished` if the audit fails or frames would be lost.
    """
    model, interval_s, day = plan.key
    params = plan.params.digest()
    run_id = f"{plan.sequence:06d}-{inputs_sha256[:16]}"
    prefix = keys.run_folder(model, params, interval_s, day, run_id)
    hours = HourList(
        run_id=run_id,
        model=model,
        params=params,
        interval_s=interval_s,
        day=day,
        hours=_put_hours(store, plan, outcome),
    )
    parts: dict[str, list[tuple[str, int]]] = {"part": [], "zones": []}
    lines = audit.watch(outcome.counts.sorted_lines(plan.key))
    zone_lines = audit.within_zones.watch(outcome.counts.sorted_lines(plan.zone_key))
    for kind, of_kind in (("part", lines), ("zones", zone_lines)):
        for part in put_parts(store, prefix, of_kind, LINES_PER_PART, kind):
            failpoints.passing("aggregate.part")
            parts[kind].append(part)
    _put_report(store, prefix, audit.report(run_id))
    # Lines set aside are named each time, and count again once they are restored.
    if not may_lose and audit.is_all_there:
        before = outcome.covered_before.get(plan.key) or _covered(store, plan)
        now = audit.frames_by_interval | audit.within_zones.frames_by_interval
        _check_nothing_lost(plan, before, now, forgotten)
    failpoints.passing("aggregate.audited")
    list_data = encode(hours)
    history = make_history(store, plan, run_id, audit.by_hour)
    store.put(hours.key, b"\n".join((list_data, encode(history))))
    failpoints.passing("aggregate.listed")
    run = Run(
        run_id=run_id,
        sequence=plan.sequence,
        model=model,
        params=params,
        interval_s=interval_s,
        day=day,
        prefix=prefix,
        parts=[name for name, _ in parts["part"]],
        inputs_sha256=inputs_sha256,
        frames=sum(audit.frames_by_interval.values()),
        duplicates_dropped=audit.duplicates_dropped,
        parts_crc32=[crc32 for _, crc32 in parts["part"]],
        footage_sha256=plan.footage_sha256(outcome.corrupt_lines),
        tombstones_crc32=sorted(map(mark_of, plan.own_tombstones)),
        settings=plan.params.in_words(),
        hours_crc32=zlib.crc32(list_data),
        hours=hours.digests(),
    )
    if plan.has_zones:
        zone_parts = ZoneParts(
            names=tuple(name for name, _ in parts["zones"]),
            crc32=tuple(crc32 for _, crc32 in parts["zones"]),
            frames=sum(audit.within_zones.frames_by_interval.values()),
            duplicates_dropped=audit.within_zones.duplicates_dropped,
            hours=hours.digests(of_zones=True),
            footage_sha256=plan.zones_alone().footage_sha256(outcome.corrupt_lines),
            zones=dict(sorted(plan.zones.items())),
        )
        run = msgspec.structs.replace(run, zone_parts=zone_parts)
    return run if store.put(run.key, encode(run), if_absent=True) else None


def _put_hours(store: ObjectStore, plan: DayPlan, outcome: Outcome) -> dict[str, dict[int, HourFile]]:
    """Put the files of newly counted hours, add their counts to `outcome`, and return the day's files.

    Hours with the same inputs have the same file: the same bytes replace an earlier one of that name.
    """
    identities = plan.hours.identities(but_of=outcome.corrupt_lines)
    files = {hour: HourFile(identity, None) for hour, identity in identities.items()} | dict(plan.unchanged)
    counted = iter(outcome.counted_hours(plan.key))

    def put(hour: SourceHour, lines: list[bytes]) -> None:
        data = b"".join(lines)
        identity = identities.get(hour) or name_of(data)
        number = hour[1] % DAY_MS // HOUR_MS
        store.put(hour_file_key(plan.key.model, plan.key.day, hour[0], number, identity), data)
        failpoints.passing("aggregate.hour")
        files[hour] = HourFile(identity, zlib.crc32(data), outcome.duplicates[plan.key][hour])

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while batch := [*islice(counted, _BATCH)]:
            list(pool.map(put, *zip(*batch, strict=True)))  # raises what a task raised
            for (name, _), lines in batch:
                key = plan.key if name == source_of(name) else plan.zone_key
                outcome.counts.add(key, *(line for line in lines if line.startswith(_COUNTS)))
    by_source: dict[str, dict[int, HourFile]] = {}
    for source, start_ms in sorted(files):
        by_source.setdefault(source, {})[start_ms % DAY_MS // HOUR_MS] = files[source, start_ms]
    return by_source


def _put_report(store: ObjectStore, prefix: str, report: QualityReport) -> None:
    key = keys.quality_key(prefix)
    store.put(key, encode(report))
    reasons = [line for check in report.failed if check.name in STOPS_PUBLICATION for line in check.details]
    if reasons:
        raise NotPublished(
            f"not published: {reasons[0]} ({len(reasons)} such problems in {key}); earlier published "
            "counts are unchanged; run `frametally aggregate` again, and report this message if it appears "
            "again"
        )


def _check_nothing_lost(
    day: DayPlan,
    before: Mapping[Interval, int],
    frames: Mapping[Interval, int],
    forgotten: Sequence[Tombstone],
) -> None:
    """Raise `NotPublished` if the day would lose frames, `OnlyLoses` if nothing else is new.

    `frames` are those covered now, `before` those of the current run; `forgotten` are all tombstones,
    including those of sources of which nothing is left. Fewer frames do not count as lost where media
    overlap, or within zones that have changed.
    """
    zones_before = day.current_zones.zones if day.current_zones else {}

    def is_explained(place: str, start_ms: int) -> bool:
        source, end_ms = source_of(place), start_ms + day.key.interval_s * 1000
        return (
            any(touches(stone, source=source, from_ms=start_ms, to_ms=end_ms) for stone in forgotten)
            or any(
                overlap.source == source and overlap.from_ms < end_ms and overlap.to_ms > start_ms
                for overlap in day.overlaps
            )
            or (place != source and zones_before.get(source) != day.zones.get(source))
        )

    less = [where for where, was in sorted(before.items()) if frames.get(where, 0) < was]
    losses = [where for where in less if not is_explained(*where)]
    if not losses:
        return
    has_gains = any(now > before.get(where, 0) for where, now in frames.items())
    same_settings = day.current is not None and day.current.params == day.params.digest()
    only_loses = losses == less and same_settings and not has_gains
    source, start_ms = losses[0]
    first, end = day.key.day, keys.utc_day(keys.day_start_ms(day.key.day) + DAY_MS)
    raise (OnlyLoses if only_loses else NotPublished)(
        f"not published: {plural(len(losses), 'interval')} would lose frames (the first, {source} "
        f"{utc(start_ms)}: {frames.get(losses[0], 0)} instead of {before[losses[0]]}), because some of their "
        "segments are missing; earlier published counts are unchanged; restore the segments (does "
        "FRAMETALLY_STORE_METADATA_DAYS delete them too soon?), or accept what is left with `frametally "
        f"aggregate --all --from {first} --to {end}`"
    )


def _covered(store: ObjectStore, day: DayPlan) -> dict[Interval, int]:
    """Return the frames of each interval of the current run, and of each zone; empty if it is damaged."""
    covered = {}
    runs = filter(None, (day.current, day.current_zones))
    try:
        for _, data in (part for run in runs for part in read_parts(store, run)):
            for line in data[data.find(b'["coverage"') :].splitlines():  # sorted: counts come first
                if line.startswith(b'["coverage"'):
                    record = decode(line.partition(b"\t")[2], Coverage)
                    covered[record.source, record.interval_start_ms] = record.analysed
    except Poison:
        return {}
    return covered


def put_parts(
    store: ObjectStore, folder: str, lines: Iterable[bytes], lines_per_part: int, kind: str = "part"
) -> Iterator[tuple[str, int]]:
    """Put the lines as files `<kind>-<number>.gz`; yield each name and its lines' CRC-32 once put."""
    iterator = iter(lines)
    for number in count():
        data = b"".join(islice(iterator, lines_per_part))
        if not data:
            return
        key = put_part(store, f"{folder}/{kind}-{number:05d}", data)
        yield key.removeprefix(f"{folder}/"), zlib.crc32(data)


_MOST_ENTRIES = 60
_MOST_SEGMENTS = 10

_Totals = Mapping[tuple[str, str, int], int]
"""By source, label ("" for the frames analysed) and hour of the day."""


def make_history(store: ObjectStore, plan: DayPlan, run_id: str, totals: _Totals) -> RunHistory:
    """Return the history of a day up to the run that is about to be published.

    It covers whole pictures: a run that only counts within other zones than before has no entry.
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
    """Return the current run's history, or a new one that begins with it; None if it is damaged."""
    run = plan.current
    if run is None:
        return None
    try:
        if (history := read_history(store, run)) is not None:
            return history
    except Poison:
        pass  # start a new history
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
        segments_to={},  # unknown
        overlaps_crc32=sorted(map(_mark, plan.own_overlaps)),
    )


def _totals_of(store: ObjectStore, run: Run) -> _Totals:
    totals: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    counts, coverage = read_run(store, run)
    for bar in counts:
        totals[bar.source, bar.label, bar.interval_start_ms % DAY_MS // HOUR_MS] += bar.detections
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
    """Return the segments with frames of the day that arrived after those of the run before, if recorded."""
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
        former, later = before.get(name, "off"), after.get(name, "off")
        if former != later:
            yield HistoryReason(kind="settings", setting=name, before=former, after=later)


def _flat(settings: Mapping[str, Any], within: str = "") -> dict[str, str]:
    """Return settings as text by name; those of a group as `<group>.<name>`."""
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
    """Merge runs with the same reason, the oldest first, until there are few enough."""
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
