"""One round over all rules: each is looked at, and what it finds is told in the book's own transaction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from frametally.errors import FrametallyError, Retryable
from frametally.media.sources import source_names
from frametally.naming.known import KnownNames
from frametally.process.reports import NoProgress
from frametally_alerts.conditions import (
    blind_cameras,
    failed_checks,
    footage_gaps,
    interval_values,
    late_footage,
)
from frametally_alerts.conditions.round_input import Looked, RoundPorts
from frametally_alerts.rules import BY_BARS, AlertBookFull, AlertRule
from frametally_alerts.settings import AlertSettings

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook


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
    names = _Names(ports)
    for rule in rules:
        try:
            for looked in _look(rule, book, ports):
                settled = book.settle(
                    rule,
                    [one._replace(source_name=names.of(one.source)) for one in looked.findings],
                    looked.scope,
                    looked.marks,
                    most_waiting=ports.settings.part(AlertSettings).alerts_waiting,
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


class _Names:
    """How sources are written, read once in a round, and anew where one is not known."""

    def __init__(self, ports: RoundPorts) -> None:
        self._ports = ports
        self._names: dict[str, str] | None = None
        self._refreshed = False

    def of(self, source: str) -> str:
        """Return how a source is written; empty where nothing says so."""
        if not source:
            return ""
        if self._names is None:
            self._names = self._read()
        if source not in self._names and not self._refreshed:
            self._refreshed = True
            self._ports.ledger.refresh(self._ports.store, NoProgress())
            self._names = self._read()
        return self._names.get(source, "")

    def _read(self) -> dict[str, str]:
        media = source_names(self._ports.ledger.manifests())
        return KnownNames(media, settings=self._ports.settings).sources


def _look(rule: AlertRule, book: AlertBook, ports: RoundPorts) -> Iterator[Looked]:
    if rule.what in BY_BARS:
        return interval_values.look(rule, ports, book.marks(rule.name))
    if rule.what == "no_footage":
        return footage_gaps.look(rule, ports, book.told(rule.name))
    if rule.what == "black_or_frozen":
        return blind_cameras.look(rule, ports)
    if rule.what == "not_up_to_date":
        return late_footage.look(rule, ports, book.told(rule.name), book.marks(rule.name))
    if rule.what == "quality":
        return failed_checks.look_at_checks(rule, ports, book.marks(rule.name))
    return failed_checks.look_at_work(rule, ports)
