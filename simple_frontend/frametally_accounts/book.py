"""The access book in a SQL database: accounts, sessions, tokens, and failed sign-ins.

Times are by the database's clock. If that was set back, sessions that were used after its new time have
ended: nothing lasts longer than it should, and people can always sign in again.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, func, insert, or_, select, update

from frametally.adapters.sql.clock import now_ms
from frametally.errors import Retryable
from frametally_accounts import tables
from frametally_accounts.access_rows import (
    SEEN_EVERY_MS,
    SET_BACK_MS,
    SqlAttempts,
    SqlTokens,
    account_of,
    row_of,
)
from frametally_accounts.rights import Credentials, OwnSession, Session, UserAccount

CheckAccounts = Callable[[Sequence[UserAccount]], None]
"""Raises an error if a change of these accounts must not be made."""
_accounts, _links, _sessions = tables.accounts.c, tables.links.c, tables.sessions.c


def _is_fine(_: Sequence[UserAccount]) -> None:
    """Accept any accounts."""


class AccessBook(SqlTokens, SqlAttempts):
    """The accounts that may sign in, in the database at a URL. Processes may share it."""

    def signing_key(self) -> bytes:
        """Return the key that signs cookies; the first caller creates it."""
        key_of = select(tables.signing_keys.c.signing_key)
        with self._database.reading() as connection:
            key_text = connection.execute(key_of).scalar()
        if not key_text:
            with self._database.writing() as connection:
                key_text = connection.execute(key_of).scalar()
                if not key_text:  # empty in a backup of 0.4.0 that was made before the first use
                    connection.execute(delete(tables.signing_keys))
                    key_text = secrets.token_hex(32)
                    connection.execute(insert(tables.signing_keys).values(signing_key=key_text))
        return bytes.fromhex(key_text)

    def is_empty(self) -> bool:
        """Return whether the book has no accounts."""
        with self._database.reading() as connection:
            return connection.execute(select(_accounts.name).limit(1)).first() is None

    def accounts(self) -> list[UserAccount]:
        """Return all accounts, by name."""
        with self._database.reading() as connection:
            return _accounts_of(connection)

    def account(self, name: str) -> UserAccount | None:
        """Return the account of a name, or None if it does not exist."""
        with self._database.reading() as connection:
            row = row_of(connection, name)
        return account_of(row) if row else None

    def add_account(self, account: UserAccount) -> bool:
        """Add an account with its name, role and sources; return False if the name is taken."""
        with self._database.writing() as connection:
            if row_of(connection, account.name):
                return False
            values = {
                "name": account.name,
                "role": account.role,
                "sources": json.dumps(sorted(set(account.sources))),
                "password_hash": "",
                "code_secret": "",
                "code_step": 0,
                "created_at_ms": now_ms(connection),
            }
            connection.execute(insert(tables.accounts).values(**values))
        return True

    def set_rights(
        self, name: str, role: str, sources: Sequence[str], *, check: CheckAccounts = _is_fine
    ) -> bool:
        """Set an account's role and sources from its next request on; return False if it does not exist.

        `check` gets all accounts, which are locked until the change is made; if it raises, nothing changes.
        """
        values = {"role": role, "sources": json.dumps(sorted(set(sources)))}
        with self._database.writing() as connection:
            check(_accounts_of(connection))
            statement = update(tables.accounts).where(_accounts.name == name).values(values)
            return bool(connection.execute(statement).rowcount)

    def remove_account(self, name: str, *, check: CheckAccounts = _is_fine) -> bool:
        """Remove an account with its sessions, links and tokens; return False if it does not exist.

        See `set_rights` for `check`.
        """
        with self._database.writing() as connection:
            check(_accounts_of(connection))
            _end_all(connection, name)
            connection.execute(delete(tables.tokens).where(tables.tokens.c.account == name))
            return bool(connection.execute(delete(tables.accounts).where(_accounts.name == name)).rowcount)

    def credentials(self, name: str) -> Credentials | None:
        """Return the credentials of an account, or None if it does not exist."""
        with self._database.reading() as connection:
            row = row_of(connection, name)
        return Credentials(row.password_hash, row.code_secret) if row else None

    def set_password(self, name: str, password_hash: str) -> bool:
        """Set an account's password, and end its sessions and links; return whether the account exists."""
        with self._database.writing() as connection:
            return _change(connection, name, password_hash=password_hash)

    def set_code_secret(self, name: str, secret: str) -> bool:
        """Set the codes' secret (empty for none), and end all sessions; return whether the account exists."""
        with self._database.writing() as connection:
            return _change(connection, name, code_secret=secret, code_step=0)

    def use_code(self, name: str, step: int) -> bool:
        """Use up the code of a step (see `find_step`); return False if it or a later code was used before."""
        # A code used far in the future was used before the clock was set back; ignore it.
        is_new = or_(_accounts.code_step < step, _accounts.code_step > step + 2)
        with self._database.writing() as connection:
            used = update(tables.accounts).where(_accounts.name == name, is_new).values(code_step=step)
            return bool(connection.execute(used).rowcount)

    def put_link(self, name: str, token_hash: str, *, lasts_s: float) -> bool:
        """Add a single-use password link, and cancel earlier ones; return whether the account exists."""
        with self._database.writing() as connection:
            if row_of(connection, name) is None:
                return False
            connection.execute(delete(tables.links).where(_links.account == name))
            now = now_ms(connection)
            values = {"made_at_ms": now, "ends_at_ms": now + round(lasts_s * 1000)}
            connection.execute(insert(tables.links).values(token_hash=token_hash, account=name, **values))
        return True

    def link(self, token_hash: str) -> str | None:
        """Return the account of a link's token, or None if the token is unknown, used or expired."""
        with self._database.reading() as connection:
            return _link(connection, token_hash)

    def use_link(self, token_hash: str, password_hash: str) -> str | None:
        """Use up a link: set its account's password, and return the account's name, or None as `link`."""
        with self._database.writing() as connection:
            name = _link(connection, token_hash)
            if name is not None:
                _change(connection, name, password_hash=password_hash)
        return name

    def begin_session(self, name: str, token_hash: str, *, most_s: float) -> bool:
        """Begin a session, and delete those older than `most_s`; return whether the account exists."""
        with self._database.writing() as connection:
            if row_of(connection, name) is None:
                return False
            now = now_ms(connection)
            connection.execute(delete(tables.sessions).where(_sessions.begun_at_ms < now - most_s * 1000))
            values = {"token_hash": token_hash, "account": name, "begun_at_ms": now, "seen_at_ms": now}
            connection.execute(insert(tables.sessions).values(**values))
        return True

    def session(self, token_hash: str, *, idle_s: float, most_s: float) -> Session | None:
        """Return a token's session, or None if it is missing, idle for `idle_s`, or older than `most_s`."""
        query = select(tables.accounts, _sessions.begun_at_ms, _sessions.seen_at_ms).join(
            tables.sessions, _sessions.account == _accounts.name
        )
        with self._database.reading() as connection:
            row = connection.execute(query.where(_sessions.token_hash == token_hash)).first()
            now = now_ms(connection) if row else 0
        if row is None:
            return None
        if _is_over(row, now, idle_s=idle_s, most_s=most_s):
            self.end_session(token_hash)
            return None
        # Other writers, such as a rebuild, must not stop people from reading.
        with contextlib.suppress(Retryable):
            if now - row.seen_at_ms >= min(SEEN_EVERY_MS, idle_s * 500):
                self._note_seen(token_hash)
        return Session(account_of(row), row.begun_at_ms, row.seen_at_ms)

    def sessions(self) -> dict[str, int]:
        """Return the number of sessions of each account, including ended ones."""
        query = select(_sessions.account, func.count()).group_by(_sessions.account)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def sessions_of(self, name: str, *, idle_s: float, most_s: float) -> list[OwnSession]:
        """Return the open sessions of an account, the last used first; see `session`."""
        query = select(_sessions.token_hash, _sessions.begun_at_ms, _sessions.seen_at_ms)
        by_seen = query.where(_sessions.account == name).order_by(
            _sessions.seen_at_ms.desc(), _sessions.token_hash
        )
        with self._database.reading() as connection:
            sessions = [OwnSession(*row) for row in connection.execute(by_seen)]
            now = now_ms(connection) if sessions else 0
        return [session for session in sessions if not _is_over(session, now, idle_s=idle_s, most_s=most_s)]

    def end_session(self, token_hash: str) -> None:
        """End a session; a session that has already ended is not an error."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.sessions).where(_sessions.token_hash == token_hash))

    def _note_seen(self, token_hash: str) -> None:
        with self._database.writing() as connection:
            statement = update(tables.sessions).where(_sessions.token_hash == token_hash)
            connection.execute(statement.values(seen_at_ms=now_ms(connection)))


def _accounts_of(connection: Connection) -> list[UserAccount]:
    rows = connection.execute(select(tables.accounts).order_by(_accounts.name)).all()
    return [account_of(row) for row in rows]


def _is_over(session: OwnSession | Row[Any], now: int, *, idle_s: float, most_s: float) -> bool:
    is_left = now - session.seen_at_ms > idle_s * 1000
    return is_left or now - session.begun_at_ms > most_s * 1000 or now < session.seen_at_ms - SET_BACK_MS


def _change(connection: Connection, name: str, **values: Any) -> bool:
    """Change an account's credentials, which ends its sessions and links."""
    _end_all(connection, name)
    statement = update(tables.accounts).where(_accounts.name == name).values(**values)
    return bool(connection.execute(statement).rowcount)


def _end_all(connection: Connection, name: str) -> None:
    of_account: dict[Table, ColumnElement[bool]] = {
        tables.links: _links.account == name,
        tables.sessions: _sessions.account == name,
    }
    for table, condition in of_account.items():
        connection.execute(delete(table).where(condition))


def _link(connection: Connection, token_hash: str) -> str | None:
    now = now_ms(connection)
    is_open = and_(_links.ends_at_ms > now, _links.made_at_ms <= now + SET_BACK_MS)
    account: str | None = connection.execute(
        select(_links.account).where(_links.token_hash == token_hash, is_open)
    ).scalar()
    return account
