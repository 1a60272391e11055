"""Rules on missing or late footage, and on black or frozen pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from frametally.media.sources import counted_until, footage_until
from frametally.ports.count_index import CountIndex, CountQuery, SourceSummary
from frametally.process.reports import NoProgress
from frametally.rules.times import DAY_MS, NEXT_MS, utc
from frametally_alerts.conditions.round_input import (
    Counted,
    CountPorts,
    Looked,
    RoundPorts,
    counted_for,
    sources_of,
)
from frametally_alerts.rules import Alert, AlertFinding, AlertRule, Scope

_NO_LABEL = "\0"
"""No class has this name; a query for it returns the coverage alone."""
_MS_AT_ONCE = 31 * DAY_MS
LOOK_BACK_DAYS = 62
_LOOK_BACK_MS = LOOK_BACK_DAYS * DAY_MS
"""Footage that arrives later than that no longer changes an alert."""


def look_for_gaps(rule: AlertRule, ports: CountPorts, alerts: list[Alert]) -> Iterator[Looked]:
    """Yield the gaps of each of the rule's sources.

    A gap begins where footage ends. The rule reports it once it has lasted, by the clock if it goes on,
    again when it ends, and withdraws it when footage fills it. `alerts` has the rule's alerts.
    """
    counts = counted_for(rule, ports.index)
    open_since = {
        (alert.source, alert.start_ms) for alert in alerts if alert.state == "told" and alert.end_ms is None
    }
    first_ms = max(rule.since_ms, ports.now_ms - _LOOK_BACK_MS)
    for source in rule.sources:
        summary = counts.sources.get(source) if counts else None
        spans = list(_filmed(ports.index, counts, summary, first_ms)) if counts and summary else []
        until_ms = first_ms
        if first_ms > rule.since_ms and summary:  # the time before it is not known here
            until_ms = spans[0][0] if spans else max(rule.since_ms, summary.next_interval_ms)
        scope = Scope(until_ms, NEXT_MS, (source,))
        gaps: list[AlertFinding] = []
        for from_ms, to_ms in spans:
            if from_ms - until_ms >= rule.duration_s * 1000:
                gaps.append(AlertFinding(source, "", until_ms, from_ms))
            until_ms = max(until_ms, to_ms)
        # A clock that was set back withdraws nothing.
        if ports.now_ms - until_ms >= rule.duration_s * 1000 or (source, until_ms) in open_since:
            gaps.append(AlertFinding(source, "", until_ms))
        yield Looked(gaps, scope)


def _filmed(
    index: CountIndex, counts: Counted, summary: SourceSummary, from_ms: int
) -> Iterator[tuple[int, int]]:
    """Yield the periods since then in which a source was filmed, in order, by base intervals."""
    base_ms = counts.base_interval_s * 1000
    first_ms = max(summary.first_interval_ms, from_ms - from_ms % base_ms)
    span: tuple[int, int] | None = None
    while first_ms < summary.next_interval_ms:
        next_ms = min(first_ms + _MS_AT_ONCE, summary.next_interval_ms)
        query = CountQuery(
            counts.model,
            counts.base_interval_s,
            sources=[summary.source],
            labels=[_NO_LABEL],
            from_ms=first_ms,
            to_ms=next_ms,
        )
        for interval in index.histogram(query).coverage:
            if not interval.frames:
                continue
            if span is not None and interval.start_ms == span[1]:
                span = span[0], interval.start_ms + base_ms
                continue
            if span is not None:
                yield span
            span = interval.start_ms, interval.start_ms + base_ms
        first_ms = next_ms
    if span is not None:
        yield span


def look_for_late_footage(
    rule: AlertRule, ports: RoundPorts, alerts: list[Alert], marks: Mapping[str, str]
) -> Iterator[Looked]:
    """Yield the sources whose footage has waited for as long as the rule says, by the clock.

    A mark holds the end of the awaited footage, the time since when it waits, and the end of the counts then,
    which is the alert's start. The alert ends once that footage is counted.
    """
    ports.ledger.refresh(ports.store, NoProgress())
    footage_ends = footage_until(ports.ledger.manifests())
    counts = counted_for(rule, ports.index)
    summaries = counts.sources if counts else {}
    open_at = {alert.source: alert for alert in alerts if alert.state == "told" and alert.end_ms is None}
    for source in sources_of(rule, footage_ends):
        summary = summaries.get(source)
        until_ms = counted_until(summary.next_interval_ms if summary else None, footage_ends[source])
        is_behind = until_ms is None or until_ms < footage_ends[source]
        awaited = _awaited(marks.get(source))
        findings = []
        if awaited is not None and until_ms is not None and until_ms >= awaited[0]:
            if source in open_at:
                findings.append(_counted_again(open_at[source], until_ms))
            awaited = None
        if is_behind and awaited is None:
            start_ms = rule.since_ms if until_ms is None else until_ms
            awaited = footage_ends[source], ports.now_ms, start_ms
        elif awaited is not None:  # the clock was set back
            awaited = awaited[0], min(awaited[1], ports.now_ms), awaited[2]
        if awaited is not None and (
            ports.now_ms - awaited[1] >= rule.duration_s * 1000
            or (source in open_at and open_at[source].start_ms == awaited[2])
        ):
            detail = f"footage until {utc(awaited[0])} is stored but not counted"
            findings.append(AlertFinding(source, "", awaited[2], None, None, detail))
        mark = None if awaited is None else " ".join(map(str, awaited))
        yield Looked(findings, None, {source: mark})


def _counted_again(alert: Alert, until_ms: int) -> AlertFinding:
    return AlertFinding(
        alert.source,
        "",
        alert.start_ms,
        until_ms,
        None,
        f"footage until {utc(until_ms)} is being counted again",
    )


def _awaited(mark: str | None) -> tuple[int, int, int] | None:
    if mark is None:
        return None
    until_ms, since_ms, start_ms = map(int, mark.split())
    return until_ms, since_ms, start_ms


_SLACK_MS = 10_000
"""A minute's manifest has its newest frames slightly before its notes on them."""
_WORDS = {"black": "the picture is black", "frozen": "the picture does not change: it may be frozen"}


