"""Publishes one day's run.

The order of effects is what makes it atomic:

1. the part files, those of the tracks and those of their paths are put, durably, into folders that only this
   run names;
2. the quality report is put; sums that differ, or frames that are lost, end it here; else `_SUCCESS` is put;
3. the run pointer is created if absent: from then on readers see this run, until then the one before.

Killed before 3, nothing has happened; the next time the same bytes go to the same keys.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice

from frametally import keys
from frametally.books.index_lag import mark_of
from frametally.books.quality_reports import QualityReport
from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.records import PathFile, Run, encode
from frametally.rules.path_columns import PathColumns, encode_paths
from frametally.rules.times import DAY_MS, utc
from frametally.undo_records import Tombstone
from frametally_hadoop.planning.plan import DayPlan
from frametally_hadoop.publication.published import compare_frames
from frametally_hadoop.publication.quality_checks import STOPS_PUBLICATION, DayAudit

LINES_PER_PART = 1_000_000
_TRACKS_PER_PART = 20_000


class NotPublished(Poison):
    """A day was not published, as its figures contradict each other or are short of those that stand."""


class OnlyLoses(NotPublished):
    """It has frames less, and nothing else is new: no frame, no setting, nothing forgotten."""


def publish_day(
    *,
    store: ObjectStore,
    plan: DayPlan,
    inputs_sha256: str,
    footage_sha256: str = "",
    lines: Iterable[bytes],
    duplicates_dropped: int,
    tracks: Iterable[bytes] = (),
    paths: Iterable[PathColumns] = (),
    audit: DayAudit | None = None,
    forgotten: Sequence[Tombstone] = (),
    may_lose: bool = False,
    lines_per_part: int = LINES_PER_PART,
) -> Run | None:
    """Publish the day's counts and coverage.

    Args:
        store: Where to.
        plan: The day.
        inputs_sha256: What it was counted from.
        footage_sha256: That as far as it is of the day itself.
        lines: Its output lines, sorted, each with its line end.
        duplicates_dropped: Lines that repeated a frame.
        tracks: Its tracks as JSON Lines, in their order.
        paths: Their paths, by source.
        audit: Watches the lines and makes the quality report.
        forgotten: All tombstones: what they name is not lost.
        may_lose: Publish also what covers fewer frames than the day's current run.
        lines_per_part: Where part files are cut.

    Returns:
        The run, or None if another aggregation published a run of that sequence first: plan again.

    Raises:
        NotPublished: The audit found that, or frames would be lost.
    """
    model, interval_s, day = plan.key
    params = plan.params.digest()
    run_id = f"{plan.sequence:06d}-{inputs_sha256[:16]}"
    prefix = keys.run_folder(model, params, interval_s, day, run_id)
    parts: list[str] = []
    parts_crc32: list[int] = []
    frames = 0
    watched = lines if audit is None else audit.watch(lines)
    for name, crc32, part_lines in put_parts(store, prefix, watched, lines_per_part):
        failpoints.passing("aggregate.part")
        parts.append(name)
        parts_crc32.append(crc32)
        frames += sum(_frames_covered(line) for line in part_lines)
    track_files = [
        (name, crc32)
        for name, crc32, _ in put_parts(store, keys.tracks_folder(prefix), tracks, _TRACKS_PER_PART)
    ]
    path_files = [_put_paths(store, prefix, number, of_source) for number, of_source in enumerate(paths)]
    if audit is not None:
        _put_report(store, prefix, audit.report(run_id))
        # What is set aside is named each time, and counts again once it is restored.
        if not may_lose and audit.is_all_there:
            _check_nothing_lost(store, plan, audit, forgotten)
        failpoints.passing("aggregate.audited")
    store.put(f"{prefix}/_SUCCESS", b"")
    failpoints.passing("aggregate.success")
    run = Run(
        run_id=run_id,
        sequence=plan.sequence,
        model=model,
        params=params,
        interval_s=interval_s,
        day=day,
        prefix=prefix,
        parts=parts,
        inputs_sha256=inputs_sha256,
        frames=frames,
        duplicates_dropped=duplicates_dropped,
        track_parts=[name for name, _ in track_files],
        parts_crc32=parts_crc32,
        track_parts_crc32=[crc32 for _, crc32 in track_files],
        footage_sha256=footage_sha256,
        tombstones_crc32=sorted(map(mark_of, plan.own.tombstones)),
        settings=plan.params.in_words(),
        paths=path_files,
        zones=dict(sorted(plan.zones.items())),
    )
    return run if store.put(run.key, encode(run), if_absent=True) else None


def _put_paths(store: ObjectStore, prefix: str, number: int, paths: PathColumns) -> PathFile:
    data = encode_paths(paths)
    name = f"paths-{number:05d}"
    store.put(f"{keys.tracks_folder(prefix)}/{name}", data)
    return PathFile(source=paths.source, name=name, crc32=zlib.crc32(data))


def _put_report(store: ObjectStore, prefix: str, report: QualityReport) -> None:
    key = keys.quality_key(prefix)
    store.put(key, encode(report))
    reasons = [line for check in report.failed if check.name in STOPS_PUBLICATION for line in check.details]
    if reasons:
        raise NotPublished(
            f"not published: {reasons[0]} ({len(reasons)} such in {key}); what was published before stays; "
            "run `frametally aggregate` again, and report it if it says this again"
        )


def _check_nothing_lost(
    store: ObjectStore, plan: DayPlan, audit: DayAudit, forgotten: Sequence[Tombstone]
) -> None:
    losses, only_loses = compare_frames(store, plan, audit.frames_by_interval, forgotten)
    if not losses:
        return
    source, start_ms, before, now = losses[0]
    day, next_day = plan.key.day, keys.utc_day(keys.day_start_ms(plan.key.day) + DAY_MS)
    raise (OnlyLoses if only_loses else NotPublished)(
        f"not published: {len(losses)} intervals would lose frames (the first, {source} {utc(start_ms)}: "
        f"{now} instead of {before}), as segments that they were counted from are gone; what was "
        "published before stays; restore them (does FRAMETALLY_STORE_METADATA_DAYS remove them too soon?), "
        f"or take what is left by `frametally aggregate --all --from {day} --to {next_day}`"
    )


def put_parts(
    store: ObjectStore, folder: str, lines: Iterable[bytes], lines_per_part: int
) -> Iterator[tuple[str, int, list[bytes]]]:
    """Put the lines as files of `folder`; yields name, CRC-32 and lines of each once it is there."""
    iterator = iter(lines)
    for number in count():
        part_lines = list(islice(iterator, lines_per_part))
        if not part_lines:
            return
        name = f"part-{number:05d}"
        data = b"".join(part_lines)
        store.put(f"{folder}/{name}", data)
        yield name, zlib.crc32(data), part_lines


def _frames_covered(line: bytes) -> int:
    if not line.startswith(b'["coverage",'):
        return 0
    return int(json.loads(line.partition(b"\t")[2])["frames"])
