"""Publishes one day's run.

The order of effects is what makes it atomic:

1. the part files are put, durably, into a folder that only this run names;
2. `_SUCCESS` is put;
3. the run pointer is created if absent: from then on readers see this run, until then the one before.

Killed before 3, nothing has happened; the next time the same bytes go to the same keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from frametally import keys
from frametally.object_store import ObjectStore
from frametally.records import Run, encode
from frametally_hadoop.plan import DayPlan

LINES_PER_PART = 1_000_000


def publish_day(
    *,
    store: ObjectStore,
    plan: DayPlan,
    inputs_sha256: str,
    lines: Iterable[bytes],
    duplicates_dropped: int,
    lines_per_part: int = LINES_PER_PART,
) -> Run | None:
    """Publish the day's counts and coverage.

    Args:
        store: Where to.
        plan: The day.
        inputs_sha256: What it was counted from.
        lines: Its output lines, sorted, each with its line end.
        duplicates_dropped: Lines that repeated a frame.
        lines_per_part: Where part files are cut.

    Returns:
        The run, or None if another aggregation published a run of that sequence first: plan again.
    """
    model, interval_s, day = plan.key
    params = plan.params.digest()
    run_id = f"{plan.sequence:06d}-{inputs_sha256[:16]}"
    prefix = keys.run_folder(model, params, interval_s, day, run_id)
    parts: list[str] = []
    frames = 0
    for number, part_lines in enumerate(_cut(lines, lines_per_part)):
        parts.append(f"part-{number:05d}")
        store.put(f"{prefix}/{parts[-1]}", b"".join(part_lines))
        frames += sum(_frames_covered(line) for line in part_lines)
    store.put(f"{prefix}/_SUCCESS", b"")
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
    )
    pointer = keys.run_pointer_key(model, params, interval_s, day, plan.sequence)
    return run if store.put(pointer, encode(run), if_absent=True) else None


def _cut(lines: Iterable[bytes], lines_per_part: int) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    for line in lines:
        part.append(line)
        if len(part) == lines_per_part:
            yield part
            part = []
    if part:
        yield part


def _frames_covered(line: bytes) -> int:
    if not line.startswith(b'["coverage",'):
        return 0
    return int(json.loads(line.partition(b"\t")[2])["frames"])
