"""One round over all rules: each is looked at, and what it finds is told in the book's own transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from frametally.alert_records import BY_BARS, AlertBook, AlertBookFull, AlertRule
from frametally.alerts import counted, gaps, lagging, noticed
from frametally.alerts.reading import Looked, RoundPorts
from frametally.errors import FrametallyError, Retryable


class RoundReport(NamedTuple):
    """What became of a round.

    Attributes:
        rules: How many were looked at.
        told: Alerts and corrections.
        problems: What could not be looked at, one line each.
    """

    rules: int
    told: int
    problems: list[str]


def look_at_all(book: AlertBook, ports: RoundPorts) -> RoundReport:
    """Look at every rule; what one cannot be looked at for does not keep the others.

    Raises:
        Retryable: The book, the index, the store or the ledger is away; what was told until then is.
    """
    told, rules = 0, book.rules()
    problems: list[str] = []
    for rule in rules:
        try:
            for looked in _look(rule, book, ports):
                settled = book.settle(
                    rule,
                    looked.findings,
                    looked.scope,
                    looked.marks,
                    most_waiting=ports.settings.alerts_waiting,
                )
                if isinstance(settled, AlertBookFull):
                    line = (
                        f"{settled.waiting} alerts wait to be sent, and no more are told until some are; "
                        "`frametally alerts log --waiting` says why they do"
                    )
                    return RoundReport(len(rules), told, [*problems, line])
                told += settled
        except Retryable:
            raise
        except FrametallyError as error:
            problems.append(f"rule {rule.name}: {error}")
    return RoundReport(len(rules), told, problems)


def _look(rule: AlertRule, book: AlertBook, ports: RoundPorts) -> Iterator[Looked]:
    if rule.what in BY_BARS:
        return counted.look(rule, ports, book.marks(rule.name))
    if rule.what == "no_footage":
        return gaps.look(rule, ports, book.told(rule.name))
    if rule.what == "not_up_to_date":
        return lagging.look(rule, ports, book.told(rule.name), book.marks(rule.name))
    if rule.what == "quality":
        return noticed.look_at_checks(rule, ports, book.marks(rule.name))
    return noticed.look_at_work(rule, ports)
