"""Tries a rule over a range or the last seven counted days, without storing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from frametally.books.counted_days import present_end_ms
from frametally.rules.times import DAY_MS
from frametally_alerts.answers import RuleTrial, TriedInterval, WouldBeAlert
from frametally_alerts.conditions import footage_rules, interval_values
from frametally_alerts.conditions.footage_rules import filmed_spans
from frametally_alerts.conditions.interval_values import fulfils, intervals_over, read_values
from frametally_alerts.conditions.round_input import CountPorts, counted_for, sources_of
from frametally_alerts.rules import BY_BARS, AlertRule
from frametally_web.requests.answers import answer_of

TRIED_DAYS = 7
_MOST_TRIED = 5000
"""Most intervals of a range to try; the newest are used."""
_MOST_SHOWN = 50
_MOST_INTERVALS = 1000


def _counted_range(rule: AlertRule, ports: CountPorts) -> tuple[int, int] | None:
    """Return the start and the end of the counts of a rule's sources, up to the present; None without any."""
    counts = counted_for(rule, ports.index)
    of_rule = sources_of(rule, counts.sources) if counts else []
    if counts is None or not of_rule:
        return None
    summaries = [counts.sources[source] for source in of_rule]
    to_ms = present_end_ms(ports.index, counts.model, [counts.base_interval_s], summaries, ports.now_ms)
    return (
        min(summary.first_interval_ms for summary in summaries),
        to_ms or max(summary.next_interval_ms for summary in summaries),
    )


def _filmed_range(rule: AlertRule, ports: CountPorts) -> tuple[int, int] | None:
    """Return the same for the footage of a rule's sources."""
    spans = [span for of_source in filmed_spans(ports, rule.sources).values() for span in of_source]
    spans = [span for span in spans if span[0] <= ports.now_ms] or spans
    return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else None


def try_rule(
    rule: AlertRule,
    ports: CountPorts,
    names: dict[str, str],
    asked_ms: tuple[int | None, int | None] = (None, None),
) -> RuleTrial:
    """Return the alerts that a rule would have sent.

    Args:
        rule: The rule.
        ports: Ports to read from.
        names: Names of sources by slug.
        asked_ms: Start and end of the range. If the start is None, it is that of the counts, at most
            `TRIED_DAYS` before the end; if the end is None, it is that of the counts.

    Raises:
        FrametallyError: The rule does not fit the counts, or they cannot be read.
    """
    tried = None
    if rule.what in BY_BARS:
        tried = _counted_range(rule, ports)
    elif rule.what == "no_footage":
        tried = _filmed_range(rule, ports)
    interval_s = rule.interval_s if rule.what in BY_BARS else None
    if tried is None:
        return RuleTrial(
            from_ms=None,
            to_ms=None,
            interval_s=interval_s,
            total=0,
            alerts=[],
            tried=0,
            fulfilled=0,
            intervals=[],
        )
    first_ms, to_ms = tried
    from_ms, end_ms = asked_ms
    to_ms = to_ms if end_ms is None else min(to_ms, end_ms)
    since_ms = max(first_ms, to_ms - TRIED_DAYS * DAY_MS if from_ms is None else from_ms)
    if since_ms >= to_ms:
        since_ms, to_ms = first_ms, tried[1]
    intervals: list[TriedInterval] = []
    if rule.what in BY_BARS:  # whole intervals, including the first and the last, which may still be filling
        bars = intervals_over(rule, since_ms, to_ms)[-_MOST_TRIED:]
        since_ms, to_ms = bars[0][0], bars[-1][1]
        intervals = _intervals(rule, ports, bars, names)
    trial_rule = msgspec.structs.replace(rule, since_ms=since_ms, made_at_ms=to_ms)
    if rule.what in BY_BARS:
        settled_ms = to_ms + interval_values.settling_ms(rule)
        looks = interval_values.look(trial_rule, replace(ports, now_ms=settled_ms), {})
    else:
        looks = footage_rules.look_for_gaps(trial_rule, replace(ports, now_ms=to_ms), [])
    by_time = {
        (finding.start_ms, finding.source, finding.label): finding
        for look in looks
        for finding in look.findings
    }
    newest = [by_time[key] for key in sorted(by_time, reverse=True)[:_MOST_SHOWN]]
    return RuleTrial(
        from_ms=since_ms,
        to_ms=to_ms,
        interval_s=interval_s,
        total=len(by_time),
        alerts=[
            answer_of(WouldBeAlert, (finding,), source_name=names.get(finding.source, finding.source))
            for finding in newest
        ],
        tried=len(intervals),
        fulfilled=sum(interval.fulfils for interval in intervals),
        intervals=intervals[-_MOST_INTERVALS:],
    )


def _intervals(
    rule: AlertRule, ports: CountPorts, bars: Sequence[tuple[int, int]], names: dict[str, str]
) -> list[TriedInterval]:
    counts = counted_for(rule, ports.index)
    if counts is None:
        return []
    ends_ms = dict(bars)
    values = read_values(rule, ports, counts, sources_of(rule, counts.sources), bars)
    return [
        TriedInterval(
            source=source,
            source_name=names.get(source, source),
            start_ms=start_ms,
            end_ms=ends_ms[start_ms],
            value=value,
            fulfils=fulfils(rule, value),
        )
        for source, of_source in sorted(values.items())
        for start_ms, value in sorted(of_source.items())
    ]
