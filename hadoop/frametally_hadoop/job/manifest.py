"""The manifest of the counting job: what a task reads, and what of it. Standard library only.

A line is a split: one segment, or several with an `ENTRY_SEPARATOR` between them. A segment is its URL and,
where not all of it is counted, a TAB and a JSON object with some of the fields of `SegmentEntry`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from typing import Any, NamedTuple

from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.rules.tombstones import Forgotten
from frametally_hadoop.job.picture_parts import PartWork, part_rules

ENTRY_SEPARATOR = "\x1e"
"""Stands between the segments of one manifest line: no address holds it raw."""


class SegmentEntry(NamedTuple):
    """One segment, and what of it is counted.

    Attributes:
        name: Its name in reports; absent: its URL without the query, where a presigned one is signed.
        days: Whole days since 1970 UTC; absent: all.
        hours: Of these days by source the whole hours since 1970, for `whole` pictures and within `parts`;
            absent: all.
        without: What does not count, forgotten or lost to an overlapping medium.
        parts: What is counted within parts of pictures, as `PartRules.parse_work` reads it.
    """

    url: str
    name: str
    days: Set[int] | None
    hours: dict[str, dict[str, list[int]]] | None
    without: Forgotten
    parts: PartWork | None

    @property
    def sources(self) -> set[str] | None:
        """The sources that are counted; None: all."""
        return None if self.hours is None else {source for hours in self.hours.values() for source in hours}

    def has(self, source: str, unit_start_ms: int) -> bool:
        """Return whether a unit is counted, of whole pictures."""
        return _is_in(self.days, unit_start_ms) and self._has_hour("whole", source, unit_start_ms)

    def has_parts(self, source: str, unit_start_ms: int) -> bool:
        """Return whether a unit is counted within parts of pictures."""
        return (
            self.parts is not None
            and _is_in(self.parts.days, unit_start_ms)
            and self._has_hour("parts", source, unit_start_ms)
        )

    def _has_hour(self, kind: str, source: str, start_ms: int) -> bool:
        return self.hours is None or start_ms // HOUR_MS in self.hours[kind].get(source, ())


def _is_in(days: Set[int] | None, start_ms: int) -> bool:
    return days is None or start_ms // DAY_MS in days


def parse_line(line: str) -> Iterator[SegmentEntry]:
    """Yield the segments of a manifest line."""
    for text in filter(None, line.strip().split(ENTRY_SEPARATOR)):
        url, _, rest = text.partition("\t")
        fields = json.loads(rest) if rest else {}
        yield SegmentEntry(
            url,
            fields.get("name", url.partition("?")[0]),
            frozenset(fields["days"]) if "days" in fields else None,
            fields.get("hours"),
            fields.get("without", {}),
            part_rules().parse_work(fields["parts"]) if "parts" in fields else None,
        )


def entry_text(url: str, **fields: Any) -> str:
    """Return a segment's text in a manifest line, from the fields of `SegmentEntry` that it has."""
    return f"{url}\t{json.dumps(fields, separators=(',', ':'))}"
