"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, Plugin

PLUGIN = Plugin(
    name="privacy",
    commands={
        "privacy": CommandEntry(
            "frametally_privacy.commands:privacy_group",
            "Blacken parts of pictures, and blur heads and plates, before they are stored",
            {
                "set": ("source", "mask", "size", "blur", "model", "originals"),
                "remove": ("source",),
            },
        ),
    },
    records="frametally_privacy.hooks:RECORDS",
    of_source="frametally_privacy.hooks:of_source",
    screens="frametally_privacy.screens:screen",
)
