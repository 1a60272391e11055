"""Explains why a rule can never send an alert, where rules are added and listed."""

from __future__ import annotations

from typing import NamedTuple, get_args

from frametally.books.counted_days import up_to_date
from frametally.naming import KnownNames
from frametally.ports.count_index import CountIndex
from frametally.process.period import shown_period
from frametally.rules.times import DAY_MS
from frametally_alerts.conditions.footage_rules import LOOK_BACK_DAYS
from frametally_alerts.conditions.round_input import bases_of, fitting, interval_fault
from frametally_alerts.rules import BY_BARS, AlertRule
from frametally_videos.catalogue.catalogue_rows import JobKind

_FIELDS = {"source": "sources", "label": "labels"}


class Silence(NamedTuple):
    """A reason why a rule stays silent.

    Attributes:
        field: The rule's field at fault, as in `RuleRefused`.
        why: The fault and the remedy, in one line.
        for_good: Whether no future footage can change it.
    """

    field: str
    why: str
    for_good: bool


def why_silent(
    rule: AlertRule, names: KnownNames, index: CountIndex | None, base_interval_s: int
) -> list[Silence]:
    """Return why a rule stays silent now; empty if no reason is known.

    A label without counts may still appear. An unknown source may not, because its slug may be misspelt.

    `base_interval_s` is the interval of future counts if there are no counts or no index. Raises the errors
    of the ports.
    """
    silences = []
    bars = rule.what in BY_BARS
    unknown = names.unknown(
        sources=rule.sources,
        labels=rule.labels if bars else (),
        line=rule.line,
        zone=rule.zone,
        model=rule.model,
    )
    for unknown_name in unknown:
        for_good = unknown_name.is_certain and unknown_name.kind != "label"
        silences.append(
            Silence(_FIELDS.get(unknown_name.kind, unknown_name.kind), f"{unknown_name}", for_good)
        )
    if rule.what in ("work_failed", "work_finished"):
        kinds = get_args(JobKind)
        wrong = [label for label in rule.labels if label not in kinds]
        silences += [
            Silence("labels", f"{wrong_label[:60]!r} is not one of {', '.join(kinds)}", True)
            for wrong_label in wrong
        ]
    older = {"no_footage": "gaps", "black_or_frozen": "pictures"}.get(rule.what)
    if older and rule.since_ms < rule.made_at_ms - LOOK_BACK_DAYS * DAY_MS:
        reason = (
            f"{older} that are more than {LOOK_BACK_DAYS} days old are not reported, however early --since is"
        )
        silences.append(Silence("since", reason, False))
    if bars:
        silences += _of_interval(rule, index, base_interval_s)
    return silences


def _of_interval(rule: AlertRule, index: CountIndex | None, base_interval_s: int) -> list[Silence]:
    model, bases = ("", []) if index is None else bases_of(rule, index)
    if index is None or not bases:
        if rule.interval_s % base_interval_s == 0:
            return []
        mine, theirs = shown_period(rule.interval_s), shown_period(base_interval_s)
        reason = (
            f"there are no counts yet, and their intervals of {theirs} will not give intervals of {mine}: "
            f"count with `frametally aggregate --interval {rule.interval_s}`, or use a multiple of {theirs}"
        )
        return [Silence("interval", reason, False)]
    if not fitting(rule, bases):
        return [Silence("interval", interval_fault(rule, bases), True)]
    newest_ms = max(day.day_ms for day in index.counted_days(model))
    newest = up_to_date(index, model, bases, newest_ms, None)
    if fitting(rule, newest):
        return []
    return [Silence("interval", f"of the newest day {interval_fault(rule, newest)}", False)]
