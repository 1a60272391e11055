"""Provides the input of a round of rules: the ports, the clock, and the counts of one model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from frametally.books.counted_days import up_to_date
from frametally.errors import Poison
from frametally.ports.count_index import CountIndex, SourceSummary
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process.period import shown_period
from frametally.rules.times import DAY_S
from frametally.settings.loading import Settings
from frametally_alerts.rules import BY_BARS, AlertFinding, AlertRule, Scope

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue


class Looked(NamedTuple):
    """The findings of one check of a rule; see `AlertBook.settle`."""

    findings: list[AlertFinding]
    scope: Scope | None = None
    marks: Mapping[str, str | None] = MappingProxyType({})


@dataclass(frozen=True)
class CountPorts:
    """The ports that rules on counts and footage read."""

    settings: Settings
    store: ObjectStore
    index: CountIndex
    ledger: Ledger
    now_ms: int = field(kw_only=True)


@dataclass(frozen=True)
class RoundPorts(CountPorts):
    """The ports that all rules read."""

    catalogue: VideoCatalogue


class Counted(NamedTuple):
    """The counts that a rule reads: one model's, with one base interval."""

    model: str
    base_interval_s: int
    sources: dict[str, SourceSummary]


def counted_for(rule: AlertRule, index: CountIndex) -> Counted | None:
    """Return the counts that a rule reads, or None if there are none yet.

    Raises:
        Poison: No base interval divides that of the rule.
    """
    model, bases = bases_of(rule, index)
    if not bases:
        return None
    usable = fitting(rule, bases)
    if not usable:
        raise Poison(
            f"{interval_fault(rule, bases)}; delete the rule, and add it again with another interval"
        )
    base_s = max(up_to_date(index, model, usable, rule.since_ms, None))
    return Counted(model, base_s, {summary.source: summary for summary in index.sources(model)})


def bases_of(rule: AlertRule, index: CountIndex) -> tuple[str, list[int]]:
    """Return the model whose counts a rule reads, and its base intervals in seconds; empty without counts."""
    series = index.series()
    model = rule.model or (series[0].model if series else "")
    return model, [entry.base_interval_s for entry in series if entry.model == model]


def fitting(rule: AlertRule, bases_s: Sequence[int]) -> list[int]:
    """Return the base intervals that divide a rule's intervals; all of them if it has no intervals."""
    return [base_s for base_s in bases_s if rule.what not in BY_BARS or rule.interval_s % base_s == 0]


def with_counted_interval(rule: AlertRule, index: CountIndex) -> AlertRule:
    """Return a rule with intervals no shorter than the counted ones, such as 1 min instead of 1 s."""
    _, bases = bases_of(rule, index)
    if rule.what not in BY_BARS or not bases or rule.interval_s >= min(bases):
        return rule
    base_s = min(bases)
    interval_s = next((step for step in range(base_s, DAY_S + 1, base_s) if DAY_S % step == 0), DAY_S)
    duration_s = -(-rule.duration_s // interval_s) * interval_s
    return msgspec.structs.replace(rule, interval_s=interval_s, duration_s=duration_s)


def interval_fault(rule: AlertRule, bases_s: Sequence[int]) -> str:
    """Return why these base intervals do not fit a rule's intervals, and which intervals they allow."""
    bases_text = ", ".join(shown_period(base_s) for base_s in sorted(bases_s))
    return (
        f"its interval of {shown_period(rule.interval_s)} is not a multiple of a counted interval "
        f"({bases_text}), so it stays silent: use {shown_period(min(bases_s))}, or a multiple of it that "
        "divides a day evenly"
    )


def sources_of(rule: AlertRule, sources: Iterable[str]) -> list[str]:
    """Return the existing sources that a rule is about."""
    return sorted(source for source in sources if not rule.sources or source in rule.sources)
