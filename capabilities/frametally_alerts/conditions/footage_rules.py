"""Checks rules on missing or late footage, and on black or frozen pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from weakref import WeakKeyDictionary

from frametally.media.manifests import find_manifest, forgotten_by, media_of
from frametally.media.overlapping import runs_of
from frametally.media.sources import counted_until, footage_until
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import MediaManifest
from frametally.rules.overlaps import HOLE_MS, Span
from frametally.rules.times import DAY_MS, NEXT_MS, utc
from frametally.rules.tombstones import without
from frametally_alerts.conditions.round_input import (
    CountPorts,
    Looked,
    RoundPorts,
    counted_for,
    sources_of,
)
from frametally_alerts.rules import Alert, AlertFinding, AlertRule, Scope

LOOK_BACK_DAYS = 62
_LOOK_BACK_MS = LOOK_BACK_DAYS * DAY_MS
"""Footage that arrives later than this no longer changes an alert."""


def look_for_gaps(rule: AlertRule, ports: CountPorts, alerts: list[Alert]) -> Iterator[Looked]:
    """Yield the gaps of each of the rule's sources.

    A gap begins at the last frame before it, which identifies it. It is reported once it is long enough (by
    the clock while it goes on) and again when it ends, and withdrawn when footage fills it. `alerts` are the
    rule's alerts.
    """
    first_ms = max(rule.since_ms, ports.now_ms - _LOOK_BACK_MS)
    least_ms = rule.duration_s * 1000
    spans = filmed_spans(ports, rule.sources)
    open_since = {
        (alert.source, alert.start_ms) for alert in alerts if alert.state == "told" and alert.end_ms is None
    }
    for source in rule.sources:
        until_ms = rule.since_ms
        gaps: list[AlertFinding] = []
        for from_ms, to_ms in spans[source]:
            if from_ms - until_ms >= least_ms and from_ms >= first_ms:
                gaps.append(AlertFinding(source, "", until_ms, from_ms))
            until_ms = max(until_ms, to_ms)
        going_on = AlertFinding(source, "", until_ms)
        # Setting back the clock withdraws nothing.
        if ports.now_ms - until_ms >= least_ms or (source, going_on.start_ms) in open_since:
            gaps.append(going_on)
        yield Looked(gaps, Scope(first_ms, NEXT_MS, (source,)))


def filmed_spans(ports: CountPorts, sources: Collection[str]) -> dict[str, list[Span]]:
    """Return the event times of the first and last frame of each run of footage, by source, in order.

    Forgotten footage is left out. Manifests are exact to the millisecond and independent of how the footage
    was counted. Raises the errors of the store and the ledger.
    """
    ports.ledger.refresh(ports.store, NoProgress())
    forgotten = forgotten_by(ports.ledger.tombstones())
    spans: dict[str, list[Span]] = {source: [] for source in sources}
    for manifest in ports.ledger.manifests():
        if manifest.source in spans:
            ranges = forgotten.get(media_of(manifest), ())
            for first_ms, last_ms in _runs(ports, manifest):
                left = without((first_ms, last_ms + 1), ranges)
                spans[manifest.source] += [(from_ms, to_ms - 1) for from_ms, to_ms in left]
    return {source: sorted(of_source) for source, of_source in spans.items()}


_PictureDays = dict[str, tuple[tuple[object, ...], list[Span]]]
_picture_days: WeakKeyDictionary[ObjectStore, _PictureDays] = WeakKeyDictionary()
"""The manifest's state and its runs, by store and medium; each lists many names, and only today's changes."""


def _runs(ports: CountPorts, manifest: MediaManifest) -> list[Span]:
    """Return a medium's runs of frames; for pictures too old for alerts, only its first and last frame."""
    first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
    if manifest.kind == "video" or last_ms is None or last_ms < ports.now_ms - _LOOK_BACK_MS:
        return runs_of(manifest)
    days = _picture_days.setdefault(ports.store, {})
    state = manifest.revision, manifest.frames_announced, first_ms, last_ms
    if days.get(manifest.sha256, ((), []))[0] != state:
        whole = find_manifest(ports.store, manifest.sha256) or manifest
        times = sorted(int(name[: name.rindex("-")]) for name in whole.announced_pictures)
        begins = [index for index, ms in enumerate(times) if not index or ms - times[index - 1] > HOLE_MS]
        ends = [*begins[1:], len(times)]
        runs = [(times[begin], times[end - 1]) for begin, end in zip(begins, ends, strict=True)]
        days[manifest.sha256] = state, runs or runs_of(manifest)
    return days[manifest.sha256][1]


def look_for_late_footage(
    rule: AlertRule, ports: RoundPorts, alerts: list[Alert], marks: Mapping[str, str]
) -> Iterator[Looked]:
    """Yield the sources whose footage has waited to be counted for the rule's duration, by the clock.

    A mark has the end of the awaited footage, when it began to wait, and the end of the counts at that time,
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
"""A minute's manifest gets its newest frames slightly before its notes on them."""
_WORDS = {
    "black": "the picture is black",
    "one_colour": "the picture has one colour",
    "frozen": "the picture does not change: it may be frozen",
}


def look_for_blind_cameras(rule: AlertRule, ports: RoundPorts) -> Iterator[Looked]:
    """Yield the periods of each camera in which its picture showed nothing for long enough.

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
