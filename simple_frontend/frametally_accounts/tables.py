"""The access book's tables, in the video catalogue's database, for both SQLite and PostgreSQL.

`accounts` has the people who may sign in; `links` and `sessions` their open links and sessions, by hashes of
tokens; `tokens` programs' credentials; `attempts` recent failed sign-ins. `about.signing_key` signs cookies.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

from frametally.adapters.sql.migration import about_table

SCHEMA_VERSION = 10

ALL = MetaData()

about = about_table(
    "frametally_access",
    ALL,
    Column("signing_key", Text, nullable=False, server_default=""),  # as hex digits
)

accounts = Table(
    "frametally_accounts",
    ALL,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("sources", Text, nullable=False),  # as JSON
    Column("password_hash", Text, nullable=False),
    Column("code_secret", Text, nullable=False),
    Column("code_step", BigInteger, nullable=False),  # of the newest used code
    Column("created_at_ms", BigInteger, nullable=False),
)

links = Table(
    "frametally_account_links",
    ALL,
    Column("token_hash", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("ends_at_ms", BigInteger, nullable=False),
)

sessions = Table(
    "frametally_sessions",
    ALL,
    Column("token_hash", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("begun_at_ms", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
)

tokens = Table(
    "frametally_api_tokens",
    ALL,
    Column("account", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("sources", Text, nullable=False),  # as JSON
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ends_at_ms", BigInteger, nullable=False),
    Column("used_at_ms", BigInteger, nullable=False),
)

attempts = Table(
    "frametally_login_attempts",
    ALL,
    Column("key", Text, primary_key=True),
    Column("failed", Integer, nullable=False),
    Column("tried_at_ms", BigInteger, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
)
