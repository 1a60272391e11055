"""Connects to a PostgreSQL database, and explains its refusals.

An error that a person must correct (a name, a password, a missing database) is `Misconfigured`; a temporary
one (a server that is down, starts or stops) is `Retryable`.
"""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable, unknown_host
from frametally.process.time_limit import seconds_left
from frametally.settings.access import ServerAccess

_CONNECT_TIMEOUT_S = 10
_LOCK_TIMEOUT_S = 60
_SECRETS_IN_QUERY = ("password", "passfile", "sslpassword")
_CONNECT_ARGUMENTS = {
    "connect_timeout": _CONNECT_TIMEOUT_S,
    "application_name": "frametally",
    # Otherwise a database without an encoding (SQL_ASCII) would answer in bytes.
    "client_encoding": "utf8",
    # Notice a vanished server within a minute, not after the system's two hours.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# Messages of libpq when a connection fails: it gives no code, only the server's words.
_REFUSED_BY_NAME = (
    ("no password supplied", "set {user} and {password}"),
    ("password authentication failed", "correct {user} and {password}"),
    ("no pg_hba.conf entry", "allow this user to connect from here in the server's pg_hba.conf"),
    ("is not permitted to log in", "correct {user}, or give the role the attribute LOGIN"),
    ("permission denied for database", "give this user the permission CONNECT"),
    ("certificate verify failed", "correct {ca_file}, or the server's certificate"),
    ("server certificate for", "use the name in the server's certificate in {url}"),
    ("root certificate file", "correct {ca_file}"),
    ("could not read root certificate", "correct {ca_file}"),
    ("does not support SSL", "turn on TLS on the server, or leave out {ca_file}"),
)
_UNKNOWN_HOST = ("Name or service not known", "nodename nor servname", "No address associated with hostname")
_NO_SUCH_THING = ("3D000", "42P01", "42703", "3F000")
_NO_RIGHT = ("42501", "25006")


PART = "PostgreSQL server"
"""The name that people see; the place where it runs is only logged."""


class SqlServer:
    """The server side of one database: how to open it, and how to explain its failures."""

    def __init__(self, url: str, access: ServerAccess | None, *, part: str, setting: str) -> None:
        """Read the URL from the setting `setting`; open nothing yet.

        Raises:
            Misconfigured: Not such a URL, one with a password in it, or one whose `sslmode` is weaker than
                the CA file requires.
        """
        self._part = part
        # The catalogue uses the ledger's login; except for the index, the URL names the user.
        stem = setting.removesuffix("_URL").replace("_CATALOGUE", "_LEDGER")
        has_ca_file = stem in ("FRAMETALLY_INDEX", "FRAMETALLY_LEDGER")
        self._names = {
            "url": setting,
            "user": "FRAMETALLY_INDEX_USER" if stem == "FRAMETALLY_INDEX" else f"the name in {setting}",
            "password": f"{stem}_PASSWORD",
            "ca_file": f"{stem}_CA_FILE" if has_ca_file else f"sslrootcert in {setting}",
        }
        self._url = self._parsed(url, access or ServerAccess())
        where = URL.create(
            "postgresql", host=self._url.host, port=self._url.port, database=self._url.database
        )
        self.name = where.render_as_string()

    def open(self) -> Engine:
        """Return an engine that tests connections before use, so that a server's restart causes no error.

        Raises:
            Misconfigured: The driver is not installed.
        """
        # Anything that it would log about a lost connection is also raised as an error.
        logging.getLogger("psycopg").addHandler(logging.NullHandler())
        try:
            engine = create_engine(self._url, pool_pre_ping=True, connect_args=_CONNECT_ARGUMENTS)
        except (ArgumentError, ImportError) as error:
            raise Misconfigured(
                f"{self._names['url']}: this database cannot be opened ({error}); "
                'install the driver with pip install "frametally[postgres]"'
            ) from error
        event.listen(engine, "do_connect", _connect_in_time)
        return engine

    def lock_layout(self, connection: Connection) -> None:
        """Lock the layout until the end of the transaction: only one process may create or change tables."""
        self.bound_waiting(connection)
        # Index and ledger may share a database: each has a separate lock, by its name.
        connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"frametally {self._part}"}
        )

    def bound_waiting(self, connection: Connection) -> None:
        """Wait at most a minute for other transactions, until the end of this one."""
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_S}s'"))

    def failure(self, error: DBAPIError) -> FrametallyError | None:
        """Return the explanation of a failure, or None if it is not the server's."""
        message = " ".join(str(error.orig).split())
        code = str(getattr(error.orig, "sqlstate", None) or "")
        name = f"{self._part} {self.name}"
        if code in _NO_SUCH_THING or ("database" in message and "does not exist" in message):
            return Misconfigured(f"{name}: {message}; create it, or correct {self._names['url']}")
        if code in _NO_RIGHT:
            return Misconfigured(f"{name}: {message}; give this user that permission")
        for words, remedy in _REFUSED_BY_NAME:
            if words in message:
                return Misconfigured(f"{name}: {message}; {remedy.format(**self._names)}")
        if any(words in message for words in _UNKNOWN_HOST):
            return unknown_host(name, self._names["url"], message, part=PART)
        if isinstance(error, DataError):
            return Poison(f"{name} cannot store this: {message}")
        # 53: disk or memory full. 55: no lock in time. 57: stopped by a person, or starting up.
        if isinstance(error, OperationalError | InterfaceError | InternalError):
            return Retryable(f"{name}: {message}; check the server and try again", part=PART)
        if isinstance(error, ProgrammingError):
            return Misconfigured(f"{name}: {message}; it may belong to another program or version")
        return None

    def _parsed(self, url: str, access: ServerAccess) -> URL:
        setting = self._names["url"]
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError) as error:
            raise Misconfigured(f"{setting} is not a URL; use postgresql://host/database") from error
        if parsed.password is not None or any(name in parsed.query for name in _SECRETS_IN_QUERY):
            raise Misconfigured(
                f"{setting} contains a password, but frametally shows and logs URLs: leave the password "
                f"out, and set {self._names['password']}"
            )
        if not parsed.database:
            raise Misconfigured(f"{setting}={url!r} does not name a database; use postgresql://host/database")
        parsed = parsed.set(drivername="postgresql+psycopg")
        if access.user:
            parsed = parsed.set(username=access.user)
        if access.password.get_secret_value():
            parsed = parsed.set(password=access.password.get_secret_value())
        if access.ca_file is not None:
            # A configured authority means that the server's identity matters.
            if (mode := parsed.query.get("sslmode", "verify-full")) != "verify-full":
                raise Misconfigured(
                    f"{setting} has sslmode={mode}, but {self._names['ca_file']} is set, so the server "
                    "must prove its identity: leave sslmode out of the URL, or do not set the file"
                )
            trust = {"sslmode": "verify-full", "sslrootcert": str(access.ca_file)}
            parsed = parsed.update_query_dict({**dict(parsed.query), **trust})
        return parsed


def _connect_in_time(_dialect: object, _record: object, _args: object, options: dict[str, Any]) -> None:
    """Wait for a new connection no longer than the caller waits: whole seconds, at least two."""
    left_s = seconds_left()
    if left_s is not None:
        options["connect_timeout"] = max(2, min(int(left_s), _CONNECT_TIMEOUT_S))
