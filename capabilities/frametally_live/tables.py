"""The live book's table, for both SQLite and PostgreSQL; it is kept only here."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, Table, Text, text

from frametally.adapters.sql.catalogue import TABLES

_OPEN_VIDEO, _CAMERA = text("kind = 'video' AND ended_at_ms IS NULL"), text("kind = 'camera'")

feeds = Table(
    "frametally_feeds",
    TABLES,
    Column("id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),  # in the order in which they were added
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("video_id", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("transport", Text, nullable=False),
    Column("sample_fps", Text, nullable=False, server_default=""),
    Column("speed", Float, nullable=False),
    Column("model", Text, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("seek_s", Float),
    Column("told", Text, nullable=False),  # as JSON
    Column("worker", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),  # when its lease expires
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("launch", Text, nullable=False, server_default=""),
    Column("launch_due_at_ms", BigInteger, nullable=False, server_default="0"),  # when its launcher's expires
    Index("frametally_feeds_due", "ended_at_ms", "due_at_ms"),
    Index("frametally_feeds_camera", "source", unique=True, sqlite_where=_CAMERA),
    Index("frametally_feeds_video", "video_id", unique=True, sqlite_where=_OPEN_VIDEO),
    info={"kept": "cameras and streams"},
)
