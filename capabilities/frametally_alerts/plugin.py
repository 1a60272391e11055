"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, PageEntry, Plugin

PLUGIN = Plugin(
    name="alerts",
    needs=("traffic", "videos"),
    commands={
        "alerts": CommandEntry(
            "frametally_alerts.commands.alerts:alerts_group",
            "Notify people and programs of counts, gaps and failures",
            dict.fromkeys(("remove", "mute", "unmute"), ("name",)) | {"add": ("name", "what")},
        ),
        "report": CommandEntry(
            "frametally_alerts.commands.reports:report",
            "Write traffic reports, once or on a schedule",
            {"add": ("name", "every", "sources", "channels"), "remove": ("name",)},
        ),
    },
    tables=("frametally_alerts.tables",),
    members="frametally_alerts.hooks:members",
    stages={"alerts": ("store", "log", "index", "ledger", "catalogue", "mail")},
    findings="frametally_alerts.hooks:findings",
    of_source="frametally_alerts.hooks:of_source",
    kept_since="frametally_alerts.hooks:kept_since",
    data_places="frametally_alerts.hooks:data_places",
    settings="frametally_alerts.settings:AlertSettings",
    demo="frametally_alerts.demo:watched",
    town_removed="frametally_alerts.demo:remove",
    actions=(
        "frametally_alerts.routes",
        "frametally_alerts.channel_routes",
        "frametally_alerts.message_routes",
    ),
    pages=(PageEntry("/alerts", "look", "", "alerts.alerts", 42, "web.reports"),),
    beside={"answers": "chart_alert"},
    web="frametally_alerts.web:web_part",
    tags={
        "Alerts": "Rules, channels, sent alerts and waiting messages.",
    },
    failpoints={
        "alerts.told": "alerts, their messages and the marks of checks are about to be recorded together",
        "alerts.claimed": "a sender has claimed a message, and no other sends it for now",
        "alerts.taken": "a channel has accepted a message, and the outbox has not recorded it",
        "alerts.noted": "a message is recorded as sent",
        "reports.put": "a report's files are in the store, and its alert is not recorded",
        "reports.told": "a report and its messages are about to be recorded together",
    },
)
