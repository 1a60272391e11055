"""A separate place in the tests' PostgreSQL: a schema that is deleted afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from serving.needs import server

from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr


@contextmanager
def fresh_schema(values: Mapping[str, str] | None = None) -> Iterator[tuple[str, ServerAccess]]:
    """URL of an empty schema, and how to log in; skips where there is no server.

    Args:
        values: The server's, as `server("postgres")` gives them, if it is another one.
    """
    values = values or server("postgres")
    name = f"test_{secrets.token_hex(6)}"
    with administration(values) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    try:
        yield f"{values['URL']}?options=-csearch_path%3D{name}", access_of(values)
    finally:
        with administration(values) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


@contextmanager
def administration(values: Mapping[str, str]) -> Iterator[psycopg.Connection]:
    """A connection with the same name and password, each statement a transaction."""
    url = urlsplit(values["URL"])
    with psycopg.connect(
        host=url.hostname,
        port=url.port,
        dbname=url.path.lstrip("/"),
        user=values.get("USER"),
        password=values.get("PASSWORD"),
        autocommit=True,
    ) as connection:
        yield connection


def access_of(values: Mapping[str, str]) -> ServerAccess:
    """frametally's log-in to that server."""
    return ServerAccess(user=values.get("USER", ""), password=SecretStr(values.get("PASSWORD", "")))
