"""What is made of videos, more than one job of a kind, whose a video is, and the outbox."""

from __future__ import annotations

import json
import time
import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_JOB_COLUMNS = (
    "id",
    "number",
    "video_id",
    "kind",
    "options",
    "state",
    "attempts",
    "generation",
    "worker",
    "due_at_ms",
    "created_at_ms",
)


def upgrade() -> None:
    """Make the tables, take over previews and whose each video is, and queue what is new."""
    op.add_column("frametally_videos", sa.Column("client_id", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "frametally_videos",
        sa.Column("arrival_told", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_index(op.f("ix_frametally_videos_client_id"), "frametally_videos", ["client_id"], unique=False)
    connection = op.get_bind()
    videos = sa.table("frametally_videos", sa.column("id"), sa.column("record"), sa.column("client_id"))
    for video_id, record in connection.execute(sa.select(videos.c.id, videos.c.record)).all():
        client_id = json.loads(record)["fields"].get("client_id")
        if client_id:
            connection.execute(sa.update(videos).where(videos.c.id == video_id).values(client_id=client_id))
    op.create_table(
        "frametally_video_artifacts",
        sa.Column("video_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("video_id", "key"),
    )
    op.execute(
        "INSERT INTO frametally_video_artifacts (video_id, key, number, kind, content_type, size_bytes) "
        "SELECT video_id, key, 0, kind, content_type, size_bytes FROM frametally_video_previews"
    )
    op.drop_table("frametally_video_previews")
    op.add_column("frametally_video_jobs", sa.Column("options", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "frametally_video_jobs", sa.Column("told_at_ms", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.drop_index("frametally_video_jobs_one", "frametally_video_jobs")
    not_ended = sa.text("state IN ('queued', 'running')")
    op.create_index(
        "frametally_video_jobs_one",
        "frametally_video_jobs",
        ["video_id", "kind", "options"],
        unique=True,
        sqlite_where=not_ended,
        postgresql_where=not_ended,
    )
    op.create_table(
        "frametally_notices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("letter", sa.Text(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_index("frametally_notices_due", "frametally_notices", ["state", "due_at_ms"], unique=False)
    _queue_what_is_new(connection)


def _queue_what_is_new(connection: sa.Connection) -> None:
    """Have the videos that are there described and checked, and made such that browsers play them.

    It is done by workers, whoever new videos are told to: the arrival of these counts as told.
    """
    videos = sa.table(
        "frametally_videos",
        sa.column("id"),
        sa.column("record"),
        sa.column("arrival_told"),
        sa.column("uploaded_at_ms"),
    )
    jobs = sa.table("frametally_video_jobs", *map(sa.column, _JOB_COLUMNS))
    about = sa.table("frametally_catalogue", sa.column("next_number"))
    connection.execute(sa.update(videos).values(arrival_told=sa.true()))
    first = connection.execute(sa.select(about.c.next_number)).scalar_one()
    now_ms = int(time.time() * 1000)
    rows: list[dict[str, object]] = []
    query = sa.select(videos.c.id, videos.c.record).order_by(videos.c.uploaded_at_ms, videos.c.id)
    for video_id, text in connection.execute(query).all():
        record = json.loads(text)
        kinds = ["metadata", "checks"] if record["state"] == "received" else []
        if kinds and not record["facts"]["plays_in_browsers"]:
            kinds.append("playable")
        for kind in kinds:
            what = str(uuid.uuid4()), first + len(rows), video_id, kind
            rows.append(dict(zip(_JOB_COLUMNS, (*what, "", "queued", 0, 0, "", now_ms, now_ms), strict=True)))
    if rows:
        connection.execute(sa.insert(jobs), rows)
        connection.execute(sa.update(about).values(next_number=first + len(rows)))
