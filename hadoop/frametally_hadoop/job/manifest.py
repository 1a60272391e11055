"""The manifest of the counting job: what a task reads, and what of it. Standard library only.

A line is a split: one segment, or several with an `ENTRY_SEPARATOR` between them. A segment is its URL and,
where not all of it is counted, a TAB and a JSON object with some of the fields of `SegmentEntry`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from typing import Any, NamedTuple

from frametally.rules.places import Zones, parse_zones
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.rules.tombstones import Forgotten

ENTRY_SEPARATOR = "\x1e"
"""Stands between the segments of one manifest line: no address holds it raw."""


class SegmentEntry(NamedTuple):
    """One segment, and what of it is counted.

    Attributes:
        name: Its name in reports; absent: its URL without the query, where a presigned one is signed.
        days: Whole days since 1970 UTC; absent: all.
        hours: Of these days by source the whole hours since 1970; absent: all.
        without: What does not count, forgotten or lost to an overlapping medium.
        zones: By source and hour, whole ones since 1970, the zones to count within; absent: none.
    """

    url: str
    name: str
    days: Set[int] | None
    hours: dict[str, list[int]] | None
    without: Forgotten
    zones: dict[str, dict[int, Zones]]

    @property
    def sources(self) -> set[str] | None:
        """The sources that are counted; None: all."""
        return None if self.hours is None else self.hours.keys() | self.zones.keys()

    def has(self, source: str, unit_start_ms: int) -> bool:
        """Return whether a unit is counted, of whole pictures."""
        return (self.days is None or unit_start_ms // DAY_MS in self.days) and (
            self.hours is None or unit_start_ms // HOUR_MS in self.hours.get(source, ())
        )

    def zones_of(self, source: str, unit_start_ms: int) -> Zones:
        """Return the zones that a unit is counted within."""
        return self.zones.get(source, {}).get(unit_start_ms // HOUR_MS, ())


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
            {
                source: {int(hour): parse_zones(zones) for hour, zones in by_hour.items()}
                for source, by_hour in fields.get("zones", {}).items()
            },
        )


def entry_text(url: str, **fields: Any) -> str:
    """Return a segment's text in a manifest line, from the fields of `SegmentEntry` that it has."""
    return f"{url}\t{json.dumps(fields, separators=(',', ':'))}"
