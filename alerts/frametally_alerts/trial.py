"""Tries a rule over the last seven counted days, and stores nothing."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from frametally.rules.times import DAY_MS
from frametally_alerts.answers import RuleTrial, WouldBeAlert
from frametally_alerts.conditions import footage_rules, interval_values
from frametally_alerts.conditions.footage_rules import filmed_spans
from frametally_alerts.conditions.round_input import CountPorts, counted_for, sources_of
from frametally_alerts.rules import BY_BARS, AlertRule
from frametally_web.requests.answers import answer_of

TRIED_DAYS = 7
_MOST_SHOWN = 50


def _counted_times(rule: AlertRule, ports: CountPorts) -> list[tuple[int, int]]:
    """Return the first interval's start and the last one's end of each source that a rule is about."""
    counts = counted_for(rule, ports.index)
    of_rule = sources_of(rule, counts.sources) if counts else []
    summaries = [counts.sources[source] for source in of_rule] if counts else []
    return [(summary.first_interval_ms, summary.next_interval_ms) for summary in summaries]


def try_rule(rule: AlertRule, ports: CountPorts, names: dict[str, str]) -> RuleTrial:
    """Return the alerts that a rule would have sent; `names` has the names of sources by slug.

    Raises:
        FrametallyError: The rule does not fit the counts, or they cannot be read.
    """
    times = _counted_times(rule, ports) if rule.what in BY_BARS else []
    if rule.what == "no_footage":
        times = [time for spans in filmed_spans(ports, rule.sources).values() for time in spans]
    if not times:
        return RuleTrial(from_ms=None, to_ms=None, total=0, alerts=[])
    first_ms, to_ms = min(from_ms for from_ms, _ in times), max(to_ms for _, to_ms in times)
    since_ms = max(first_ms, to_ms - TRIED_DAYS * DAY_MS)
    trial_rule = msgspec.structs.replace(rule, since_ms=since_ms, made_at_ms=to_ms)
    if rule.what in BY_BARS:  # the last interval is tried though it may still be filling
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
        total=len(by_time),
        alerts=[
            answer_of(WouldBeAlert, (finding,), source_name=names.get(finding.source, finding.source))
            for finding in newest
        ],
    )
