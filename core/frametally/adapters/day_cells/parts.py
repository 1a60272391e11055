"""Parts of a day: the rows of a source and UTC hour, and the run that wrote them.

A part has the name of the file that its records come from; a run keeps the rows of the parts that it names,
and writes only the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from frametally.adapters.day_cells.storage import CurrentRun, Packed
from frametally.ports.count_index import DayPart, NameOf, PartsReplaced, part_at
from frametally.records import Coverage, Evidence, IntervalCount
from frametally.rules.times import HOUR_MS

_SOURCES_AT_ONCE = 500


class WrittenPart(NamedTuple):
    """A part in an index.

    Attributes:
        writer: The run that wrote its rows: its number or its mark (`CurrentRun`).
        name: 16 hex of the file that its records come from, or else a digest of the records.
    """

    writer: int | str
    name: str


Parts = Mapping[DayPart, WrittenPart]


class WrittenDay(NamedTuple):
    """A day as an index has it: its current run, and the packed cells of the base interval."""

    run: CurrentRun
    packed: Packed


class KeptParts(NamedTuple):
    """The parts that a run keeps from the previous one.

    Attributes:
        packed: The cells of the previous run; None if the run keeps nothing.
        evidence: The busiest frames of the parts, by source and label.
    """

    parts: Parts
    packed: Packed | None
    evidence: Mapping[tuple[str, str], list[Evidence]]


NOTHING_KEPT = KeptParts({}, None, {})


def writer_at(parts: Parts, source: str, start_ms: int, own: int | str) -> int | str:
    """Return the run that has the row of a base interval: `own` if it is in no part."""
    written = parts.get(part_at(source, start_ms))
    return own if written is None else written.writer


def parts_in(packed: Packed) -> dict[DayPart, WrittenPart]:
    """Return the parts packed with the base interval; without any, the run itself wrote all its rows."""
    return {
        DayPart(packed.sources[source], hour): WrittenPart(packed.writers[writer], f"{name:016x}")
        for source, hour, writer, name in packed.parts
    }


def names_in(packed: Packed | None) -> frozenset[str]:
    """Return the names of the packed parts."""
    return frozenset() if packed is None else frozenset(f"{part[3]:016x}" for part in packed.parts)


def parts_named(packed: Packed | None, names: Collection[str]) -> dict[DayPart, WrittenPart]:
    """Return the packed parts with these names. Raises `PartsReplaced` if one is missing."""
    if not names_in(packed).issuperset(names):
        raise PartsReplaced("the count index was changed while a run was read for it; index again")
    return (
        {}
        if packed is None
        else {part: written for part, written in parts_in(packed).items() if written.name in names}
    )


def written_parts(
    counts: Iterable[IntervalCount], coverage: Iterable[Coverage], name_of: NameOf, writer: int | str
) -> dict[DayPart, WrittenPart]:
    """Return the parts of the records that a run writes."""
    records: Iterable[IntervalCount | Coverage] = chain(counts, coverage)
    parts = {part_at(record.source, record.interval_start_ms) for record in records}
    return {part: WrittenPart(writer, name_of(part)) for part in parts}


def sources_by_hour(parts: Parts) -> Iterator[tuple[int | str, int, list[str]]]:
    """Yield the writer and hour (in ms) of parts, each with up to some hundreds of their sources."""
    sources: defaultdict[tuple[int | str, int], list[str]] = defaultdict(list)
    for part, (writer, _) in parts.items():
        sources[writer, part.hour * HOUR_MS].append(part.source)
    for (writer, hour_ms), names in sources.items():
        for first in range(0, len(names), _SOURCES_AT_ONCE):
            yield writer, hour_ms, names[first : first + _SOURCES_AT_ONCE]
