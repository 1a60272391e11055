"""A connection to PostgreSQL whose caller's time limit holds even if the server falls silent.

The server ends a query at `statement_timeout`. If it does not answer at all, the client has to.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg

from frametally.process.time_limit import end_of_limit_s

_GRACE_S = 1.0
"""The server's own refusal, which keeps the connection, may take so long to arrive."""


class TimedConnection(psycopg.Connection[Any]):
    """A connection that is closed once its server has been silent for too long."""

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Wait for the server as psycopg does, at the longest until the caller's time limit.

        Raises `psycopg.OperationalError` if the server is silent until then.
        """
        end_s = end_of_limit_s()
        if end_s is None:
            return super().wait(gen, *args, **options)
        try:
            return super().wait(_until(gen, end_s + _GRACE_S), *args, **options)
        except _Silent as silence:
            self.close()
            raise psycopg.OperationalError("the server is silent") from silence


class _Silent(Exception):
    pass


def _until(gen: Generator[Any, Any, Any], end_s: float) -> Generator[Any, Any, Any]:
    """Pass on what `gen` waits for. Raises `_Silent` if nothing has come at `end_s`."""
    try:
        waits_for = next(gen)
        while True:
            ready = yield waits_for
            if not ready and time.monotonic() > end_s:
                raise _Silent
            waits_for = gen.send(ready)
    except StopIteration as end:
        return end.value
