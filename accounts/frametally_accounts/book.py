"""The access book in a SQL database: accounts, their sessions and tokens, and how often a log-in was tried.

Times are the database's own. Where its clock was set back, what was seen after its new time is over: nothing
lasts longer than it should, and logging in again is always possible.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, delete, func, insert, or_, select, update

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.engine import SqlDatabase
from frametally.adapters.sql.migration import Layout
from frametally.errors import Retryable
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.settings.access import ServerAccess
from frametally_accounts import tables
from frametally_accounts.account_rows import SEEN_EVERY_MS, SET_BACK_MS, account_of, row_of
from frametally_accounts.attempts import SqlAttempts
from frametally_accounts.rights import Credentials, OwnSession, Session, UserAccount
from frametally_accounts.token_rows import SqlTokens

LAYOUT = Layout(
    what="access book",
    setting="FRAMETALLY_CATALOGUE_URL",
    refill="frametally users add",
    tables=tables.ALL,
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations="access",
    first_version=2,
    beside=("frametally_catalogue", "frametally_alerts", "frametally_audit", "frametally_live"),
    has_secrets=True,
)
_accounts, _links, _sessions = tables.accounts.c, tables.links.c, tables.sessions.c


class AccessBook(SqlTokens, SqlAttempts):
    """Who may log in, in the database that a URL names. Processes may share it."""

    def __init__(
        self, url: str, access: ServerAccess | None = None, *, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open the database, making the tables if they are missing; see `SqlDatabase`."""
        self.url = url
        self._database = SqlDatabase(url, LAYOUT, access=access, busy_timeout_s=busy_timeout_s)

    def signing_key(self) -> bytes:
        """Return the key that cookies are signed by, made by whoever asks first."""
        key_of = select(tables.about.c.signing_key)
        with self._database.reading() as connection:
            found = connection.execute(key_of).scalar_one()
        if not found:
            with self._database.writing() as connection:
                about = update(tables.about).where(tables.about.c.signing_key == "")
                connection.execute(about.values(signing_key=secrets.token_hex(32)))
                found = connection.execute(key_of).scalar_one()
        return bytes.fromhex(found)

    def is_empty(self) -> bool:
        """Return whether there is no account."""
        with self._database.reading() as connection:
            return connection.execute(select(_accounts.name).limit(1)).first() is None

    def accounts(self) -> list[UserAccount]:
        """Return all accounts, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(tables.accounts).order_by(_accounts.name)).all()
        return [account_of(row) for row in rows]

    def account(self, name: str) -> UserAccount | None:
        """Return the account of a name; None: there is none."""
        with self._database.reading() as connection:
            row = row_of(connection, name)
        return account_of(row) if row else None

    def add_account(self, account: UserAccount) -> bool:
        """Add an account, of which name, role and sources count; False: there is one of the name."""
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

    def remove_account(self, name: str) -> bool:
        """Remove an account with its sessions, links and tokens; False: there is none of the name."""
        with self._database.writing() as connection:
            _end_all(connection, name)
            connection.execute(delete(tables.tokens).where(tables.tokens.c.account == name))
            return bool(connection.execute(delete(tables.accounts).where(_accounts.name == name)).rowcount)

    def credentials(self, name: str) -> Credentials | None:
        """Return what an account proves itself by; None: there is no such account."""
        with self._database.reading() as connection:
            row = row_of(connection, name)
        return Credentials(row.password_hash, row.code_secret) if row else None

    def set_password(self, name: str, password_hash: str) -> bool:
        """Give an account a password, which ends its sessions and links; False: there is no such account."""
        with self._database.writing() as connection:
            return _change(connection, name, password_hash=password_hash)

    def set_code_secret(self, name: str, secret: str) -> bool:
        """Ask for codes of this secret (empty: for none), which ends its sessions; False: no such account."""
        with self._database.writing() as connection:
            return _change(connection, name, code_secret=secret, code_step=0)

    def use_code(self, name: str, step: int) -> bool:
        """Use up the code of a step (see `codes.find_step`); False: that or a later one was used before."""
        # One that was used far ahead was so before the clock was set back: it keeps nobody out.
        is_new = or_(_accounts.code_step < step, _accounts.code_step > step + 2)
        with self._database.writing() as connection:
            used = update(tables.accounts).where(_accounts.name == name, is_new).values(code_step=step)
            return bool(connection.execute(used).rowcount)

    def put_link(self, name: str, token_hash: str, *, lasts_s: float) -> bool:
        """Have a token choose the account's password once, instead of all before; False: no such account."""
        with self._database.writing() as connection:
            if row_of(connection, name) is None:
                return False
            connection.execute(delete(tables.links).where(_links.account == name))
            now = now_ms(connection)
            values = {"made_at_ms": now, "ends_at_ms": now + round(lasts_s * 1000)}
            connection.execute(insert(tables.links).values(token_hash=token_hash, account=name, **values))
        return True

    def link(self, token_hash: str) -> str | None:
        """Return whose link a token is; None: nobody's, or it is used or over."""
        with self._database.reading() as connection:
            return _link(connection, token_hash)

    def use_link(self, token_hash: str, password_hash: str) -> str | None:
        """Use up a link: `set_password` of the account, whose name is returned; None: as `link` has it."""
        with self._database.writing() as connection:
            name = _link(connection, token_hash)
            if name is not None:
                _change(connection, name, password_hash=password_hash)
        return name

    def begin_session(self, name: str, token_hash: str, *, most_s: float) -> bool:
        """Begin a session, and forget those that are older than `most_s`; False: there is no such account."""
        with self._database.writing() as connection:
            if row_of(connection, name) is None:
                return False
            now = now_ms(connection)
            connection.execute(delete(tables.sessions).where(_sessions.begun_at_ms < now - most_s * 1000))
            values = {"token_hash": token_hash, "account": name, "begun_at_ms": now, "seen_at_ms": now}
            connection.execute(insert(tables.sessions).values(**values))
        return True

    def session(self, token_hash: str, *, idle_s: float, most_s: float) -> Session | None:
        """Return the session of a token; None: none, or left for `idle_s`, or older than `most_s`."""
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
        # Who writes meanwhile, such as a rebuild, must not keep anybody from looking.
        with contextlib.suppress(Retryable):
            if now - row.seen_at_ms >= min(SEEN_EVERY_MS, idle_s * 500):
                self._note_seen(token_hash)
        return Session(account_of(row), row.begun_at_ms, row.seen_at_ms)

    def sessions(self) -> dict[str, int]:
        """Return how many sessions each account has, over or not."""
        query = select(_sessions.account, func.count()).group_by(_sessions.account)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def sessions_of(self, name: str, *, idle_s: float, most_s: float) -> list[OwnSession]:
        """Return the sessions of an account that are not over, who was seen last first; see `session`."""
        query = select(_sessions.token_hash, _sessions.begun_at_ms, _sessions.seen_at_ms)
        by_seen = query.where(_sessions.account == name).order_by(
            _sessions.seen_at_ms.desc(), _sessions.token_hash
        )
        with self._database.reading() as connection:
            found = [OwnSession(*row) for row in connection.execute(by_seen)]
            now = now_ms(connection) if found else 0
        return [one for one in found if not _is_over(one, now, idle_s=idle_s, most_s=most_s)]

    def end_session(self, token_hash: str) -> None:
        """End a session; one that is over is no error."""
        with self._database.writing() as connection:
            connection.execute(delete(tables.sessions).where(_sessions.token_hash == token_hash))

    def check(self) -> None:
        """Read from the database itself. Raises as every other call does."""
        self._database.close()  # what its connections remember would hide damage
        with self._database.reading() as connection:
            for table in tables.ALL.sorted_tables:
                connection.execute(select(table).limit(1)).first()

    def close(self) -> None:
        """Release connections."""
        self._database.close()

    def _note_seen(self, token_hash: str) -> None:
        with self._database.writing() as connection:
            seen = update(tables.sessions).where(_sessions.token_hash == token_hash)
            connection.execute(seen.values(seen_at_ms=now_ms(connection)))


def _is_over(one: OwnSession | Row[Any], now: int, *, idle_s: float, most_s: float) -> bool:
    is_left = now - one.seen_at_ms > idle_s * 1000
    return is_left or now - one.begun_at_ms > most_s * 1000 or now < one.seen_at_ms - SET_BACK_MS


def _change(connection: Connection, name: str, **values: Any) -> bool:
    """Change what an account proves itself by: who has logged in by what it was logs in again."""
    _end_all(connection, name)
    changed = update(tables.accounts).where(_accounts.name == name).values(**values)
    return bool(connection.execute(changed).rowcount)


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
    found: str | None = connection.execute(
        select(_links.account).where(_links.token_hash == token_hash, is_open)
    ).scalar()
    return found
