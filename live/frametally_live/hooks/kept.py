"""What backups have of the live book."""

from __future__ import annotations

from frametally.adapters.sql.backups.kept_tables import KeptTables
from frametally_live import tables
from frametally_live.book import LAYOUT

TABLES = (KeptTables("live", LAYOUT, {"cameras and streams": tables.feeds}),)
