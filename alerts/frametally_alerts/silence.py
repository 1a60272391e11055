"""Why a rule tells nothing, whatever is filmed: said where it is added, and wherever rules are listed."""

from __future__ import annotations

from typing import NamedTuple, get_args

from frametally.naming.known import KnownNames
from frametally.ports.count_index import CountIndex
from frametally.ports.count_questions import up_to_date
from frametally.process.period import shown_period
from frametally.rules.times import DAY_MS
from frametally_alerts.conditions.footage_gaps import LOOK_BACK_DAYS
from frametally_alerts.conditions.round_input import bases_of, fitting, interval_fault
from frametally_alerts.rules import BY_BARS, AlertRule
from frametally_videos.ports.job_book import JobKind

_FIELDS = {"source": "sources", "label": "labels"}


class Silence(NamedTuple):
    """A reason why a rule tells nothing.

    Attributes:
        field: The rule's field that is at fault, as in `RuleRefused`.
        why: What is wrong, and the remedy; one line.
        for_good: Whether no footage that may come would change it.
    """

    field: str
    why: str
    for_good: bool


def why_silent(
    rule: AlertRule, names: KnownNames, index: CountIndex | None, base_interval_s: int
) -> list[Silence]:
    """Return why a rule tells nothing as things stand; none: nothing is known that keeps it from it.

    A label that was never counted may be seen yet, a source that nobody knows may not: by its slug it is not
    told from one that is misspelt.

    Args:
        rule: The rule.
        names: The names that there are.
        index: The counts; None: there are none.
        base_interval_s: By which is counted where nothing is yet.

    Raises:
        FrametallyError: As the ports do.
    """
    found = []
    bars = rule.what in BY_BARS
    unknown = names.unknown(
        sources=rule.sources,
        labels=rule.labels if bars else (),
        line=rule.line,
        zone=rule.zone,
        model=rule.model,
    )
    for one in unknown:
        for_good = one.is_certain and one.kind != "label"
        found.append(Silence(_FIELDS.get(one.kind, one.kind), f"{one}", for_good))
    if rule.what in ("work_failed", "work_finished"):
        kinds = get_args(JobKind)
        wrong = [label for label in rule.labels if label not in kinds]
        found += [Silence("labels", f"{one[:60]!r} is none of {', '.join(kinds)}", True) for one in wrong]
    older = {"no_footage": "gaps", "black_or_frozen": "pictures"}.get(rule.what)
    if older and rule.since_ms < rule.made_at_ms - LOOK_BACK_DAYS * DAY_MS:
        why = f"{older} older than {LOOK_BACK_DAYS} days are not reported, however early --since is"
        found.append(Silence("since", why, False))
    if bars:
        found += _of_interval(rule, index, base_interval_s)
    return found


def _of_interval(rule: AlertRule, index: CountIndex | None, base_interval_s: int) -> list[Silence]:
    model, bases = ("", []) if index is None else bases_of(rule, index)
    if index is None or not bases:
        if rule.interval_s % base_interval_s == 0:
            return []
        mine, theirs = shown_period(rule.interval_s), shown_period(base_interval_s)
        why = (
            f"nothing is counted yet, and the intervals of {theirs} that will be make none of {mine}: count "
            f"by `frametally aggregate --interval {rule.interval_s}`, or give a multiple of {theirs}"
        )
        return [Silence("interval", why, False)]
    if not fitting(rule, bases):
        return [Silence("interval", interval_fault(rule, bases), True)]
    newest_ms = max(day.day_ms for day in index.counted_days(model))
    newest = up_to_date(index, model, bases, newest_ms, None)
    if fitting(rule, newest):
        return []
    return [Silence("interval", f"of the newest day {interval_fault(rule, newest)}", False)]
