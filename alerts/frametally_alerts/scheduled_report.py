"""Records of scheduled reports."""

from __future__ import annotations

import datetime
import hashlib

import msgspec

from frametally.rules.clocks.turns import Every

PREFIX = "report/"
"""Before a report's name where alerts have that of their rule: no rule's name has a `/`."""


class ScheduledReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report that is made every so often of the day, week or month that is over.

    Attributes:
        name: Its name, which is its own, and a slug.
        every: On which days.
        at_minute: Of the day, by the clocks of `zone`.
        zone: Name of a time zone (IANA).
        channels: Names of the channels that tell it; none: it is put into the store alone.
        sources: Slugs; empty: all.
        labels: Classes; empty: all.
        by_source: Whether its rows are of each source for itself.
        interval_s: Length of a row; None: chosen.
        model: Whose counts; empty: those that were published last.
        made_at_ms: When it was added: nothing that was due before is made.
    """

    name: str
    every: Every
    at_minute: int
    zone: str
    channels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    by_source: bool = False
    interval_s: int | None = None
    model: str = ""
    made_at_ms: int = 0

    @property
    def rule(self) -> str:
        """What its alerts have as the name of their rule."""
        return f"{PREFIX}{self.name}"

    @property
    def clock(self) -> str:
        """Its time of the day, such as `07:00`."""
        return f"{self.at_minute // 60:02}:{self.at_minute % 60:02}"


def turn_key(report: ScheduledReport, day: datetime.date) -> str:
    """Return the key of what tells a report of a turn: of its local day, there is one."""
    parts = (report.rule, str(report.made_at_ms), day.isoformat())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
