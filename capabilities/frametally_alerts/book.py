"""Stores rules, alerts and messages in a SQL database, and changes them in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, insert, select, update

from frametally.adapters.sql.clock import is_due, now_ms
from frametally.adapters.sql.sql_book import CatalogueBook
from frametally.process import failpoints
from frametally.work.leases import look_then_write
from frametally.work.outbox import Outbox
from frametally.work.sending import MessageState
from frametally_alerts import rules, tables
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

_rules, _marks, _told, _messages = tables.rules.c, tables.marks.c, tables.told.c, tables.messages.c
_channels = tables.channels.c
_OUTBOX = Outbox(tables.messages)
BookEntry = AlertRule | ScheduledReport
_EntryT = TypeVar("_EntryT", bound=BookEntry)


class AlertBook(CatalogueBook):
    """Rules, alerts and waiting messages in the database at a URL."""

    def add(self, entry: BookEntry) -> bool:
        """Add a rule or a report; return False if its name is taken."""
        with self._database.writing() as connection:
            if _find(connection, type(entry), entry.name) is not None:
                return False
            _insert(connection, entry)
            return True

    def remove(self, kind: type[BookEntry], name: str) -> bool:
        """Remove a rule or a report with its waiting messages; return False if it does not exist."""
        with self._database.writing() as connection:
            return _remove(connection, kind, name)

    def replace(self, name: str, entry: BookEntry) -> bool | None:
        """Replace a rule or a report, and drop its waiting messages. A muted rule stays muted.

        Returns:
            True, or False if the new name is taken, or None if there is nothing to replace.
        """
        with self._database.writing() as connection:
            earlier = _find(connection, type(entry), name)
            if earlier is None:
                return None
            if entry.name != name and _find(connection, type(entry), entry.name) is not None:
                return False
            _remove(connection, type(entry), name)
            if isinstance(entry, AlertRule) and isinstance(earlier, AlertRule):
                entry = msgspec.structs.replace(entry, muted_until_ms=earlier.muted_until_ms)
            _insert(connection, entry)
            return True

    def mute_rule(self, name: str, until_ms: int) -> AlertRule | None:
        """Mute a rule until a time and drop its waiting messages; return None if there is no such rule.

        A muted rule still records its alerts, so that they are not sent later.
        """
        with self._database.writing() as connection:
            rule = _find(connection, AlertRule, name)
            if rule is None:
                return None
            rule = msgspec.structs.replace(rule, muted_until_ms=until_ms)
            connection.execute(update(tables.rules).where(_rules.name == name).values(rule=_encoded(rule)))
            if until_ms > now_ms(connection):
                _drop_waiting(connection, _messages.rule == name)
            return rule

    def rules(self) -> list[AlertRule]:
        """Return all rules, by name."""
        with self._database.reading() as connection:
            return _every(connection, AlertRule)

    def reports(self) -> list[ScheduledReport]:
        """Return all reports, by name."""
        with self._database.reading() as connection:
            return _every(connection, ScheduledReport)

    def marks(self, rule: str) -> dict[str, str]:
        """Return the marks that a rule has set on the values it has checked."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_marks.name, _marks.mark).where(_marks.rule == rule))
            return {row.name: row.mark for row in rows}

    def alerts(self, rule: str) -> list[Alert]:
        """Return a rule's alerts by start, withdrawn ones included."""
        query = select(_told.alert).where(_told.rule == rule).order_by(_told.start_ms, _told.key)
        with self._database.reading() as connection:
            return [msgspec.json.decode(row, type=Alert) for row in connection.execute(query).scalars()]

    def newest_alerts(self, rules: Sequence[str], limit: int) -> list[Alert]:
        """Return the newest alerts of some rules that still apply, the newest first."""
        query = select(_told.alert).where(_told.rule.in_(rules)).order_by(_told.start_ms.desc(), _told.key)
        alerts: list[Alert] = []
        with self._database.reading() as connection:
            for first in count(0, limit):
                rows = connection.execute(query.limit(limit).offset(first)).scalars().all()
                page = (msgspec.json.decode(row, type=Alert) for row in rows)
                alerts += [alert for alert in page if alert.state == "told"]
                if len(alerts) >= limit or len(rows) < limit:
                    break
        return alerts[:limit]

    def settle(
        self,
        rule: AlertRule,
        findings: Iterable[AlertFinding],
        scope: Scope | None,
        marks: Mapping[str, str | None],
    ) -> int | AlertBookFull:
        """Record new and changed alerts, and marks of the checked values, in one transaction.

        Args:
            rule: The rule of the findings; if it has been removed or changed since, nothing is recorded.
            findings: All findings within `scope`.
            scope: Alerts in it without a finding are withdrawn; None to withdraw none.
            marks: New marks by name; None removes a mark.

        Returns:
            The number of new or corrected alerts, or `AlertBookFull`.
        """
        by_key = {key_of(rule, finding): finding for finding in findings}
        with self._database.writing() as connection:
            if _find(connection, AlertRule, rule.name) != rule:
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
                if key not in by_key and alert.state == "told" and scope is not None and scope.has(alert)
            ]
            if news and (queued := _count_waiting(connection)) + len(news) > rules.MOST_WAITING and queued:
                return AlertBookFull(queued)
            channels = () if rule.muted_until_ms > now_ms(connection) else rule.channels
            for alert in sorted(news, key=lambda alert: (alert.start_ms, alert.source, alert.label)):
                _tell(connection, rule.name, channels, alert)
            _note(connection, rule.name, marks)
            failpoints.passing("alerts.told")
            return len(news)

    def was_told(self, key: str) -> bool:
        """Return whether the book has the alert with that key."""
        with self._database.reading() as connection:
            return connection.execute(select(_told.key).where(_told.key == key)).first() is not None

    def tell_report(self, report: ScheduledReport, alert: Alert) -> bool | AlertBookFull:
        """Record the alert of a finished report, in one transaction.

        Args:
            report: The report; if it has been removed or changed since, nothing is recorded.
            alert: Its alert, with `turn_key` as its key.

        Returns:
            Whether it was recorded (not if the book already has it), or `AlertBookFull`.
        """
        with self._database.writing() as connection:
            was_told = connection.execute(select(_told.key).where(_told.key == alert.key)).first()
            if was_told is not None or _find(connection, ScheduledReport, report.name) != report:
                return False
            queued = _count_waiting(connection)
            if queued and report.channels and queued >= rules.MOST_WAITING:
                return AlertBookFull(queued)
            _tell(connection, report.rule, report.channels, alert)
            failpoints.passing("reports.told")
            return True

    def claim(self, channel: str, *, lease_s: float) -> AlertMessage | None:
        """Claim the oldest message of a channel for `lease_s`; no other sender gets it until then.

        Return None if there is none, another sender has claimed it, or it must wait; later ones wait as well.
        """

        def take(connection: Connection, message: AlertMessage) -> AlertMessage:
            _OUTBOX.claim(connection, _messages.id == message.id, lease_s)
            return message._replace(attempts=message.attempts + 1)

        return look_then_write(self._database, lambda connection: _next(connection, channel), take)

    def end(self, message: AlertMessage, state: MessageState, **how: Any) -> bool:
        """Record the result of a claimed message; see `Outbox.end_message`."""
        with self._database.writing() as connection:
            return _OUTBOX.end_message(connection, message, state, **how)

    def messages(
        self, limit: int, *, states: Sequence[str] = (), before: int = 0
    ) -> tuple[list[AlertMessage], int]:
        """Return a page of messages, the newest first, and where the next one begins (0 at the end)."""
        query = select(tables.messages).order_by(_messages.number.desc()).limit(limit + 1)
        if states:
            query = query.where(_messages.state.in_(states))
        if before:
            query = query.where(_messages.number < before)
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        following = rows[limit - 1].number if len(rows) > limit else 0
        return [_message(row) for row in rows[:limit]], following

    def ended_messages(self) -> list[tuple[str, int]]:
        """Return the id of each message that was sent or has failed, and when that was."""
        query = select(_messages.id, _messages.ended_at_ms).where(_messages.ended_at_ms.is_not(None))
        with self._database.reading() as connection:
            return [(row.id, row.ended_at_ms) for row in connection.execute(query)]

    def remove_ended(self, message_id: str) -> None:
        """Remove a message unless it is waiting; its alert stays known, so that it is not sent again."""
        with self._database.writing() as connection:
            ended = (_messages.id == message_id, _messages.ended_at_ms.is_not(None))
            connection.execute(delete(tables.messages).where(*ended))

    def waiting(self) -> dict[str, int]:
        """Return the number of waiting messages by channel."""
        with self._database.reading() as connection:
            return _OUTBOX.count_waiting(connection, _messages.channel)

    def add_channel(self, name: str, sealed: str) -> bool:
        """Add a channel; return False if its name is taken."""
        with self._database.writing() as connection:
            if connection.execute(select(_channels.name).where(_channels.name == name)).first() is not None:
                return False
            values = {"name": name, "sealed": sealed, "changed_at_ms": now_ms(connection)}
            connection.execute(insert(tables.channels).values(**values))
            return True

    def replace_channel(self, name: str, sealed: str) -> bool:
        """Replace the address of a channel; return False if it does not exist."""
        with self._database.writing() as connection:
            values = {"sealed": sealed, "changed_at_ms": now_ms(connection)}
            changed = update(tables.channels).where(_channels.name == name).values(**values)
            return bool(connection.execute(changed).rowcount)

    def remove_channel(self, name: str) -> bool:
        """Remove a channel and its waiting messages; return False if it does not exist."""
        with self._database.writing() as connection:
            gone = connection.execute(delete(tables.channels).where(_channels.name == name)).rowcount
            if gone:
                _drop_waiting(connection, _messages.channel == name)
            return bool(gone)

    def sealed_channels(self) -> dict[str, str]:
        """Return the stored, encrypted channels by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(_channels.name, _channels.sealed).order_by(_channels.name))
            return {row.name: row.sealed for row in rows}


def _standing(
    connection: Connection, rule: AlertRule, keys: Mapping[str, AlertFinding], scope: Scope | None
) -> dict[str, Alert]:
    """Return the alerts within the scope or with these keys, by key."""
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
        values = {"rule": rule, "channel": channel, "alert": _encoded(alert)}
        _OUTBOX.put(connection, message_id(alert, channel), **values)


def _note(connection: Connection, rule: str, marks: Mapping[str, str | None]) -> None:
    for name, mark in marks.items():
        connection.execute(delete(tables.marks).where(and_(_marks.rule == rule, _marks.name == name)))
        if mark is not None:
            connection.execute(insert(tables.marks).values(rule=rule, name=name, mark=mark))


def _next(connection: Connection, channel: str) -> AlertMessage | None:
    """Return a channel's next message if it is due; messages behind a waiting one wait."""
    is_next_due = is_due(_messages.due_at_ms, now_ms(connection)).label("is_due")
    row = connection.execute(
        select(tables.messages, is_next_due)
        .where(_messages.state == "queued", _messages.channel == channel)
        .order_by(_messages.number)
        .limit(1)
    ).first()
    return _message(row) if row is not None and row.is_due else None


