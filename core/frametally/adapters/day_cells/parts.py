"""Parts of a day: the rows of a source and UTC hour, and the run that wrote them.

A run keeps the rows of each part that the run before has with the same digest, and writes only the others.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from frametally.adapters.day_cells.storage import Packed
from frametally.records import Coverage, IntervalCount, encode
from frametally.rules.times import HOUR_MS

_SOURCES_AT_ONCE = 500


class DayPart(NamedTuple):
    """A source and an hour, in hours since the epoch."""

    source: str
    hour: int


class WrittenPart(NamedTuple):
    """What an index has of a part.

    Attributes:
        writer: The run under which its rows lie: its number or its mark (`CurrentRun`).
        digest: Of its records, as `part_digests` says.
    """

    writer: int | str
    digest: int


Parts = Mapping[DayPart, WrittenPart]


def part_at(source: str, start_ms: int) -> DayPart:
    """Return the part of a base interval."""
    return DayPart(source, start_ms // HOUR_MS)


def writer_at(parts: Parts, source: str, start_ms: int, own: int | str) -> int | str:
    """Return the run under which the row of a base interval lies: the run itself if no part says so."""
    written = parts.get(part_at(source, start_ms))
    return own if written is None else written.writer


def part_digests(counts: Iterable[IntervalCount], coverage: Iterable[Coverage]) -> dict[DayPart, int]:
    """Return the digest of each part: the digests of its records added up, so in any order the same."""
    digests: defaultdict[DayPart, int] = defaultdict(int)
    records: Iterable[IntervalCount | Coverage] = chain(counts, coverage)
    for record in records:
        digest = hashlib.blake2b(encode(record), digest_size=8).digest()
        digests[part_at(record.source, record.interval_start_ms)] += int.from_bytes(digest)
    return {part: digest % 2**64 for part, digest in digests.items()}


def kept_parts(digests: Mapping[DayPart, int], before: Parts) -> dict[DayPart, WrittenPart]:
    """Return the parts that the run before has with the same digest."""
    return {part: written for part, written in before.items() if digests.get(part) == written.digest}


def parts_of_run(
    digests: Mapping[DayPart, int], unchanged: Parts, writer: int | str
) -> dict[DayPart, WrittenPart]:
    """Return all parts of a run, which writes those that it does not keep."""
    return {part: unchanged.get(part) or WrittenPart(writer, digest) for part, digest in digests.items()}


def parts_in(packed: Packed) -> dict[DayPart, WrittenPart]:
    """Return what is packed of parts with the base interval; none: the run itself wrote all its rows."""
    return {
        DayPart(packed.sources[source], hour): WrittenPart(packed.writers[writer], digest)
        for source, hour, writer, digest in packed.parts
    }


def sources_by_hour(parts: Parts) -> Iterator[tuple[int | str, int, list[str]]]:
    """Give the writer and hour in milliseconds of parts, each with some hundreds of their sources."""
    sources: defaultdict[tuple[int | str, int], list[str]] = defaultdict(list)
    for part, (writer, _) in parts.items():
        sources[writer, part.hour * HOUR_MS].append(part.source)
    for (writer, hour_ms), names in sources.items():
        for first in range(0, len(names), _SOURCES_AT_ONCE):
            yield writer, hour_ms, names[first : first + _SOURCES_AT_ONCE]
