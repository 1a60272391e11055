"""Defines the video catalogue's tables for both SQLite and PostgreSQL.

`videos` has a row per video record in the store, with later findings about it; `artifacts` has the results
made from the videos; `uploads`, `jobs` and `notices` are stored only here. Sort keys of pages are written so
that both databases order them the same way: texts as bytes, and unknown times as the smallest.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
    text,
)

from frametally.adapters.sql.catalogue import TABLES

videos = Table(
    "frametally_videos",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False, index=True),
    Column("source", Text, nullable=False, index=True),
    Column("state", Text, nullable=False, index=True),
    Column("reason", Text),
    Column("progress", Float),
    Column("first_captured_at_ms", BigInteger),
    Column("last_captured_at_ms", BigInteger),
    Column("books", Text, nullable=False),  # as JSON
    Column("record", Text, nullable=False),  # as in the store
    Column("version", Text, nullable=False),
    Column("looked", BigInteger, nullable=False),  # `next_number` when its state was last checked
    Column("searched", Text, nullable=False),  # the text that a search looks through
    Column("uploaded_at_ms", BigInteger, nullable=False),
    Column("filmed_at_ms", BigInteger, nullable=False),
    Column("name_order", LargeBinary, nullable=False),
    Column("length_ms", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("client_id", Text, nullable=False, server_default="", index=True),
    Column("arrival_told", Boolean, nullable=False, server_default=false()),
    Index("frametally_videos_uploaded", "uploaded_at_ms", "id"),
    Index("frametally_videos_filmed", "filmed_at_ms", "id"),
    Index("frametally_videos_name", "name_order", "id"),
    Index("frametally_videos_length", "length_ms", "id"),
    Index("frametally_videos_size", "size_bytes", "id"),
)

artifacts = Table(
    "frametally_video_artifacts",
    TABLES,
    Column("video_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),  # in the order in which they were noted
    Column("kind", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
)

uploads = Table(
    "frametally_uploads",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("video_id", Text, nullable=False),
    Column("known", Boolean, nullable=False),
    Column("length_bytes", BigInteger),
    Column("client_id", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("reason", Text),
    Column("remedy", Text),
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
)

_NOT_ENDED = text("state IN ('queued', 'running')")

jobs = Table(
    "frametally_video_jobs",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("video_id", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("options", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),  # the earliest start if queued, or the end of the lease
    Column("progress", Float),
    Column("reason", Text),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("started_at_ms", BigInteger),
    Column("ended_at_ms", BigInteger),
    Column("told_at_ms", BigInteger, nullable=False, server_default="0"),  # when `take_due` last returned it
    Column("losses", Integer, nullable=False, server_default="0"),
    Index("frametally_video_jobs_due", "state", "due_at_ms"),
    Index("frametally_video_jobs_one", "video_id", "kind", "options", unique=True, sqlite_where=_NOT_ENDED),
    info={"kept": "jobs"},
)

notices = Table(
    "frametally_notices",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("letter", Text, nullable=False),  # the mail that contains it; empty if there is none yet
    Column("due_at_ms", BigInteger, nullable=False),  # the earliest start if queued, or the end of the lease
    Index("frametally_notices_due", "state", "due_at_ms"),
    info={"kept": "notices"},
)
