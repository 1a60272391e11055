"""Registers the tables of accuracy checks for backups."""

from __future__ import annotations

from frametally.adapters.sql.kept_books import KeptTables
from frametally_accuracy import tables
from frametally_accuracy.book import LAYOUT

TABLES = (
    KeptTables(
        "accuracy",
        LAYOUT,
        {
            "accuracy checks": tables.checks,
            "units of checks": tables.units,
            "answers of checks": tables.answers,
            "keys of certificates": tables.keys,
        },
        ("next_number",),
    ),
)
