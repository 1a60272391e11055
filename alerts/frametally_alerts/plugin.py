"""What this folder adds to frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, PageEntry, Plugin

PLUGIN = Plugin(
    name="alerts",
    needs=("traffic", "videos"),
    commands={
        "alerts": CommandEntry(
            "frametally_alerts.commands.alerts:alerts_group",
            "Notify people and programs of counts, gaps and failures",
            {"add": ("name", "what"), "remove": ("name",)},
        ),
        "report": CommandEntry(
            "frametally_alerts.commands.reports:report",
            "Write traffic reports, once or on a schedule",
            {"add": ("name", "every", "sources", "channels"), "remove": ("name",)},
        ),
    },
    tables="frametally_alerts.kept:TABLES",
    members="frametally_alerts.members:members",
    stages={"alerts": ("store", "log", "index", "ledger", "catalogue", "mail")},
    of_source="frametally_alerts.named:of_source",
    kept_since="frametally_alerts.named:kept_since",
    settings="frametally_alerts.settings:AlertSettings",
    endpoints="frametally_alerts.endpoints:ENDPOINTS",
    pages=(PageEntry("/alerts", "look"),),
    web="frametally_alerts.web:web_part",
    tags={
        "Alerts": "Who is told of what, what was told, and what waits.",
    },
)
