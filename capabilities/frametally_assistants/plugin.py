"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, Plugin

PLUGIN = Plugin(
    name="assistants",
    needs=("videos",),
    commands={
        "mcp": CommandEntry(
            "frametally_assistants.commands:mcp", "Answer questions of AI assistants (Model Context Protocol)"
        ),
    },
)
