"""Rules on "not up to date": footage that was announced, and is in no chart for too long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from frametally.media.sources import counted_until, footage_until
from frametally.process.reports import NoProgress
from frametally.rules.times import utc
from frametally_alerts.conditions.round_input import Looked, RoundPorts, counted_for, wanted
from frametally_alerts.rules import Alert, AlertFinding, AlertRule


def look(rule: AlertRule, ports: RoundPorts, told: list[Alert], marks: Mapping[str, str]) -> Iterator[Looked]:
    """Yield the sources of which footage has waited for as long as the rule says, by the clock.

    A mark has up to when footage is waited for, since when, and up to when was counted then: the alert's
    start. Once that is counted, the alert has an end.
    """
    ports.ledger.refresh(ports.store, NoProgress())
    there = footage_until(ports.ledger.manifests())
    counted = counted_for(rule, ports.index)
    summaries = counted.sources if counted else {}
    open_at = {alert.source: alert for alert in told if alert.state == "told" and alert.end_ms is None}
    for source in wanted(rule, there):
        summary = summaries.get(source)
        until_ms = counted_until(summary.next_interval_ms if summary else None, there[source])
        is_behind = until_ms is None or until_ms < there[source]
        awaited = _read(marks.get(source))
        findings = []
        if awaited is not None and until_ms is not None and until_ms >= awaited[0]:
            if source in open_at:
                findings.append(_over(open_at[source], until_ms))
            awaited = None
        if is_behind and awaited is None:
            start_ms = rule.since_ms if until_ms is None else until_ms
            awaited = there[source], ports.now_ms, start_ms
        elif awaited is not None:  # after a clock that was set back
            awaited = awaited[0], min(awaited[1], ports.now_ms), awaited[2]
        if awaited is not None and (
            ports.now_ms - awaited[1] >= rule.duration_s * 1000
            or (source in open_at and open_at[source].start_ms == awaited[2])
        ):
            detail = f"footage until {utc(awaited[0])} is there, and not counted"
            findings.append(AlertFinding(source, "", awaited[2], None, None, detail))
        mark = None if awaited is None else " ".join(map(str, awaited))
        yield Looked(findings, None, {source: mark})


def _over(alert: Alert, until_ms: int) -> AlertFinding:
    return AlertFinding(
        alert.source, "", alert.start_ms, until_ms, None, f"counted again until {utc(until_ms)}"
    )


def _read(mark: str | None) -> tuple[int, int, int] | None:
    if mark is None:
        return None
    until_ms, since_ms, start_ms = map(int, mark.split())
    return until_ms, since_ms, start_ms
