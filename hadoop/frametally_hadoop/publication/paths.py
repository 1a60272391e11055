"""Packs the paths of a day's tracks: lines of the job's output in, a file for each source out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from frametally.rules.path_columns import POINT_COLUMNS, TRACK_COLUMNS, PathColumns
from frametally.rules.times import DAY_MS, HOUR_MS


def pack_paths(lines: Iterable[bytes]) -> Iterator[PathColumns]:
    """Yield the paths of each source.

    Args:
        lines: The job's lines `["paths", source, hour_start_ms]` of one day, sorted.
    """
    keyed = ((json.loads(key), value) for key, _, value in (line.partition(b"\t") for line in lines))
    for source, of_source in groupby(keyed, key=lambda line: line[0][1]):
        hours = [(key[2], msgspec.json.decode(value)) for key, value in of_source]
        yield _joined(source, sorted(hours, key=itemgetter(0)))


def _joined(source: str, hours: list[tuple[int, dict[str, Any]]]) -> PathColumns:
    first_ms, first = hours[0]
    day_start_ms = first_ms - first_ms % DAY_MS
    labels = tuple(sorted({label for _, hour in hours for label in hour["label"]}))
    index_of = {label: index for index, label in enumerate(labels)}
    columns: dict[str, list[int]] = {name: [] for name in (*TRACK_COLUMNS, *POINT_COLUMNS)}
    for start_ms, hour in hours:
        columns["hour"] += [(start_ms - day_start_ms) // HOUR_MS] * len(hour["number"])
        columns["label"] += [index_of[label] for label in hour["label"]]
        for name in columns.keys() - {"hour", "label"}:
            columns[name] += hour[name]
    return PathColumns(first["model"], source, day_start_ms, labels, columns)
