"""A signal ends a command without a traceback: it raises where no library logs or swallows that."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from frametally.console.stop_signals import ending_on


class ToldToEnd(sqlite3.Connection):
    """A connection during whose close the process is told to end."""

    def close(self) -> None:
        signal.raise_signal(signal.SIGTERM)
        super().close()


class Forgotten:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def close_a_connection() -> None:
    engine = create_engine("sqlite://", creator=lambda: ToldToEnd(":memory:"))
    with engine.connect() as connection:
        connection.execute(text("select 1"))
    engine.dispose()


@pytest.mark.parametrize("work", [close_a_connection, Forgotten, lambda: signal.raise_signal(signal.SIGTERM)])
def test_sigterm_ends_a_command_without_a_traceback_at_any_point(
    work: Callable[[], object], caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, ending_on(signal.SIGTERM):
        work()
        time.sleep(5)
    assert ended.value.code == 128 + signal.SIGTERM
    assert (caplog.text, [str(warning.message) for warning in recwarn]) == ("", [])
    assert signal.getsignal(signal.SIGTERM) == before
