"""Registers the tables of accuracy checks for backups, and the pictures that must stay for them."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing

from frametally.adapters.sql.kept_books import KeptTables
from frametally.media.kept_data import KeptPart
from frametally.ports.opened import StorePorts
from frametally_accuracy import tables
from frametally_accuracy.book import LAYOUT, AccuracyBook, has_rows

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


def removable(ports: StorePorts) -> KeptPart:
    """Keep the pictures of all units of checks: people answer them later. Raises the database's errors."""
    settings = ports.settings
    by_source: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    if has_rows(settings.catalogue_url, tables.checks):
        with closing(AccuracyBook(settings.catalogue_url, settings.catalogue_access)) as book:
            for check in book.checks():
                for unit in book.units(check.id):
                    to_ms = unit.captured_at_ms + 1 if unit.to_ms is None else unit.to_ms
                    by_source[unit.source].append((unit.captured_at_ms, to_ms))
    return KeptPart(ranges=lambda source: by_source.get(source, []))
