"""The alert book in a SQL database: what is found, what is told and what is to be sent change at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.engine import SqlDatabase
from frametally.adapters.sql.migration import Layout
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.process import failpoints
from frametally.rules.times import HOUR_MS
from frametally.settings.access import ServerAccess
from frametally_alerts import tables
from frametally_alerts.rules import (
    Alert,
    AlertBookFull,
    AlertFinding,
    AlertMessage,
    AlertRule,
    Scope,
    alert_of,
    key_of,
    message_id,
    withdrawn,
)
from frametally_alerts.scheduled_report import PREFIX, ScheduledReport

LAYOUT = Layout(
    what="alert book",
    setting="FRAMETALLY_CATALOGUE_URL",
    refill="frametally alerts add",
    tables=tables.ALL,
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations="alerts",
    first_version=2,
    beside=("frametally_catalogue", "frametally_access", "frametally_audit", "frametally_live"),
    has_secrets=True,
)
_FURTHEST_MS = 2 * HOUR_MS
"""No message waits longer: one that is due later was put off before the clock was set back."""
_rules, _marks, _told, _messages = tables.rules.c, tables.marks.c, tables.told.c, tables.messages.c
_reports = tables.reports.c


class AlertBook:
    """Rules, what was told, and what waits, in the database that a URL names."""

    def __init__(
        self, url: str, access: ServerAccess | None = None, *, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open the database, making the tables if they are missing; see `SqlDatabase`."""
        self.url = url
        self._database = SqlDatabase(url, LAYOUT, access=access, busy_timeout_s=busy_timeout_s)

    def close(self) -> None:
        """Release connections."""
        self._database.close()

    def add_rule(self, rule: AlertRule) -> bool:
        """Add a rule; False: there is one of that name."""
        with self._database.writing() as connection:
            if _rule(connection, rule.name) is not None:
                return False
            connection.execute(insert(tables.rules).values(name=rule.name, rule=_encoded(rule)))
            return True

    def remove_rule(self, name: str) -> bool:
        """Remove a rule with what waits of it; False: there is none."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(tables.rules).where(_rules.name == name)).rowcount
            connection.execute(delete(tables.marks).where(_marks.rule == name))
            _forget(connection, name)
            return bool(gone)

    def rules(self) -> list[AlertRule]:
        """Return all rules, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_rules.rule)).scalars()
            found = [msgspec.json.decode(row, type=AlertRule) for row in rows]
        return sorted(found, key=lambda rule: rule.name)

    def marks(self, rule: str) -> dict[str, str]:
        """Return what a rule has noted of what it has looked at."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_marks.name, _marks.mark).where(_marks.rule == rule))
            return {row.name: row.mark for row in rows}

    def told(self, rule: str) -> list[Alert]:
        """Return what stands as told by a rule, by start; what was withdrawn, too."""
        query = select(_told.alert).where(_told.rule == rule).order_by(_told.start_ms, _told.key)
        with self._database.reading() as connection:
            return [msgspec.json.decode(row, type=Alert) for row in connection.execute(query).scalars()]

    def settle(
        self,
        rule: AlertRule,
        findings: Iterable[AlertFinding],
        scope: Scope | None,
        marks: Mapping[str, str | None],
        *,
        most_waiting: int,
    ) -> int | AlertBookFull:
        """Have told what is new or another than told, and note what was looked at, in one transaction.

        Args:
            rule: Whose findings; one that was removed meanwhile tells nothing.
            findings: All within `scope`.
            scope: None: nothing is withdrawn.
            marks: By name; None takes one away.
            most_waiting: With more messages than that nothing is done.

        Returns:
            How many alerts were told or corrected.
        """
        by_key = {key_of(rule, finding): finding for finding in findings}
        with self._database.writing() as connection:
            if _rule(connection, rule.name) != rule:
                return 0
            earlier = _standing(connection, rule, by_key, scope)
            news = [
                alert
                for key, finding in by_key.items()
                if (alert := alert_of(rule, finding, earlier.get(key))) is not None
            ]
            news += [
                withdrawn(alert)
                for key, alert in earlier.items()
                if key not in by_key and alert.state == "told" and _is_within(alert, scope)
            ]
            if news and (waiting := _count_waiting(connection)) + len(news) > most_waiting and waiting:
                return AlertBookFull(waiting)
            for alert in sorted(news, key=lambda alert: (alert.start_ms, alert.source, alert.label)):
                _tell(connection, rule.name, rule.channels, alert)
            _note(connection, rule.name, marks)
            failpoints.passing("alerts.told")
            return len(news)

    def add_report(self, report: ScheduledReport) -> bool:
        """Add a report; False: there is one of that name."""
        with self._database.writing() as connection:
            if _report(connection, report.name) is not None:
                return False
            connection.execute(insert(tables.reports).values(name=report.name, report=_encoded(report)))
            return True

    def remove_report(self, name: str) -> bool:
        """Remove a report with what waits of it; False: there is none."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(tables.reports).where(_reports.name == name)).rowcount
            _forget(connection, f"{PREFIX}{name}")
            return bool(gone)

    def reports(self) -> list[ScheduledReport]:
        """Return all reports, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_reports.report)).scalars()
            found = [msgspec.json.decode(row, type=ScheduledReport) for row in rows]
        return sorted(found, key=lambda report: report.name)

    def was_told(self, key: str) -> bool:
        """Return whether the alert of that key was told."""
        with self._database.reading() as connection:
            return connection.execute(select(_told.key).where(_told.key == key)).first() is not None

    def tell_report(
        self, report: ScheduledReport, alert: Alert, *, most_waiting: int
    ) -> bool | AlertBookFull:
        """Have told that a report is made, in one transaction.

        Args:
            report: One that was removed meanwhile tells nothing.
            alert: With `turn_key` as its key.
            most_waiting: As for `settle`.

        Returns:
            False: It was told before.
        """
        with self._database.writing() as connection:
            was_told = connection.execute(select(_told.key).where(_told.key == alert.key)).first()
            if was_told is not None or _report(connection, report.name) != report:
                return False
            waiting = _count_waiting(connection)
            if waiting and report.channels and waiting >= most_waiting:
                return AlertBookFull(waiting)
            _tell(connection, report.rule, report.channels, alert)
            failpoints.passing("reports.told")
            return True

    def claim(self, channel: str, *, lease_s: float) -> AlertMessage | None:
        """Give the oldest message of a channel; nobody else gets one of it for `lease_s`.

        None: there is none, it is another's, or is to wait: then those behind it do, too.
        """
        with self._database.reading() as connection:
            if _next(connection, channel) is None:
                return None
        with self._database.writing() as connection:
            found = _next(connection, channel)
            if found is None:
                return None
            message = found._replace(attempts=found.attempts + 1)
            values = {"attempts": message.attempts, "due_at_ms": now_ms(connection) + round(lease_s * 1000)}
            connection.execute(update(tables.messages).where(_messages.id == message.id).values(**values))
            return message

    def end(
        self,
        message: AlertMessage,
        state: Literal["sent", "failed", "queued"],
        *,
        reason: str | None = None,
        again_after_s: float = 0.0,
    ) -> bool:
        """Note what became of a claimed message; False: it is another sender's by now."""
        held = and_(
            _messages.id == message.id, _messages.attempts == message.attempts, _messages.state == "queued"
        )
        with self._database.writing() as connection:
            time_ms = now_ms(connection)
            values = {
                "state": state,
                "reason": reason,
                "due_at_ms": time_ms + round(again_after_s * 1000),
                "ended_at_ms": None if state == "queued" else time_ms,
            }
            return bool(connection.execute(update(tables.messages).where(held).values(**values)).rowcount)

    def messages(
        self, limit: int, *, states: Sequence[str] = (), before: int = 0
    ) -> tuple[list[AlertMessage], int]:
        """Return a page of messages, the newest first, and where the next begins; 0: at the end."""
        query = select(tables.messages).order_by(_messages.number.desc()).limit(limit + 1)
        if states:
            query = query.where(_messages.state.in_(states))
        if before:
            query = query.where(_messages.number < before)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        following = rows[limit - 1].number if len(rows) > limit else 0
        return [_message(row) for row in rows[:limit]], following

    def waiting(self) -> dict[str, int]:
        """Return by channel how many messages wait."""
        query = select(_messages.channel, func.count().label("number")).where(_messages.state == "queued")
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(_messages.channel).order_by(_messages.channel))
            return {row.channel: row.number for row in rows}


