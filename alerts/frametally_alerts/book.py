"""The alert book in a SQL database: findings, alerts and messages change in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.migration import Layout
from frametally.process import failpoints
from frametally.rules.times import HOUR_MS
from frametally_alerts import rules, tables
from frametally_alerts.channel_rows import ChannelRows
from frametally_alerts.rules import (
    PREFIX,
    Alert,
    AlertBookFull,
    AlertFinding,
    AlertMessage,
    AlertRule,
    ScheduledReport,
    Scope,
    alert_of,
    key_of,
    message_id,
    withdrawn,
)

LAYOUT = Layout(
    part="alert book",
    setting="FRAMETALLY_CATALOGUE_URL",
    refill="frametally alerts add",
    tables=tables.ALL,
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations="alerts",
    first_version=2,
    beside=(
        "frametally_catalogue",
        "frametally_access",
        "frametally_accuracy",
        "frametally_audit",
        "frametally_live",
    ),
    has_secrets=True,
)
_FURTHEST_MS = 2 * HOUR_MS
"""No message waits longer: a message that is due later was put off before the clock was set back."""
_rules, _marks, _told, _messages = tables.rules.c, tables.marks.c, tables.told.c, tables.messages.c
_reports = tables.reports.c


class AlertBook(ChannelRows):
    """Rules, alerts and waiting messages, in the database that a URL names."""

    layout = LAYOUT

    def add_rule(self, rule: AlertRule) -> bool:
        """Add a rule; return False if another has its name."""
        with self._database.writing() as connection:
            if _rule(connection, rule.name) is not None:
                return False
            connection.execute(insert(tables.rules).values(name=rule.name, rule=_encoded(rule)))
            return True

    def remove_rule(self, name: str) -> bool:
        """Remove a rule with its waiting messages; return False if there is no such rule."""
        with self._database.writing() as connection:
            return _remove_rule(connection, name)

    def replace_rule(self, name: str, rule: AlertRule) -> bool | None:
        """Replace a rule by another, which stays muted if the rule is; drop the rule's waiting messages.

        Returns:
            False: another rule has the new name. None: there is no rule to replace.
        """
        with self._database.writing() as connection:
            earlier = _rule(connection, name)
            if earlier is None:
                return None
            if rule.name != name and _rule(connection, rule.name) is not None:
                return False
            _remove_rule(connection, name)
            rule = msgspec.structs.replace(rule, muted_until_ms=earlier.muted_until_ms)
            connection.execute(insert(tables.rules).values(name=rule.name, rule=_encoded(rule)))
            return True

    def mute_rule(self, name: str, until_ms: int) -> AlertRule | None:
        """Mute a rule until a time and drop its waiting messages; return None if there is no such rule.

        A muted rule still records what it would have sent, so that it does not send that later.
        """
        with self._database.writing() as connection:
            rule = _rule(connection, name)
            if rule is None:
                return None
            rule = msgspec.structs.replace(rule, muted_until_ms=until_ms)
            connection.execute(update(tables.rules).where(_rules.name == name).values(rule=_encoded(rule)))
            if until_ms > now_ms(connection):
                _drop_waiting(connection, name)
            return rule

    def rules(self) -> list[AlertRule]:
        """Return all rules, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_rules.rule)).scalars()
            stored_rules = [msgspec.json.decode(row, type=AlertRule) for row in rows]
        return sorted(stored_rules, key=lambda rule: rule.name)

    def marks(self, rule: str) -> dict[str, str]:
        """Return the marks that a rule has set on what it has checked."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_marks.name, _marks.mark).where(_marks.rule == rule))
            return {row.name: row.mark for row in rows}

    def alerts(self, rule: str) -> list[Alert]:
        """Return a rule's alerts by start, withdrawn ones included."""
        query = select(_told.alert).where(_told.rule == rule).order_by(_told.start_ms, _told.key)
        with self._database.reading() as connection:
            return [msgspec.json.decode(row, type=Alert) for row in connection.execute(query).scalars()]

    def settle(
        self,
        rule: AlertRule,
        findings: Iterable[AlertFinding],
        scope: Scope | None,
        marks: Mapping[str, str | None],
    ) -> int | AlertBookFull:
        """Record new and changed alerts, and what was checked, in one transaction.

        Args:
            rule: The rule of the findings; a rule that has been removed since sends nothing.
            findings: All within `scope`.
            scope: None: nothing is withdrawn.
            marks: By name; None removes one.

        Returns:
            How many alerts are new or corrected.
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
            if news and (queued := _count_waiting(connection)) + len(news) > rules.MOST_WAITING and queued:
                return AlertBookFull(queued)
            channels = () if rule.muted_until_ms > now_ms(connection) else rule.channels
            for alert in sorted(news, key=lambda alert: (alert.start_ms, alert.source, alert.label)):
                _tell(connection, rule.name, channels, alert)
            _note(connection, rule.name, marks)
            failpoints.passing("alerts.told")
            return len(news)

    def add_report(self, report: ScheduledReport) -> bool:
        """Add a report; return False if another has its name."""
        with self._database.writing() as connection:
            if _report(connection, report.name) is not None:
                return False
            connection.execute(insert(tables.reports).values(name=report.name, report=_encoded(report)))
            return True

    def remove_report(self, name: str) -> bool:
        """Remove a report with its waiting messages; return False if there is no such report."""
        with self._database.writing() as connection:
            row_count = connection.execute(delete(tables.reports).where(_reports.name == name)).rowcount
            _forget(connection, f"{PREFIX}{name}")
            return bool(row_count)

    def replace_report(self, name: str, report: ScheduledReport) -> bool | None:
        """Replace a report by another; return as `replace_rule` does."""
        with self._database.writing() as connection:
            if _report(connection, name) is None:
                return None
            if report.name != name and _report(connection, report.name) is not None:
                return False
            connection.execute(delete(tables.reports).where(_reports.name == name))
            _forget(connection, f"{PREFIX}{name}")
            connection.execute(insert(tables.reports).values(name=report.name, report=_encoded(report)))
            return True

    def reports(self) -> list[ScheduledReport]:
        """Return all reports, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_reports.report)).scalars()
            stored_reports = [msgspec.json.decode(row, type=ScheduledReport) for row in rows]
        return sorted(stored_reports, key=lambda report: report.name)

    def was_told(self, key: str) -> bool:
        """Return whether the book has the alert of that key."""
        with self._database.reading() as connection:
            return connection.execute(select(_told.key).where(_told.key == key)).first() is not None

    def tell_report(self, report: ScheduledReport, alert: Alert) -> bool | AlertBookFull:
        """Record the alert of a finished report, in one transaction.

        Args:
            report: A report that has been removed since sends nothing.
            alert: With `turn_key` as its key.

        Returns:
            False: The book has this alert already.
        """
        with self._database.writing() as connection:
            was_told = connection.execute(select(_told.key).where(_told.key == alert.key)).first()
            if was_told is not None or _report(connection, report.name) != report:
                return False
            queued = _count_waiting(connection)
            if queued and report.channels and queued >= rules.MOST_WAITING:
                return AlertBookFull(queued)
            _tell(connection, report.rule, report.channels, alert)
            failpoints.passing("reports.told")
            return True

    def claim(self, channel: str, *, lease_s: float) -> AlertMessage | None:
        """Claim the oldest message of a channel for `lease_s`; no other sender gets it until then.

        None: there is none, another sender has claimed it, or it must wait; later messages wait, too.
        """
        with self._database.reading() as connection:
            if _next(connection, channel) is None:
                return None
        with self._database.writing() as connection:
            next_message = _next(connection, channel)
            if next_message is None:
                return None
            message = next_message._replace(attempts=next_message.attempts + 1)
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
        """Record the result of a claimed message; return False if another sender has claimed it since."""
        lease = and_(
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
            return bool(connection.execute(update(tables.messages).where(lease).values(**values)).rowcount)

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
        """Return how many messages wait, by channel."""
        query = select(_messages.channel, func.count().label("number")).where(_messages.state == "queued")
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(_messages.channel).order_by(_messages.channel))
            return {row.channel: row.number for row in rows}


