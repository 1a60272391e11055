"""Rules on "black or frozen": times in which a camera was there, and showed nothing that can be counted."""

from __future__ import annotations

from collections.abc import Iterator

from frametally.process.reports import NoProgress
from frametally.rules.times import DAY_MS, NEXT_MS
from frametally_alerts.conditions.footage_gaps import LOOK_BACK_DAYS
from frametally_alerts.conditions.round_input import Looked, RoundPorts, wanted
from frametally_alerts.rules import AlertFinding, AlertRule, Scope

_SLACK_MS = 10_000
"""A minute's manifest has its newest frames a little before what it says of them."""
_WORDS = {"black": "the picture is black", "frozen": "the picture does not change: it may be frozen"}


def look(rule: AlertRule, ports: RoundPorts) -> Iterator[Looked]:
    """Yield for each camera when its picture was black or frozen for as long as the rule says.

    It has an end once the camera shows something else, or is away.
    """
    ports.ledger.refresh(ports.store, NoProgress())
    doubts: dict[str, dict[tuple[int, str], int]] = {}
    until_ms: dict[str, int] = {}
    for manifest in ports.ledger.manifests():
        if manifest.live is None:
            continue
        source, live = manifest.source, manifest.live
        times = [manifest.last_captured_at_ms or 0]
        times += [(one.to_ms or one.from_ms) + _SLACK_MS for one in live.outages]
        until_ms[source] = max(until_ms.get(source, 0), *times)
        known = doubts.setdefault(source, {})
        for doubt in live.doubts:
            at = doubt.from_ms, doubt.what
            known[at] = max(known.get(at, 0), doubt.to_ms)
    first_ms = max(rule.since_ms, ports.now_ms - LOOK_BACK_DAYS * DAY_MS)
    for source in wanted(rule, doubts):
        findings = [
            AlertFinding(
                source,
                "",
                from_ms,
                to_ms if to_ms + _SLACK_MS <= until_ms[source] else None,
                detail=_WORDS[what],
                ref=what,
            )
            for (from_ms, what), to_ms in sorted(doubts[source].items())
            if from_ms >= first_ms and to_ms - from_ms >= rule.duration_s * 1000
        ]
        yield Looked(findings, Scope(first_ms, NEXT_MS, (source,)))
