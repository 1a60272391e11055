"""Rows of the access book: accounts, tokens of programs, and failed sign-ins."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.sql_book import CatalogueBook
from frametally.errors import Retryable
from frametally.rules.times import utc
from frametally_accounts import tables
from frametally_accounts.rights import ApiToken, UserAccount

SET_BACK_MS = 60_000
"""Smaller corrections of the clock do not count as setting it back."""
SEEN_EVERY_MS = 60_000
"""Precision of the time at which a session or token was last used."""


class UsedInFuture(Exception):
    """A token was created or used at a time that is still ahead by the database's clock."""

    def __init__(self, used_at_ms: int, now_ms: int) -> None:
        """Store both times, in milliseconds since 1970."""
        super().__init__(
            f"The token was used at {utc(used_at_ms)}, but the server's clock says {utc(now_ms)}."
        )


def row_of(connection: Connection, name: str) -> Row[Any] | None:
    """Return the row of an account, or None if there is no account of that name."""
    return connection.execute(select(tables.accounts).where(tables.accounts.c.name == name)).first()


def account_of(row: Row[Any]) -> UserAccount:
    """Return the account of a row."""
    return UserAccount(
        name=row.name,
        role=row.role,
        sources=tuple(json.loads(row.sources)),
        has_password=bool(row.password_hash),
        has_codes=bool(row.code_secret),
        created_at_ms=row.created_at_ms,
    )


_tokens = tables.tokens.c


class SqlTokens(CatalogueBook):
    """Tokens in a database."""

    def add_token(self, token: ApiToken, token_hash: str, *, lasts_s: float) -> bool:
        """Add a program's token with its names, role and sources.

        Returns:
            False if the account does not exist, has a lower role, or already has a token of this name.
        """
        is_it = (_tokens.account == token.account) & (_tokens.name == token.name)
        with self._database.writing() as connection:
            row = row_of(connection, token.account)
            may = row is not None and account_of(row).narrowed(token.role, token.sources)
            if not may or connection.execute(select(_tokens.name).where(is_it)).first():
                return False
            now = now_ms(connection)
            values = {
                "account": token.account,
                "name": token.name,
                "token_hash": token_hash,
                "role": token.role,
                "sources": json.dumps(sorted(set(token.sources))),
                "created_at_ms": now,
                "ends_at_ms": now + round(lasts_s * 1000),
                "used_at_ms": 0,
            }
            connection.execute(insert(tables.tokens).values(**values))
        return True

    def tokens(self) -> list[ApiToken]:
        """Return all tokens, including expired ones, by account and name."""
        query = select(tables.tokens).order_by(_tokens.account, _tokens.name)
        with self._database.reading() as connection:
            return [_token_of(row) for row in connection.execute(query)]

    def token(self, token_hash: str) -> ApiToken | None:
        """Return a token, with its account's sources if it names none, and record its use.

        Return None if the token does not exist or has expired, or if its account now has a lower role.

        Raises:
            UsedInFuture: The clock was set back since the token was used.
        """
        is_it = _tokens.token_hash == token_hash
        with self._database.reading() as connection:
            token_row = connection.execute(select(tables.tokens).where(is_it)).first()
            row = row_of(connection, token_row.account) if token_row else None
            now = now_ms(connection) if token_row else 0
        if token_row is None or row is None:
            return None
        token = _token_of(token_row)
        account = account_of(row).narrowed(token.role, token.sources)
        if account is None or now >= token.ends_at_ms:
            return None
        used_at_ms = max(token.created_at_ms, token.used_at_ms)
        if now < used_at_ms - SET_BACK_MS:
            raise UsedInFuture(used_at_ms, now)
        # Other writers, such as a rebuild, must not lock people out.
        with contextlib.suppress(Retryable):
            if now - token.used_at_ms >= SEEN_EVERY_MS:
                with self._database.writing() as connection:
                    connection.execute(update(tables.tokens).where(is_it).values(used_at_ms=now))
        return token._replace(sources=account.sources)

    def remove_token(self, account: str, name: str) -> bool:
        """Remove a token; return False if there is no such token."""
        is_it = (_tokens.account == account) & (_tokens.name == name)
        with self._database.writing() as connection:
            return bool(connection.execute(delete(tables.tokens).where(is_it)).rowcount)


def _token_of(row: Row[Any]) -> ApiToken:
    values = row._asdict()
    values.pop("token_hash")
    return ApiToken(**values | {"sources": tuple(json.loads(row.sources))})


MOST_WAIT_S = 60
"""Longest wait before the next sign-in, so that other people's guesses never lock an account for good."""
_FORGET_AFTER_MS = 15 * 60_000
_attempts = tables.attempts.c


class TriedBy(NamedTuple):
    """A key by which sign-ins are counted.

    Attributes:
        key: Such as `account:<hash>` or `address:10.0.0.1`.
        free: Number of failures without a wait; the next waits a second, and each further one twice as long.
    """

    key: str
    free: int


class SqlAttempts(CatalogueBook):
    """Failed sign-ins in a database."""

    def try_login(self, tries: Sequence[TriedBy]) -> float:
        """Count a sign-in as a failure under each of its keys, before anything is compared.

        Returns:
            0.0, or the seconds to wait: then the sign-in is not counted, and you must not try it.
        """
        with self._database.reading() as connection:  # a waiting client must not block the others
            wait_ms = _wait_ms(_of_late(connection, tries, now := now_ms(connection)), now)
        if wait_ms > 0:
            return wait_ms / 1000
        with self._database.writing() as connection:
            now = now_ms(connection)
            connection.execute(delete(tables.attempts).where(_is_old(now)))
            attempts = _of_late(connection, tries, now)
            if (wait_ms := _wait_ms(attempts, now)) > 0:
                return wait_ms / 1000
            for attempt_key in tries:
                failed = (attempts[attempt_key.key].failed if attempt_key.key in attempts else 0) + 1
                beyond = failed - attempt_key.free
                wait_s = min(MOST_WAIT_S, 2 ** min(beyond, 10)) if beyond >= 0 else 0
                values = {"failed": failed, "tried_at_ms": now, "due_at_ms": now + wait_s * 1000}
                if attempt_key.key in attempts:
                    connection.execute(
                        update(tables.attempts).where(_attempts.key == attempt_key.key).values(values)
                    )
                else:
                    connection.execute(insert(tables.attempts).values(key=attempt_key.key, **values))
        return 0.0

    def forgive(self, tries: Sequence[TriedBy]) -> None:
        """Take back the last failure that `try_login` counted, because the sign-in succeeded."""
        keys = [attempt_key.key for attempt_key in tries]
        with self._database.writing() as connection:
            one_less = update(tables.attempts).where(_attempts.key.in_(keys), _attempts.failed > 0)
            connection.execute(one_less.values(failed=_attempts.failed - 1, due_at_ms=0))


def _is_old(now: int) -> ColumnElement[bool]:
    # Attempts in the future were made before the clock was set back.
    return (_attempts.tried_at_ms < now - _FORGET_AFTER_MS) | (_attempts.tried_at_ms > now)


def _of_late(connection: Connection, tries: Sequence[TriedBy], now: int) -> dict[str, Row[Any]]:
    is_theirs = _attempts.key.in_([attempt_key.key for attempt_key in tries])
    rows = connection.execute(select(tables.attempts).where(is_theirs, ~_is_old(now)))
    return {row.key: row for row in rows}


def _wait_ms(attempts: dict[str, Row[Any]], now: int) -> float:
    return max((float(row.due_at_ms - now) for row in attempts.values()), default=0.0)
