"""Registers where accuracy checks are, and the pictures that must stay for them."""

from __future__ import annotations

from contextlib import closing

from frametally.adapters.sql.kept_books import place_of
from frametally.media.kept_data import KeptPart
from frametally.ports.opened import StorePorts
from frametally_accuracy import tables
from frametally_accuracy.book import AccuracyBook, has_rows


def data_places(ports: StorePorts) -> KeptPart:
    """Return where checks are, and keep the pictures of all their units: people answer them later.

    They are read each time, as a check may begin while data is being removed. Raises as the database does.
    """
    settings = ports.settings

    def ranges(source: str) -> list[tuple[int, int]]:
        if not has_rows(settings.catalogue_url, tables.checks):
            return []
        with closing(AccuracyBook(settings.catalogue_url, settings.catalogue_access)) as book:
            return [
                (unit.captured_at_ms, unit.captured_at_ms + 1 if unit.to_ms is None else unit.to_ms)
                for check in book.checks()
                if source in check.sources
                for unit in book.units(check.id)
                if unit.source == source
            ]

    return KeptPart([place_of("checks", tables, "accuracy.kept_checks")], ranges)
