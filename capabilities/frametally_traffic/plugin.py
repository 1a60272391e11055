"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, PageEntry, Plugin

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
            "Write traffic reports",
        ),
    },
    actions=(
        "frametally_traffic.line_counts.routes",
        "frametally_traffic.report_files.routes",
        "frametally_traffic.drawing_page.routes",
    ),
    pages=(
        PageEntry("/lines", "look", "lines.html", "traffic.menu_lines", 30, by_source=True),
        PageEntry("/lines/edit", "correct", "editor.html", "traffic.menu_lines", 30, by_source=True),
        PageEntry(
            "/traffic", "look", "traffic.html", "traffic.menu_traffic", 40, "web.reports", by_source=True
        ),
    ),
    places="frametally_traffic.picture_places:PLACES",
    records="frametally_traffic.commands.lines:FOLDERS",
    known_names="frametally_traffic.drawings.revisions:known_names",
    data_places="frametally_traffic.counting.published_days:data_places",
    demo="frametally_traffic.drawings.demo_drawing:drawn",
    tags={
        "Lines and zones": "Drawings of a source, and the data that helps you to draw them.",
        "Traffic report": "Movements over a junction by quarter-hour and class.",
        "Crossings and movements": "Crossings, visits, movements, speeds, and the objects behind them.",
    },
    failpoints={
        "flows.planned": "the days are known whose lines and zones are to be counted, and none was counted",
        "flows.counted": "flows are counted, and none are published",
        "flows.part": "a part file of a run of flows is put",
        "flows.whole": "a run of flows is whole, and no pointer names it",
        "flows.published": "the pointer of a day's flows is put, and those of other days are not",
    },
)
