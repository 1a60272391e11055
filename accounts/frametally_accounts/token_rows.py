"""Programs' tokens: by the hash of their secret, each of one account."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.engine import SqlDatabase
from frametally.errors import Retryable
from frametally_accounts import tables
from frametally_accounts.account_rows import SEEN_EVERY_MS, SET_BACK_MS, account_of, row_of
from frametally_accounts.rights import ApiToken

_tokens = tables.tokens.c


class SqlTokens:
    """Tokens in a database."""

    _database: SqlDatabase

    def add_token(self, token: ApiToken, token_hash: str, *, lasts_s: float) -> bool:
        """Add a program's token, of which names, role and sources count.

        Returns:
            False: there is no such account, it may do less, or it has a token of the name.
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
        """Return all tokens, over or not, by account and name."""
        query = select(tables.tokens).order_by(_tokens.account, _tokens.name)
        with self._database.reading() as connection:
            return [_token_of(row) for row in connection.execute(query)]

    def token(self, token_hash: str) -> ApiToken | None:
        """Return a token with its account's sources where it has none of its own, and note that it is used.

        None: there is none, it is over, or its account may do less by now.
        """
        is_it = _tokens.token_hash == token_hash
        with self._database.reading() as connection:
            found = connection.execute(select(tables.tokens).where(is_it)).first()
            row = row_of(connection, found.account) if found else None
            now = now_ms(connection) if found else 0
        if found is None or row is None:
            return None
        token = _token_of(found)
        account = account_of(row).narrowed(token.role, token.sources)
        is_set_back = now < max(token.created_at_ms, token.used_at_ms) - SET_BACK_MS
        if account is None or is_set_back or now >= token.ends_at_ms:
            return None
        # Who writes meanwhile, such as a rebuild, must not keep anybody out.
        with contextlib.suppress(Retryable):
            if now - token.used_at_ms >= SEEN_EVERY_MS:
                with self._database.writing() as connection:
                    connection.execute(update(tables.tokens).where(is_it).values(used_at_ms=now))
        return token._replace(sources=account.sources)

    def remove_token(self, account: str, name: str) -> bool:
        """Remove a token; False: there is none of the name."""
        is_it = (_tokens.account == account) & (_tokens.name == name)
        with self._database.writing() as connection:
            return bool(connection.execute(delete(tables.tokens).where(is_it)).rowcount)


def _token_of(row: Row[Any]) -> ApiToken:
    values = row._asdict()
    values.pop("token_hash")
    return ApiToken(**values | {"sources": tuple(json.loads(row.sources))})
