"""Accounts as their rows, which whatever belongs to an account reads."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, select

from frametally_accounts import tables
from frametally_accounts.rights import UserAccount

SET_BACK_MS = 60_000
"""By how much a clock may be corrected without being said to be set back."""
SEEN_EVERY_MS = 60_000
"""How exactly it is kept when somebody was there last."""


def row_of(connection: Connection, name: str) -> Row[Any] | None:
    """Return the row of an account; None: there is none of the name."""
    return connection.execute(select(tables.accounts).where(tables.accounts.c.name == name)).first()


def account_of(row: Row[Any]) -> UserAccount:
    """Return the account that a row is of."""
    return UserAccount(
        name=row.name,
        role=row.role,
        sources=tuple(json.loads(row.sources)),
        has_password=bool(row.password_hash),
        has_codes=bool(row.code_secret),
        created_at_ms=row.created_at_ms,
    )
