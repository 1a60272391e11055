"""Makes a rule of what a person asks for, or says why there can be none."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from frametally import keys
from frametally.errors import FrametallyError
from frametally.process.period import parse_period_s
from frametally.rules.times import DAY_S, FIRST_MS, NEXT_MS
from frametally_alerts.rules import BY_BARS, AlertRule, Direction, Measure, What

MOST_RULES = 500
_NAME = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?")
_MOST_NAMES, _LONGEST = 100, 200


class RuleRefused(FrametallyError):
    """There can be no such rule: which field is at fault, and what to do."""

    def __init__(self, field: str, detail: str) -> None:
        """Keep the field; as text it is one line."""
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


def make_rule(
    *,
    name: str,
    what: What,
    channels: Iterable[str],
    known: Container[str],
    now_ms: int,
    threshold: float | None = None,
    below: bool = False,
    measure: Measure = "detections",
    interval: str = "15m",
    lasting: str = "",
    sources: Iterable[str] = (),
    labels: Iterable[str] = (),
    line: str = "",
    direction: Direction = "both",
    zone: str = "",
    model: str = "",
    since_ms: int | None = None,
) -> AlertRule:
    """Return the rule.

    Args:
        name: As in `AlertRule`, as are those that are not named here.
        what: What it looks at.
        channels: By which it is told.
        known: Names of the channels that are set.
        now_ms: Event times before are told only with an earlier `since_ms`.
        threshold: Of values.
        below: Whether it is told under the threshold.
        measure: Of counts.
        interval: Such as `15m`.
        lasting: Such as `1h`; empty: one interval.
        sources: Names or slugs.
        labels: Classes.
        line: Of crossings.
        direction: Of crossings.
        zone: Of occupancy.
        model: Of counts.
        since_ms: None: now.

    Raises:
        RuleRefused: There can be no such rule.
    """
    rule = AlertRule(
        name=name,
        what=what,
        channels=tuple(dict.fromkeys(channels)),
        threshold=threshold,
        below=below,
        measure=measure,
        interval_s=_period("interval", interval),
        duration_s=_period("for", lasting) if lasting else 0,
        sources=tuple(dict.fromkeys(keys.slug(source) for source in sources)),
        labels=tuple(dict.fromkeys(labels)),
        line=line,
        direction=direction,
        zone=zone,
        model=model,
        since_ms=now_ms if since_ms is None else since_ms,
        made_at_ms=now_ms,
    )
    _check(rule, known)
    return rule


def _check(rule: AlertRule, known: Container[str]) -> None:
    is_in_a_path = "/" in rule.name or not any(map(str.isalnum, rule.name))
    if not _NAME.fullmatch(rule.name) or not rule.name.isprintable() or is_in_a_path:
        raise RuleRefused("name", "give one of up to 100 characters, on one line, with a letter and no /")
    if not rule.channels:
        raise RuleRefused("channels", "name one at least, of those that are set")
    for channel in rule.channels:
        if channel not in known:
            raise RuleRefused("channels", f"{channel[:60]!r} is none of the channels that are set")
    for field in ("sources", "labels"):
        names = getattr(rule, field)
        if len(names) > _MOST_NAMES or any(not _is_text(name) for name in names):
            raise RuleRefused(field, f"name at most {_MOST_NAMES}, each of up to {_LONGEST} characters")
    for field in ("line", "zone", "model"):
        value = getattr(rule, field)
        if value and not _is_text(value):
            raise RuleRefused(field, f"give a name of up to {_LONGEST} characters, on one line")
    if not FIRST_MS <= rule.since_ms < NEXT_MS:
        raise RuleRefused("since", "is not in the years 1000 to 9999")
    if rule.what in BY_BARS:
        _check_bars(rule)
    elif rule.threshold is not None:
        raise RuleRefused("threshold", f"{rule.what} has none; leave it out")
    if rule.what == "no_footage" and not rule.sources:
        raise RuleRefused("sources", "name those that are to be filmed")
    if rule.what in ("no_footage", "not_up_to_date") and rule.duration_s < 1:
        raise RuleRefused("for", "say for how long, such as 10m")
    if bool(rule.line) != (rule.what == "crossings"):
        raise RuleRefused("line", "name the line of crossings, and none of anything else")
    if rule.zone and rule.what != "occupancy":
        raise RuleRefused("zone", "only occupancy has one; leave it out")


def _check_bars(rule: AlertRule) -> None:
    if rule.threshold is None or not 0 <= rule.threshold <= 1e12:
        raise RuleRefused("threshold", "give a number from 0 on")
    if rule.below and rule.threshold == 0:
        raise RuleRefused("threshold", "nothing is below 0")
    if DAY_S % rule.interval_s:
        raise RuleRefused("interval", "give one that divides a day, such as 1m, 15m, 1h")
    if rule.duration_s % rule.interval_s or rule.duration_s > DAY_S:
        raise RuleRefused("for", f"give a multiple of the interval of {rule.interval_s} s, up to a day")


def _is_text(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable()


def _period(field: str, text: str) -> int:
    try:
        return parse_period_s(field, text)
    except FrametallyError:
        raise RuleRefused(field, f"{text[:60]!r} is no period up to a day, such as 15s, 15m or 1h") from None