def _standing(
    connection: Connection, rule: AlertRule, keys: Mapping[str, AlertFinding], scope: Scope | None
) -> dict[str, Alert]:
    """Return the alerts within the scope, and those of these keys, by key."""
    alerts: dict[str, Alert] = {}
    query = select(_told.key, _told.alert).where(_told.rule == rule.name)
    key_list = [*keys]
    queries = [
        query.where(_told.key.in_(key_list[first : first + 500])) for first in range(0, len(key_list), 500)
    ]
    if scope is not None:
        queries.append(query.where(_told.start_ms >= scope.from_ms, _told.start_ms < scope.to_ms))
    for part in queries:
        alerts |= {row.key: msgspec.json.decode(row.alert, type=Alert) for row in connection.execute(part)}
    return alerts


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
    updates = connection.execute(update(tables.told).where(_told.key == alert.key).values(**values)).rowcount
    if not updates:
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
    """Return the message of a channel to send now; messages behind a waiting message wait."""
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
    """Delete the alerts of a rule or a report, and their waiting messages."""
    connection.execute(delete(tables.told).where(_told.rule == rule))
    _drop_waiting(connection, rule)


def _remove_rule(connection: Connection, name: str) -> bool:
    row_count = connection.execute(delete(tables.rules).where(_rules.name == name)).rowcount
    connection.execute(delete(tables.marks).where(_marks.rule == name))
    _forget(connection, name)
    return bool(row_count)


def _drop_waiting(connection: Connection, rule: str) -> None:
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
