"""Tries a rule over the last seven counted days, and stores nothing."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from frametally.ports.count_questions import present_end_ms
from frametally.rules.times import DAY_MS
from frametally_alerts.answers import RuleTrial, WouldBeAlert
from frametally_alerts.conditions import footage_rules, interval_values
from frametally_alerts.conditions.round_input import CountPorts, counted_for, sources_of
from frametally_alerts.rules import BY_BARS, AlertRule
from frametally_web.requests.answers import answer_of

TRIED_DAYS = 7
_MOST_SHOWN = 50


def try_rule(rule: AlertRule, ports: CountPorts, names: dict[str, str]) -> RuleTrial:
    """Return the alerts that a rule would have sent; `names` has the names of sources by slug.

    Raises:
        FrametallyError: The rule does not fit the counts, or they cannot be read.
    """
    counts = counted_for(rule, ports.index) if rule.what in (*BY_BARS, "no_footage") else None
    sources = sources_of(rule, counts.sources) if counts else []
    if counts is None or not sources:
        return RuleTrial(from_ms=None, to_ms=None, total=0, alerts=[])
    summaries = [counts.sources[source] for source in sources]
    to_ms = present_end_ms(ports.index, counts.model, [counts.base_interval_s], summaries, ports.now_ms)
    to_ms = to_ms or max(summary.next_interval_ms for summary in summaries)
    first_ms = min(counts.sources[source].first_interval_ms for source in sources)
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
