"""What a round of rules reads: the ports, the clock, and the counts of one model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from frametally.errors import Poison
from frametally.ports.count_index import CountIndex, SourceSummary
from frametally.ports.count_questions import up_to_date
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process.period import shown_period
from frametally.settings.loading import Settings
from frametally_alerts.rules import BY_BARS, AlertFinding, AlertRule, Scope
from frametally_videos.ports.job_book import JobBook
from frametally_videos.ports.video_catalogue import VideoCatalogue


class Looked(NamedTuple):
    """What a rule found in one look.

    Attributes:
        findings: All within `scope`.
        scope: See `AlertBook.settle`.
        marks: Likewise.
    """

    findings: list[AlertFinding]
    scope: Scope | None = None
    marks: Mapping[str, str | None] = MappingProxyType({})


@dataclass(frozen=True)
class RoundPorts:
    """What rules are looked at with."""

    settings: Settings
    store: ObjectStore
    index: CountIndex
    ledger: Ledger
    catalogue: VideoCatalogue
    now_ms: int

    @property
    def jobs(self) -> JobBook:
        """The book of what is done to videos."""
        return self.catalogue


class Counted(NamedTuple):
    """Counts that a rule reads: a model's, with one base interval."""

    model: str
    base_interval_s: int
    sources: dict[str, SourceSummary]


def counted_for(rule: AlertRule, index: CountIndex) -> Counted | None:
    """Return the counts that a rule reads; None: nothing is counted yet.

    Raises:
        Poison: None of the base intervals divides that of the rule.
    """
    model, bases = bases_of(rule, index)
    if not bases:
        return None
    usable = fitting(rule, bases)
    if not usable:
        raise Poison(f"{interval_fault(rule, bases)}; remove it, and add it with another")
    base_s = max(up_to_date(index, model, usable, rule.since_ms, None))
    return Counted(model, base_s, {one.source: one for one in index.sources(model)})


def bases_of(rule: AlertRule, index: CountIndex) -> tuple[str, list[int]]:
    """Return the model whose counts a rule reads, and its base intervals in seconds; none: no counts yet."""
    series = index.series()
    model = rule.model or (series[0].model if series else "")
    return model, [one.base_interval_s for one in series if one.model == model]


def fitting(rule: AlertRule, bases_s: Sequence[int]) -> list[int]:
    """Return the base intervals of which a rule's are made: all where it has no intervals of its own."""
    return [base_s for base_s in bases_s if rule.what not in BY_BARS or rule.interval_s % base_s == 0]


def interval_fault(rule: AlertRule, bases_s: Sequence[int]) -> str:
    """Return why a rule's intervals can be made of none of these base intervals, and what would do."""
    counted = ", ".join(shown_period(base_s) for base_s in sorted(bases_s))
    return (
        f"its interval of {shown_period(rule.interval_s)} is no multiple of what is counted ({counted}), "
        f"so it tells nothing: give {shown_period(min(bases_s))}, or a multiple of it that divides a day"
    )


def wanted(rule: AlertRule, sources: Iterable[str]) -> list[str]:
    """Return the sources that a rule is about, of those that there are."""
    return sorted(source for source in sources if not rule.sources or source in rule.sources)
