"""Rules on "no footage": times in which a source was not filmed, those that go on included."""

from __future__ import annotations

from collections.abc import Iterator

from frametally.ports.count_index import CountIndex, CountQuery, SourceSummary
from frametally.rules.times import DAY_MS, NEXT_MS
from frametally_alerts.conditions.round_input import Counted, Looked, RoundPorts, counted_for
from frametally_alerts.rules import Alert, AlertFinding, AlertRule, Scope

_NO_LABEL = "\0"
"""No class is named so: asked for, it leaves the coverage alone."""
_MS_AT_ONCE = 31 * DAY_MS
LOOK_BACK_DAYS = 62
_LOOK_BACK_MS = LOOK_BACK_DAYS * DAY_MS
"""Footage that comes later than that changes no alert any more."""


def look(rule: AlertRule, ports: RoundPorts, told: list[Alert]) -> Iterator[Looked]:
    """Yield the gaps of each of the rule's sources.

    A gap begins where footage ends, and is told once it has lasted; of one that goes on, by the clock. It is
    told again when it has an end, and taken back when footage fills it.

    Args:
        rule: Which names its sources.
        ports: What is read.
        told: By the rule before.
    """
    counted = counted_for(rule, ports.index)
    open_since = {
        (alert.source, alert.start_ms) for alert in told if alert.state == "told" and alert.end_ms is None
    }
    first_ms = max(rule.since_ms, ports.now_ms - _LOOK_BACK_MS)
    for source in rule.sources:
        summary = counted.sources.get(source) if counted else None
        spans = list(_filmed(ports.index, counted, summary, first_ms)) if counted and summary else []
        until_ms = first_ms
        if first_ms > rule.since_ms and summary:  # what was before it is not known here
            until_ms = spans[0][0] if spans else max(rule.since_ms, summary.next_interval_ms)
        scope = Scope(until_ms, NEXT_MS, (source,))
        gaps: list[AlertFinding] = []
        for from_ms, to_ms in spans:
            if from_ms - until_ms >= rule.duration_s * 1000:
                gaps.append(AlertFinding(source, "", until_ms, from_ms))
            until_ms = max(until_ms, to_ms)
        # A clock that was set back takes nothing back.
        if ports.now_ms - until_ms >= rule.duration_s * 1000 or (source, until_ms) in open_since:
            gaps.append(AlertFinding(source, "", until_ms))
        yield Looked(gaps, scope)


def _filmed(
    index: CountIndex, counted: Counted, summary: SourceSummary, from_ms: int
) -> Iterator[tuple[int, int]]:
    """Yield from when to when a source was filmed since then, in order, by base intervals."""
    base_ms = counted.base_interval_s * 1000
    first_ms = max(summary.first_interval_ms, from_ms - from_ms % base_ms)
    span: tuple[int, int] | None = None
    while first_ms < summary.next_interval_ms:
        next_ms = min(first_ms + _MS_AT_ONCE, summary.next_interval_ms)
        query = CountQuery(
            counted.model,
            counted.base_interval_s,
            sources=[summary.source],
            labels=[_NO_LABEL],
            from_ms=first_ms,
            to_ms=next_ms,
        )
        for one in index.histogram(query).coverage:
            if not one.frames:
                continue
            if span is not None and one.start_ms == span[1]:
                span = span[0], one.start_ms + base_ms
                continue
            if span is not None:
                yield span
            span = one.start_ms, one.start_ms + base_ms
        first_ms = next_ms
    if span is not None:
        yield span