def _drop_waiting(connection: Connection, condition: ColumnElement[bool]) -> None:
    connection.execute(delete(tables.messages).where(condition, _messages.state == "queued"))


def _count_waiting(connection: Connection) -> int:
    return sum(_OUTBOX.count_waiting(connection, _messages.channel).values())


def _table(kind: type[_EntryT]) -> tuple[Table, Column[str]]:
    """Return the table of rules or reports, with its column of JSON."""
    table = tables.rules if kind is AlertRule else tables.reports
    return table, table.c[1]


def _find(connection: Connection, kind: type[_EntryT], name: str) -> _EntryT | None:
    table, column = _table(kind)
    text = connection.execute(select(column).where(table.c.name == name)).scalar()
    return None if text is None else msgspec.json.decode(text, type=kind)


def _every(connection: Connection, kind: type[_EntryT]) -> list[_EntryT]:
    rows = connection.execute(select(_table(kind)[1])).scalars()
    return sorted((msgspec.json.decode(row, type=kind) for row in rows), key=lambda stored: stored.name)


def _insert(connection: Connection, entry: BookEntry) -> None:
    table, column = _table(type(entry))
    connection.execute(insert(table).values({"name": entry.name, column.name: _encoded(entry)}))


def _remove(connection: Connection, kind: type[BookEntry], name: str) -> bool:
    """Remove a rule or a report with its marks, alerts and waiting messages."""
    table, _ = _table(kind)
    row_count = connection.execute(delete(table).where(table.c.name == name)).rowcount
    rule = name if kind is AlertRule else f"{PREFIX}{name}"
    connection.execute(delete(tables.marks).where(_marks.rule == rule))
    connection.execute(delete(tables.told).where(_told.rule == rule))
    _drop_waiting(connection, _messages.rule == rule)
    return bool(row_count)


def _message(row: Any) -> AlertMessage:
    values = {name: getattr(row, name) for name in AlertMessage._fields}
    return AlertMessage(**{**values, "alert": msgspec.json.decode(row.alert, type=Alert)})


def _encoded(value: Any) -> str:
    return msgspec.json.encode(value).decode()
