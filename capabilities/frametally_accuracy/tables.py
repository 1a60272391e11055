"""Defines the tables of accuracy checks in the video catalogue's database, for SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from frametally.adapters.sql.catalogue import TABLES

checks = Table(
    "frametally_accuracy_checks",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("check", Text, nullable=False),  # as JSON
    info={"kept": "accuracy checks"},
)

units = Table(
    "frametally_accuracy_units",
    TABLES,
    Column("check", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("unit", Text, nullable=False),  # as JSON
    info={"kept": "units of checks"},
)

answers = Table(
    "frametally_accuracy_answers",
    TABLES,
    Column("check", Text, primary_key=True),
    Column("unit", Integer, primary_key=True, autoincrement=False),
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),  # the highest one counts
    Column("person", Text, nullable=False),
    Column("answered_at_ms", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),  # as JSON
    info={"kept": "answers of checks"},
)

keys = Table(
    "frametally_accuracy_keys",
    TABLES,
    Column("public", Text, primary_key=True),  # both in hexadecimal
    Column("private", Text, nullable=False),
    info={"kept": "keys of certificates"},
)
