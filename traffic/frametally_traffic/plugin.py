"""What this folder adds to frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, Plugin

PLUGIN = Plugin(
    name="traffic",
    commands={
        "lines": CommandEntry(
            "frametally_traffic.commands.lines:lines",
            "Import, export and list lines, zones, calibrations",
            {"import": ("source", "file", "replace"), "remove": ("source", "names")},
        ),
        "report": CommandEntry(
            "frametally_traffic.commands.traffic_report:report",
            "Write traffic reports, once or on a schedule",
            {"add": ("name", "every", "sources", "channels"), "remove": ("name",)},
        ),
    },
)
