"""Runs one round: checks every rule, and records its findings in one transaction of the book."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from frametally.errors import FrametallyError, Retryable
from frametally.media.source_timezones import readable_timezones
from frametally.media.sources import source_names
from frametally.naming import KnownNames
from frametally.process.reports import NoProgress, plural
from frametally_alerts.conditions import failed_checks, footage_rules, interval_values
from frametally_alerts.conditions.round_input import Looked, RoundPorts
from frametally_alerts.rules import BY_BARS, AlertBookFull, AlertRule

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook


class RoundReport(NamedTuple):
    """Numbers of checked rules and of new or corrected alerts, with a line for each failure."""

    rules: int
    alert_count: int
    problems: list[str]


def look_at_all(book: AlertBook, ports: RoundPorts) -> RoundReport:
    """Check every rule; a rule that fails does not stop the others.

    Raises:
        Retryable: The book, the index, the store or the ledger is unavailable; earlier alerts are kept.
    """
    alert_count, rules = 0, book.rules()
    problems: list[str] = []
    names = _Names(ports)
    for rule in rules:
        try:
            for look in _look(rule, book, ports):
                settled = book.settle(
                    rule,
                    [
                        finding._replace(
                            source_name=names.name_of(finding.source),
                            timezone=names.timezones.get(finding.source, ""),
                        )
                        for finding in look.findings
                    ],
                    look.scope,
                    look.marks,
                )
                if isinstance(settled, AlertBookFull):
                    line = (
                        f"{plural(settled.waiting, 'alert is', 'alerts are')} waiting to be sent, and new "
                        "ones are recorded only "
                        "after that; `frametally alerts log --waiting` shows the reasons"
                    )
                    return RoundReport(len(rules), alert_count, [*problems, line])
                alert_count += settled
        except Retryable:
            raise
        except FrametallyError as error:
            problems.append(f"rule {rule.name}: {error}")
    return RoundReport(len(rules), alert_count, problems)


class _Names:
    """The names and time zones of sources, read once a round; names are read again for an unknown source."""

    def __init__(self, ports: RoundPorts) -> None:
        self._ports = ports
        self._names: dict[str, str] | None = None
        self._refreshed = False

    @cached_property
    def timezones(self) -> dict[str, str]:
        """The IANA name of each source's time zone, by slug."""
        return readable_timezones(self._ports.store)

    def name_of(self, source: str) -> str:
        """Return the name of a source, or empty if it is unknown."""
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
        return footage_rules.look_for_gaps(rule, ports, book.alerts(rule.name))
    if rule.what == "black_or_frozen":
        return footage_rules.look_for_blind_cameras(rule, ports)
    if rule.what == "not_up_to_date":
        return footage_rules.look_for_late_footage(rule, ports, book.alerts(rule.name), book.marks(rule.name))
    if rule.what == "quality":
        return failed_checks.look_at_checks(rule, ports, book.marks(rule.name))
    return failed_checks.look_at_work(rule, ports)
