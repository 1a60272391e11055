"""Ends a query at the time limit of whoever asks: SQLite by its progress handler, PostgreSQL by a setting."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from frametally.adapters.sql.engine import patient
from frametally.process.time_limit import TookTooLong, seconds_left

_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's machine: about a millisecond
_QUERY_CANCELED = "57014"  # PostgreSQL's SQLSTATE


@contextmanager
def limited(connection: Connection) -> Iterator[None]:
    """End queries of `connection` inside with `TookTooLong` at the time limit, if there is one."""
    left_s = seconds_left()
    if left_s is None:
        yield
        return
    raw = connection.connection.driver_connection
    try:
        if isinstance(raw, sqlite3.Connection):
            deadline_s = time.monotonic() + left_s
            with patient(raw, left_s):
                raw.set_progress_handler(lambda: time.monotonic() > deadline_s, _STEPS_BETWEEN_LOOKS)
                try:
                    yield
                finally:
                    raw.set_progress_handler(None, 0)
            return
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(left_s * 1000))}")
        yield
    except DBAPIError as error:
        if _was_ended(error.orig):
            raise TookTooLong("the count index took longer than the query's time limit") from error
        raise


def _was_ended(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT
    return getattr(error, "sqlstate", None) == _QUERY_CANCELED
