"""The gold tables as the first release made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "frametally_gold",
        sa.Column("schema_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("schema_version"),
    )
    op.create_table(
        "gold_counts",
        sa.Column("model", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("interval_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("interval_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("label", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("detections", sa.BigInteger(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("peak", sa.Integer(), nullable=False),
        sa.Column("objects", sa.BigInteger(), nullable=True),
        sa.Column("tracked_detections", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "interval_s", "interval_start", "source", "label"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gold_coverage",
        sa.Column("model", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("interval_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("interval_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("detections", sa.BigInteger(), nullable=False),
        sa.Column("objects_measured", sa.Boolean(), nullable=False),
        sa.Column("analysed_fps", sa.Float(), nullable=True),
        sa.Column("covered_s", sa.Float(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "interval_s", "interval_start", "source"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gold_crossings",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("crossed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("track_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("not_measured", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
    )
    op.create_index(
        "gold_crossings_time", "gold_crossings", ["model", "interval_s", "crossed_at"], unique=False
    )
    op.create_table(
        "gold_loads",
        sa.Column("model", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("interval_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), autoincrement=False, nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_of", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "interval_s", "day"),
    )
    op.create_table(
        "gold_movements",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("track_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("from_line", sa.Text(), nullable=True),
        sa.Column("to_line", sa.Text(), nullable=True),
        sa.Column("no_movement", sa.Text(), nullable=True),
        sa.Column("speed_kmh", sa.Float(), nullable=True),
        sa.Column("speed_error_kmh", sa.Float(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
    )
    op.create_index(
        "gold_movements_time", "gold_movements", ["model", "interval_s", "moved_at"], unique=False
    )
    op.create_table(
        "gold_place_counts",
        sa.Column("model", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("series", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("interval_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("interval_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("what", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("label", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("peak", sa.Integer(), nullable=False),
        sa.Column("objects", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "model", "series", "interval_s", "interval_start", "source", "kind", "name", "what", "label"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gold_quality",
        sa.Column("video_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("check_name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("measured", sa.Float(), nullable=True),
        sa.Column("allowed", sa.Float(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("spans", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("video_id", "check_name"),
    )
    op.create_table(
        "gold_tracks",
        sa.Column("model", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("interval_s", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hour_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("track_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("is_counted", sa.Boolean(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("boxes", sa.BigInteger(), nullable=False),
        sa.Column("best_image_path", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "interval_s", "hour_start", "source", "track_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gold_video_counts",
        sa.Column("video_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("model", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("label", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("detections", sa.BigInteger(), nullable=False),
        sa.Column("peak", sa.Integer(), nullable=False),
        sa.Column("objects", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("video_id", "model", "label"),
    )
    op.create_table(
        "gold_videos",
        sa.Column("video_id", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("filmed_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filmed_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("time_source", sa.Text(), nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("fps", sa.Float(), nullable=True),
        sa.Column("codec", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("frames_announced", sa.BigInteger(), nullable=True),
        sa.Column("quality_passed", sa.Boolean(), nullable=True),
        sa.Column("derivatives", sa.Integer(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_of", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("video_id"),
    )
    op.create_table(
        "gold_zone_visits",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("came_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("track_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("went_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("came", sa.Text(), nullable=False),
        sa.Column("went", sa.Text(), nullable=False),
        sa.Column("stay_s", sa.Float(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
    )
    op.create_index(
        "gold_zone_visits_time", "gold_zone_visits", ["model", "interval_s", "came_at"], unique=False
    )
