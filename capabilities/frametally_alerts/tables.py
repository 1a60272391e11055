"""Defines the alert book's tables in the video catalogue's database, for SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

from frametally.adapters.sql.migration import about_table

SCHEMA_VERSION = 10

ALL = MetaData()

about = about_table("frametally_alerts", ALL)

rules = Table(
    "frametally_alert_rules",
    ALL,
    Column("name", Text, primary_key=True),
    Column("rule", Text, nullable=False),  # as JSON
)

reports = Table(
    "frametally_scheduled_reports",
    ALL,
    Column("name", Text, primary_key=True),
    Column("report", Text, nullable=False),  # as JSON
)

channels = Table(
    "frametally_alert_channels",
    ALL,
    Column("name", Text, primary_key=True),
    Column("sealed", Text, nullable=False),  # encrypted with FRAMETALLY_ALERT_KEY
    Column("changed_at_ms", BigInteger, nullable=False),
)

marks = Table(
    "frametally_alert_marks",
    ALL,
    Column("rule", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("mark", Text, nullable=False),
)

told = Table(
    "frametally_alerts_told",
    ALL,
    Column("key", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("alert", Text, nullable=False),  # as JSON
    Index("frametally_alerts_told_start", "rule", "start_ms"),
)

messages = Table(
    "frametally_alert_messages",
    ALL,
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("rule", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("alert", Text, nullable=False),  # as JSON
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("due_at_ms", BigInteger, nullable=False),  # queued: earliest time to send, or the end of a lease
    Index("frametally_alert_messages_next", "state", "channel", "number"),
)
