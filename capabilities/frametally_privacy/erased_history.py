"""Lets the history of counted days begin again: its earlier entries have the counts of erased footage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

import msgspec

from frametally.books.runs import current_days, read_history
from frametally.history_records import HistoryEntry, HistoryReason, RunHistory, hours_key, list_in
from frametally.ports.object_store import ObjectStore
from frametally.records import encode


def begin_histories_again(store: ObjectStore, days: Container[str]) -> None:
    """Replace the history of each current run of UTC days by one entry, with what the run counted.

    Raises:
        Poison: A history is damaged.
    """
    for day in current_days(store).values():
        run = day.run
        if run is None or run.day not in days or run.hours_crc32 is None or day.pointer != run.key:
            continue
        history = read_history(store, run)
        if history is not None and len(history.entries) > 1:
            key = hours_key(run.prefix)
            store.put(key, list_in(store.get(key)) + b"\n" + encode(_of_one_entry(history)))


def _of_one_entry(history: RunHistory) -> RunHistory:
    sums: dict[str, dict[str, Counter[int]]] = {}
    for entry in history.entries:
        for source, by_label in entry.differences.items():
            for label, by_hour in by_label.items():
                of_label = sums.setdefault(source, {}).setdefault(label, Counter())
                for hour, more in by_hour.items():
                    of_label[hour] += more
    differences: dict[str, dict[str, dict[int, int]]] = {}
    for source, of_source in sums.items():
        for label, of_label in of_source.items():
            if left := {hour: number for hour, number in of_label.items() if number}:
                differences.setdefault(source, {})[label] = left
    last = history.entries[-1]
    entry = HistoryEntry(
        sequence=last.sequence,
        run_id=last.run_id,
        runs=sum(entry.runs for entry in history.entries),
        counted_at_ms=last.counted_at_ms,
        version=last.version,
        params=last.params,
        reasons=[HistoryReason(kind="earlier")],
        differences=differences,
    )
    return msgspec.structs.replace(history, entries=[entry])
