"""What a plug-in has of its book saved, as its hook `tables` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from sqlalchemy import Connection, Table

from frametally.adapters.sql.migration import Layout


class KeptTables(NamedTuple):
    """One book in the catalogue's database.

    Attributes:
        book: Its name in backups.
        layout: Its tables.
        kept: Those that are saved, by what people call their rows.
        noted: The columns of its `about` that are saved, too.
        emptied: Tables that a restoring empties.
        has_others: Whether it has other rows, which stay: none may have a number twice.
        unlocked: Lets rows be removed that the database keeps from everybody else.
    """

    book: str
    layout: Layout
    kept: Mapping[str, Table]
    noted: tuple[str, ...] = ()
    emptied: tuple[Table, ...] = ()
    has_others: bool = False
    unlocked: Callable[[Connection], AbstractContextManager[None]] = lambda _: nullcontext()
