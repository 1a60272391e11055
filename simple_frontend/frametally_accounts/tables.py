"""The access book's tables, in the video catalogue's database, for both SQLite and PostgreSQL.

`accounts` has the people who may sign in; `links` and `sessions` their open links and sessions, by hashes of
tokens; `tokens` programs' credentials; `attempts` recent failed sign-ins. The key in `signing_keys` signs
cookies. A restore ends links and sessions: a used link would open again, an ended session would continue.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from frametally.adapters.sql.catalogue import TABLES

signing_keys = Table(
    "frametally_signing_keys",
    TABLES,
    Column("signing_key", Text, primary_key=True),  # as hex digits
    info={"kept": ""},
)

accounts = Table(
    "frametally_accounts",
    TABLES,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("sources", Text, nullable=False),  # as JSON
    Column("password_hash", Text, nullable=False),
    Column("code_secret", Text, nullable=False),
    Column("code_step", BigInteger, nullable=False),  # of the newest used code
    Column("created_at_ms", BigInteger, nullable=False),
    info={"kept": "accounts"},
)

links = Table(
    "frametally_account_links",
    TABLES,
    Column("token_hash", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("ends_at_ms", BigInteger, nullable=False),
    info={"emptied": True},
)

sessions = Table(
    "frametally_sessions",
    TABLES,
    Column("token_hash", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("begun_at_ms", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
    info={"emptied": True},
)

tokens = Table(
    "frametally_api_tokens",
    TABLES,
    Column("account", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("sources", Text, nullable=False),  # as JSON
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ends_at_ms", BigInteger, nullable=False),
    Column("used_at_ms", BigInteger, nullable=False),
    info={"kept": "tokens"},
)

attempts = Table(
    "frametally_login_attempts",
    TABLES,
    Column("key", Text, primary_key=True),
    Column("failed", Integer, nullable=False),
    Column("tried_at_ms", BigInteger, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    info={"emptied": True},
)