def _standing(
    connection: Connection, rule: AlertRule, keys: Mapping[str, AlertFinding], scope: Scope | None
) -> dict[str, Alert]:
    """Return by key what was told within the scope, and of these keys."""
    found: dict[str, Alert] = {}
    query = select(_told.key, _told.alert).where(_told.rule == rule.name)
    wanted = [*keys]
    queries = [
        query.where(_told.key.in_(wanted[first : first + 500])) for first in range(0, len(wanted), 500)
    ]
    if scope is not None:
        queries.append(query.where(_told.start_ms >= scope.from_ms, _told.start_ms < scope.to_ms))
    for one in queries:
        found |= {row.key: msgspec.json.decode(row.alert, type=Alert) for row in connection.execute(one)}
    return found


def _is_within(alert: Alert, scope: Scope | None) -> bool:
    return (
        scope is not None
        and scope.from_ms <= alert.start_ms < scope.to_ms
        and (scope.sources is None or alert.source in scope.sources)
    )


def _tell(connection: Connection, rule: str, channels: Iterable[str], alert: Alert) -> None:
    values = {
        "rule": rule,
        "source": alert.source,
        "start_ms": alert.start_ms,
        "alert": _encoded(alert),
    }
    changed = connection.execute(update(tables.told).where(_told.key == alert.key).values(**values)).rowcount
    if not changed:
        connection.execute(insert(tables.told).values(key=alert.key, **values))
    for channel in channels:
        _put(connection, rule, channel, alert)


