"""Completes counts and coverage with what tracking found, line by line of the job's sorted output.

Of lines with one key, the record's sorts last (`{"v"...` after `{"model"...`); those before it are what the
hours of the interval add to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from frametally_hadoop.job.mapping import to_json


def join_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield one line per record.

    Args:
        lines: Output lines of the job's counts and coverage, sorted bytewise, each with its line end.
    """
    for key, group in groupby(lines, key=lambda line: line.partition(b"\t")[0]):
        *parts, record = group
        if parts:
            fields = json.loads(record.partition(b"\t")[2])
            fields |= _sum([json.loads(part.partition(b"\t")[2]) for part in parts])
            record = key + b"\t" + to_json(fields) + b"\n"
        yield record


def _sum(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum what every hour has measured; the rate is that of the slowest hour."""
    summed: dict[str, Any] = {}
    for name in parts[0].keys() - {"model"}:
        values = [part[name] for part in parts]
        if name == "analysed_fps":
            summed[name] = min(values)
        else:
            summed[name] = None if None in values else sum(values)
    return summed
