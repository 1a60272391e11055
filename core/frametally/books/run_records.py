"""Decodes the records in the part files and hour files of runs: counts and coverage.

A line of a part file is a JSON key, a TAB, a JSON record:
`["count", source, label, interval_start_ms]` and an `IntervalCount`, or
`["coverage", source, interval_start_ms]` and a `Coverage`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.process.reports import plural
from frametally.records import NOT_JSON, Coverage, IntervalCount, Run, decode
from frametally.rules.times import DAY_MS


def decode_run(run: Run, files: Iterable[tuple[str, bytes]]) -> tuple[list[IntervalCount], list[Coverage]]:
    """Return the counts and coverage in the part files of a run, checked against its pointer.

    Raises:
        Poison: A line does not parse, or lines are missing; the message names it.
    """
    counts, coverage = divide(record for key, data in files for record in decode_records(run, key, data))
    frames = sum(record.analysed for record in coverage)
    if frames != run.frames:
        raise Poison(
            f"{run.prefix} covers {plural(frames, 'frame')}, but its run counted {run.frames}; "
            f"{remedy_of(run)}"
        )
    check_boxes(run, counts, coverage)
    return counts, coverage


def divide(records: Iterable[IntervalCount | Coverage]) -> tuple[list[IntervalCount], list[Coverage]]:
    """Return the counts and the coverage among records."""
    counts: list[IntervalCount] = []
    coverage: list[Coverage] = []
    for record in records:
        if isinstance(record, Coverage):
            coverage.append(record)
        else:
            counts.append(record)
    return counts, coverage


def check_boxes(run: Run, counts: Iterable[IntervalCount], coverage: Iterable[Coverage]) -> None:
    """Raise `Poison` if a run's coverage has another number of boxes than its counts."""
    boxes = sum(record.detections for record in coverage)
    if boxes and boxes != sum(record.detections for record in counts):
        raise Poison(
            f"{run.prefix}: its counts include different boxes from the {boxes} that it covers; "
            f"{remedy_of(run)}"
        )


def decode_records(
    run: Run, key: str, data: bytes, is_wanted: Callable[[bytes], bool] = bool
) -> Iterator[IntervalCount | Coverage]:
    """Yield the counts and coverage in the wanted lines of a file of a run.

    Raises:
        Poison: A line does not parse, or is of another run; the message names it.
    """
    lines = data.split(b"\n")
    if lines.pop() != b"":
        raise Poison(f"{key} ends in the middle of line {len(lines) + 1}; {remedy_of(run)}")
    for number, line in enumerate(lines, start=1):
        try:
            if line and not is_wanted(line):
                continue
            record = _decode_line(line)
            if not _belongs(record, run):
                raise Poison("a record of another model, interval or day")
        except Poison as error:
            raise Poison(f"{key}, line {number}: {error}; {remedy_of(run)}") from error
        yield record


def check_record(record: IntervalCount | Coverage, run: Run) -> None:
    """Raise `Poison` if a record is of another model, interval or day than its run."""
    if not _belongs(record, run):
        raise Poison(f"run {run.prefix} has a record of another model, interval or day: {record!r:.200}")


def _belongs(record: IntervalCount | Coverage, run: Run) -> bool:
    since_ms = record.interval_start_ms - keys.day_start_ms(run.day)
    return (record.model, record.interval_s) == (run.model, run.interval_s) and 0 <= since_ms < DAY_MS


def _decode_line(line: bytes) -> IntervalCount | Coverage:
    key_json, tab, value = line.partition(b"\t")
    try:
        key = msgspec.json.decode(key_json) if tab else None
    except NOT_JSON as error:
        raise Poison(f"its key is not JSON: {error}") from error
    kind = key[0] if isinstance(key, list) and key else None
    record: IntervalCount | Coverage
    if kind == "count":
        record = decode(value, IntervalCount)
        expected = ["count", record.source, record.label, record.interval_start_ms]
    elif kind == "coverage":
        record = decode(value, Coverage)
        expected = ["coverage", record.source, record.interval_start_ms]
    else:
        raise Poison("not the JSON key of a count or coverage record, followed by a TAB and the record")
    if key != expected:
        raise Poison("its key and its record differ")
    return record


def remedy_of(run: Run) -> str:
    """Return what to do if a file of a run is missing or damaged."""
    return f"restore it, or {count_again(run)}"


def count_again(run: Run) -> str:
    """Return how to count the day of a run again."""
    next_day = keys.utc_day(keys.day_start_ms(run.day) + DAY_MS)
    return (
        f"run `frametally aggregate --all --interval {run.interval_s} --from {run.day} --to {next_day}` to "
        "count the day again"
    )