def look_for_blind_cameras(rule: AlertRule, ports: RoundPorts) -> Iterator[Looked]:
    """Yield for each camera the periods in which its picture was black or frozen for long enough.

    A period ends once the camera shows something else, or is down.
    """
    ports.ledger.refresh(ports.store, NoProgress())
    doubts: dict[str, dict[tuple[int, str], int]] = {}
    until_ms: dict[str, int] = {}
    for manifest in ports.ledger.manifests():
        if manifest.live is None:
            continue
        source, live = manifest.source, manifest.live
        times = [manifest.last_captured_at_ms or 0]
        times += [(outage.to_ms or outage.from_ms) + _SLACK_MS for outage in live.outages]
        until_ms[source] = max(until_ms.get(source, 0), *times)
        ends = doubts.setdefault(source, {})
        for doubt in live.doubts:
            doubt_key = doubt.from_ms, doubt.what
            ends[doubt_key] = max(ends.get(doubt_key, 0), doubt.to_ms)
    first_ms = max(rule.since_ms, ports.now_ms - LOOK_BACK_DAYS * DAY_MS)
    for source in sources_of(rule, doubts):
        findings = [
            AlertFinding(
                source,
                "",
                from_ms,
                to_ms if to_ms + _SLACK_MS <= until_ms[source] else None,
                detail=_WORDS[kind],
                ref=kind,
            )
            for (from_ms, kind), to_ms in sorted(doubts[source].items())
            if from_ms >= first_ms and to_ms - from_ms >= rule.duration_s * 1000
        ]
        yield Looked(findings, Scope(first_ms, NEXT_MS, (source,)))
