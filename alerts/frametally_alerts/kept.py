"""What backups have of the alert book."""

from __future__ import annotations

from frametally.adapters.sql.backups.kept_tables import KeptTables
from frametally_alerts import tables
from frametally_alerts.book import LAYOUT

TABLES = (
    KeptTables(
        "alerts",
        LAYOUT,
        {
            "alert rules": tables.rules,
            "scheduled reports": tables.reports,
            "marks of rules": tables.marks,
            "alerts": tables.told,
            "messages": tables.messages,
        },
        ("next_number",),
    ),
)
