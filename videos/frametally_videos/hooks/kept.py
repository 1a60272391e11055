"""What backups have of the catalogue of videos: what the store cannot restore."""

from __future__ import annotations

from frametally.adapters.sql.backups.kept_tables import KeptTables
from frametally_videos import tables
from frametally_videos.sql.catalogue_book import LAYOUT

TABLES = (
    KeptTables(
        "videos",
        LAYOUT,
        {"jobs": tables.jobs, "notices": tables.notices},
        ("next_number",),
        has_others=True,
    ),
)
