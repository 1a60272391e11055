"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, PageEntry, Plugin

PLUGIN = Plugin(
    name="retention",
    commands={
        "retention": CommandEntry(
            "frametally_retention.commands:retention_group",
            "Remove old data by a policy, thin frames, and hold evidence",
            {
                "set": ("kind", "source", "after", "most", "interval", "frames", "never"),
                "apply": (),
                "hold": ("name", "source"),
                "release": ("name",),
            },
            frees=("set", "apply"),
        ),
    },
    findings="frametally_retention.hooks:findings",
    members="frametally_retention.hooks:members",
    records="frametally_retention.hooks:RECORDS",
    changing="frametally_retention.hooks:changing",
    data_places="frametally_retention.hooks:data_places",
    of_source="frametally_retention.hooks:of_source",
    actions=("frametally_retention.routes",),
    pages=(PageEntry("/retention", "run", "", "retention.retention", 63, "web.health"),),
    web="frametally_retention.web:web_part",
    tags={"Retention": "What is removed when, legal holds, and what the last round removed."},
    failpoints={
        "retention.begun": "the policy says which frames are being removed, and all are still there",
        "retention.picture": "a frame is removed, and others of its batch are not",
        "retention.item": "an original, a derivative, a report or a message is about to be removed",
    },
)