def _put(connection: Connection, rule: str, channel: str, alert: Alert) -> None:
    time_ms = now_ms(connection)
    message = AlertMessage(message_id(alert, channel), channel, alert, created_at_ms=time_ms)
    about = tables.about.c
    numbering = update(tables.about).values(next_number=about.next_number + 1).returning(about.next_number)
    number = int(connection.execute(numbering).scalar_one()) - 1
    values = {**message._asdict(), "alert": _encoded(alert), "number": number, "rule": rule}
    connection.execute(insert(tables.messages).values(**values, due_at_ms=time_ms))


def _note(connection: Connection, rule: str, marks: Mapping[str, str | None]) -> None:
    for name, mark in marks.items():
        connection.execute(delete(tables.marks).where(and_(_marks.rule == rule, _marks.name == name)))
        if mark is not None:
            connection.execute(insert(tables.marks).values(rule=rule, name=name, mark=mark))


def _next(connection: Connection, channel: str) -> AlertMessage | None:
    """Return the message of a channel that is to be sent now; what stands behind one that waits, waits."""
    time_ms = now_ms(connection)
    row = connection.execute(
        select(tables.messages)
        .where(_messages.state == "queued", _messages.channel == channel)
        .order_by(_messages.number)
        .limit(1)
    ).first()
    if row is None or time_ms < row.due_at_ms <= time_ms + _FURTHEST_MS:
        return None
    return _message(row)


def _forget(connection: Connection, rule: str) -> None:
    """Take away what was told by a rule or a report, and what waits of it."""
    connection.execute(delete(tables.told).where(_told.rule == rule))
    waits = and_(_messages.rule == rule, _messages.state == "queued")
    connection.execute(delete(tables.messages).where(waits))


def _count_waiting(connection: Connection) -> int:
    query = select(func.count()).select_from(tables.messages).where(_messages.state == "queued")
    return int(connection.execute(query).scalar_one())


def _rule(connection: Connection, name: str) -> AlertRule | None:
    text = connection.execute(select(_rules.rule).where(_rules.name == name)).scalar()
    return None if text is None else msgspec.json.decode(text, type=AlertRule)


def _report(connection: Connection, name: str) -> ScheduledReport | None:
    text = connection.execute(select(_reports.report).where(_reports.name == name)).scalar()
    return None if text is None else msgspec.json.decode(text, type=ScheduledReport)


def _message(row: Any) -> AlertMessage:
    values = {name: getattr(row, name) for name in AlertMessage._fields}
    return AlertMessage(**{**values, "alert": msgspec.json.decode(row.alert, type=Alert)})


def _encoded(value: Any) -> str:
    return msgspec.json.encode(value).decode()
