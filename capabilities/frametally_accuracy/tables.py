"""Defines the tables of accuracy checks in the video catalogue's database, for SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

from frametally.adapters.sql.migration import about_table

SCHEMA_VERSION = 10

ALL = MetaData()

about = about_table("frametally_accuracy", ALL)

checks = Table(
    "frametally_accuracy_checks",
    ALL,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("check", Text, nullable=False),  # as JSON
)

units = Table(
    "frametally_accuracy_units",
    ALL,
    Column("check", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("unit", Text, nullable=False),  # as JSON
)

answers = Table(
    "frametally_accuracy_answers",
    ALL,
    Column("check", Text, primary_key=True),
    Column("unit", Integer, primary_key=True, autoincrement=False),
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),  # the highest one counts
    Column("person", Text, nullable=False),
    Column("answered_at_ms", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),  # as JSON
)

keys = Table(
    "frametally_accuracy_keys",
    ALL,
    Column("public", Text, primary_key=True),  # both in hexadecimal
    Column("private", Text, nullable=False),
)
