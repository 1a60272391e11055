"""Runs are found by their pointers and read whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import put_lines, with_checksums

from frametally import keys
from frametally.books.runs import CurrentDay, DayKey, current_days, current_runs, read_run
from frametally.errors import Poison
from frametally.records import Coverage, Evidence, IntervalCount, Run, encode

DAY = "2026-01-01"
DAY_MS = 1_767_225_600_000


def coverage(**changed: Any) -> Coverage:
    fields: dict[str, Any] = {
        "model": "m",
        "source": "gate",
        "interval_start_ms": DAY_MS,
        "interval_s": 60,
        "frames": 3,
        "detections": 4,
    }
    return Coverage(**(fields | changed))


def count(**changed: Any) -> IntervalCount:
    evidence = [Evidence(image_path="images/x.jpg", captured_at_ms=DAY_MS, count=2)]
    fields: dict[str, Any] = {"label": "car", "detections": 4, "peak": 2, "evidence": evidence}
    of_interval: dict[str, Any] = {
        "model": "m",
        "source": "gate",
        "interval_start_ms": DAY_MS,
        "interval_s": 60,
        "frames": 3,
    }
    return IntervalCount(**(of_interval | fields | changed))


def part_line(record: Coverage | IntervalCount) -> bytes:
    if isinstance(record, Coverage):
        key = f'["coverage","{record.source}",{record.interval_start_ms}]'
    else:
        key = f'["count","{record.source}","{record.label}",{record.interval_start_ms}]'
    return key.encode() + b"\t" + encode(record) + b"\n"


def put_run(
    store: MemoryStore, parts: list[bytes], *, sequence: int = 1, params: str = "0" * 8, **changed: Any
) -> Run:
    run_id = f"{sequence:06d}-{'5' * 16}"
    fields: dict[str, Any] = {
        "run_id": run_id,
        "sequence": sequence,
        "model": "m",
        "params": params,
        "interval_s": 60,
        "day": DAY,
        "parts": [f"part-{number:05d}.gz" for number in range(len(parts))],
        "inputs_sha256": "5" * 64,
        "frames": 3,
        "duplicates_dropped": 0,
        "hours": {},
    } | changed
    fields["prefix"] = keys.run_folder(
        fields["model"], params, fields["interval_s"], fields["day"], fields["run_id"]
    )
    return put_lines(store, Run(**fields), parts)


GOOD = part_line(count()) + part_line(coverage())


def test_counts_are_read_back_from_all_parts(store: MemoryStore) -> None:
    later = coverage(interval_start_ms=DAY_MS + 60_000, frames=2, detections=0)
    run = put_run(store, [GOOD, part_line(later)], frames=5)
    assert read_run(store, run) == ([count()], [coverage(), later])


def test_the_highest_sequence_is_current_across_all_params(store: MemoryStore) -> None:
    put_run(store, [GOOD], sequence=1)
    newest = put_run(store, [GOOD], sequence=10, params="0" * 8)
    put_run(store, [GOOD], sequence=9, params="f" * 8)
    assert current_runs(store) == [newest]
    tied = put_run(store, [GOOD], sequence=10, params="f" * 8)
    assert current_runs(store) == [tied]


def test_each_model_interval_and_day_has_its_own_run_in_this_order(store: MemoryStore) -> None:
    for model, interval_s, day in [("m", 60, "2026-01-02"), ("m", 60, DAY), ("a", 60, DAY), ("m", 5, DAY)]:
        put_run(store, [], model=model, interval_s=interval_s, day=day, frames=0)
    assert [(run.model, run.interval_s, run.day) for run in current_runs(store)] == [
        ("a", 60, DAY),
        ("m", 5, DAY),
        ("m", 60, DAY),
        ("m", 60, "2026-01-02"),
    ]


def test_part_files_without_a_pointer_are_not_a_run(store: MemoryStore) -> None:
    run = put_run(store, [GOOD])
    store.delete(keys.run_pointer_key("m", run.params, 60, DAY, 1))
    assert current_runs(store) == []


@pytest.mark.parametrize("what", ["not JSON", "of another day", "of another version"])
def test_an_untrustworthy_pointer_is_named_with_the_remedy(store: MemoryStore, what: str) -> None:
    run = put_run(store, [GOOD])
    pointer = keys.run_pointer_key("m", run.params, 60, DAY, 1)
    data = {
        "not JSON": b"{",
        "of another day": with_checksums(encode(run).replace(DAY.encode(), b"2026-01-02")),
        "of another version": with_checksums(encode(run).replace(b'"v":1', b'"v":9')),
    }[what]
    store.put(pointer, data)
    [(key, day)] = current_days(store).items()
    assert key == DayKey("m", 60, DAY)
    assert day == CurrentDay(pointer, 1, None, day.problem, day.put_at_ms)
    with pytest.raises(Poison) as raised:
        current_runs(store)
    assert str(raised.value).startswith(f"{pointer}: ")
    assert "run `frametally aggregate`" in str(raised.value)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (GOOD[:-1], "part-00000.gz ends in the middle of line 2"),
        (GOOD[:-20], "part-00000.gz ends in the middle of line 2"),
        (part_line(count()), "covers 0 frames, but its run counted 3"),
        (GOOD + GOOD, "covers 6 frames, but its run counted 3"),
        (b"{}\n" + GOOD, "line 1"),
        (b"[\t{}\n" + GOOD, "line 1"),
        (b'["sum","gate",1]\t{}\n' + GOOD, "line 1"),
        (GOOD + b"\n", "line 3"),
        (GOOD.replace(b'"peak":2', b'"peak":"2"'), "peak"),
        (GOOD.replace(b'["count","gate"', b'["count","yard"'), "line 1: its key and its record differ"),
        (GOOD.replace(b'"model":"m"', b'"model":"x"', 1), "another model, interval or day"),
        (GOOD.replace(b'"interval_s":60', b'"interval_s":5', 1), "another model, interval or day"),
        (GOOD.replace(b"1767225600000", b"1767312000000"), "another model, interval or day"),
        (GOOD.replace(b"1767225600000", b"1767225599999"), "another model, interval or day"),
        (GOOD.replace(b'"v":1', b'"v":2', 1), "version 2"),
    ],
)
def test_a_damaged_part_is_named_with_its_line_and_the_remedy(
    store: MemoryStore, part: Any, reason: str
) -> None:
    run = put_run(store, [part])
    with pytest.raises(Poison) as raised:
        read_run(store, run)
    assert reason in str(raised.value)
    assert run.prefix in str(raised.value)
    remedy = "run `frametally aggregate --all --interval 60 --from 2026-01-01 --to 2026-01-02`"
    assert remedy in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_part_is_named(store: MemoryStore) -> None:
    run = put_run(store, [GOOD])
    store.delete(f"{run.prefix}/part-00000.gz")
    with pytest.raises(Poison, match=r"part-00000\.gz is missing"):
        read_run(store, run)
