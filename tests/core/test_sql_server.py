"""A PostgreSQL URL: errors in the URL, and the remedy for each error of the server."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest
from sqlalchemy.exc import DataError, OperationalError, ProgrammingError

from frametally.adapters.sql.engine import SqlServer
from frametally.adapters.sql.timed_connection import TimedConnection
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.process.time_limit import time_limit
from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr

OpenIt = Callable[..., object]
SECRET = "never-shown-0815"  # noqa: S105 - it opens nothing
OPEN: list[Callable[..., object]] = [open_count_index, open_ledger]


@pytest.fixture
def index_server() -> SqlServer:
    return SqlServer("postgresql://db.test/x", None, part="count index", setting="FRAMETALLY_INDEX_URL")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1/x",
        f"postgresql://me@127.0.0.1/x?password={SECRET}",
        f"postgresql://127.0.0.1/x?sslpassword={SECRET}",
    ],
)
@pytest.mark.parametrize("open_it", OPEN)
def test_a_password_in_the_url_is_refused_without_being_repeated(open_it: OpenIt, url: str) -> None:
    with pytest.raises(Misconfigured, match=r"contains a password.*_PASSWORD") as raised:
        open_it(url, ServerAccess())
    assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("url", ["postgresql://host", "postgresql://host:port/x", "postgresql://"])
@pytest.mark.parametrize("open_it", OPEN)
def test_a_url_that_names_no_database_is_refused_with_one_that_does(open_it: OpenIt, url: str) -> None:
    with pytest.raises(Misconfigured, match="use postgresql://host/database"):
        open_it(url, ServerAccess())


def test_no_message_contains_the_user_name_password_or_query() -> None:
    access = ServerAccess(user="me", password=SecretStr(SECRET))
    server = SqlServer(
        "postgresql://db.test:5433/x?sslmode=require", access, part="ledger", setting="FRAMETALLY_LEDGER_URL"
    )
    assert server.name == "postgresql://db.test:5433/x"
    engine = server.open()
    assert SECRET not in repr(engine)
    assert engine.url.password == SECRET
    engine.dispose()


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca"])
@pytest.mark.parametrize("open_it", OPEN)
def test_a_url_that_accepts_less_than_the_ca_file_requires_is_refused(open_it: OpenIt, mode: str) -> None:
    access = ServerAccess(ca_file=Path("/etc/ca.pem"))
    with pytest.raises(
        Misconfigured, match=rf"_URL has sslmode={mode}, but FRAMETALLY_.*_CA_FILE is set.*out"
    ):
        open_it(f"postgresql://127.0.0.1/x?sslmode={mode}", access)


@pytest.mark.parametrize("query", ["", "?sslmode=verify-full", "?sslrootcert=/other.pem"])
def test_with_a_ca_file_the_servers_certificate_must_be_from_that_authority_with_its_name(query: str) -> None:
    access = ServerAccess(ca_file=Path("/etc/ca.pem"))
    server = SqlServer(
        f"postgresql://db.test/x{query}", access, part="ledger", setting="FRAMETALLY_LEDGER_URL"
    )
    engine = server.open()
    assert engine.url.query == {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}
    engine.dispose()


@pytest.mark.parametrize(
    ("said", "kind", "remedy"),
    [
        ('FATAL:  password authentication failed for user "me"', Misconfigured, "FRAMETALLY_INDEX_PASSWORD"),
        ("fe_sendauth: no password supplied", Misconfigured, "set FRAMETALLY_INDEX_USER"),
        ('FATAL:  database "x" does not exist', Misconfigured, "create it"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4"', Misconfigured, "pg_hba.conf"),
        ("SSL error: certificate verify failed", Misconfigured, "FRAMETALLY_INDEX_CA_FILE"),
        (
            "failed to resolve host 'x': [Errno -2] Name or service not known",
            Retryable,
            "the server is down, or its name is wrong; start it, or check FRAMETALLY_INDEX_URL",
        ),
        (
            "failed to resolve host 'x': [Errno -3] Temporary failure in name resolution",
            Retryable,
            "try again",
        ),
        ("connection refused\n\tIs the server running on that host?", Retryable, "try again"),
        ("FATAL:  the database system is starting up", Retryable, "try again"),
        ("FATAL:  sorry, too many clients already", Retryable, "try again"),
        ("server closed the connection unexpectedly", Retryable, "try again"),
    ],
)
def test_errors_that_a_person_must_mend_are_told_apart_from_temporary_ones(
    index_server: SqlServer, said: str, kind: type, remedy: str
) -> None:
    failure = index_server.failure(OperationalError("SELECT 1", {}, psycopg.OperationalError(said)))
    assert type(failure) is kind
    assert remedy in str(failure)
    assert "\n" not in str(failure)


def test_data_that_the_database_cannot_hold_is_poison_and_a_missing_object_needs_a_person(
    index_server: SqlServer,
) -> None:
    held = DataError("INSERT", {}, psycopg.DataError("text fields cannot contain NUL (0x00) bytes"))
    assert type(index_server.failure(held)) is Poison
    gone = ProgrammingError("SELECT", {}, psycopg.errors.UndefinedTable('relation "x" does not exist'))
    assert type(index_server.failure(gone)) is Misconfigured


class Connecting(Exception):
    """The address of a connection."""


@pytest.mark.parametrize(("asked_s", "waited_s"), [(None, 10), (300.0, 10), (5.5, 5), (0.5, 2)])
def test_waiting_for_a_connection_ends_at_the_callers_time_limit(
    index_server: SqlServer, monkeypatch: pytest.MonkeyPatch, asked_s: float | None, waited_s: int
) -> None:
    def connect(*_: object, **options: object) -> NoReturn:
        raise Connecting(options["connect_timeout"])

    monkeypatch.setattr(TimedConnection, "connect", connect)
    engine = index_server.open()

    with ExitStack() as stack:
        if asked_s is not None:
            stack.enter_context(time_limit(asked_s))
        with pytest.raises(Connecting) as raised:
            engine.connect()
    assert raised.value.args == (waited_s,)
