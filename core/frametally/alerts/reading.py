"""What a round of rules reads: the ports, the clock, and the counts of one model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from frametally.alert_records import AlertFinding, AlertRule, Scope
from frametally.errors import Poison
from frametally.ports.count_index import CountIndex, SourceSummary
from frametally.ports.count_questions import up_to_date
from frametally.ports.job_book import JobBook
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.ports.video_catalogue import VideoCatalogue
from frametally.settings.loading import Settings


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
    series = index.series()
    model = rule.model or (series[0].model if series else "")
    bases = [one.base_interval_s for one in series if one.model == model]
    if not bases:
        return None
    fitting = [base_s for base_s in bases if rule.interval_s % base_s == 0]
    if not fitting:
        raise Poison(
            f"its interval of {rule.interval_s} s is no multiple of what is counted "
            f"({', '.join(f'{base_s} s' for base_s in bases)}); remove it, and add it with another"
        )
    base_s = max(up_to_date(index, model, fitting, rule.since_ms, None))
    return Counted(model, base_s, {one.source: one for one in index.sources(model)})


def wanted(rule: AlertRule, sources: Iterable[str]) -> list[str]:
    """Return the sources that a rule is about, of those that there are."""
    return sorted(source for source in sources if not rule.sources or source in rule.sources)
