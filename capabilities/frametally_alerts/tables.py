"""Defines the alert book's tables in the video catalogue's database, for SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from frametally.adapters.sql.catalogue import TABLES

rules = Table(
    "frametally_alert_rules",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("rule", Text, nullable=False),  # as JSON
    info={"kept": "alert rules"},
)

reports = Table(
    "frametally_scheduled_reports",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("report", Text, nullable=False),  # as JSON
    info={"kept": "scheduled reports"},
)

channels = Table(
    "frametally_alert_channels",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("sealed", Text, nullable=False),  # encrypted with FRAMETALLY_ALERT_KEY
    Column("changed_at_ms", BigInteger, nullable=False),
    info={"kept": "alert channels"},
)

marks = Table(
    "frametally_alert_marks",
    TABLES,
    Column("rule", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("mark", Text, nullable=False),
    info={"kept": "marks of rules"},
)

told = Table(
    "frametally_alerts_told",
    TABLES,
    Column("key", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("alert", Text, nullable=False),  # as JSON
    Index("frametally_alerts_told_start", "rule", "start_ms"),
    info={"kept": "alerts"},
)

messages = Table(
    "frametally_alert_messages",
    TABLES,
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
    info={"kept": "messages"},
)
