"""What this folder adds to frametally."""

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
    endpoints="frametally_traffic.endpoints:ENDPOINTS",
    pages=(
        PageEntry("/lines", "look", "lines.html", "Lines", 30),
        PageEntry("/lines/edit", "correct", "editor.html", "Lines", 30, by_source=True),
        PageEntry("/traffic", "look", "traffic.html", "Traffic", 40),
    ),
    web="frametally_traffic.web:web_part",
    calibration="frametally_traffic.calibration.upload_check:check_calibration",
    narrowing="frametally_traffic.zones.zone_index:NARROWING",
    chart_parameters={
        "zone": "Name of a zone drawn over the sources: only what stands in it. Default: the whole picture.",
    },
    records="frametally_traffic.commands.record_folder:FOLDERS",
    known_names="frametally_traffic.drawings.drawn_names:known_names",
    renaming="frametally_traffic.drawings.renamed_source:take_drawing",
    series="frametally_traffic.counting.flow_series:SERIES",
    counting="frametally_traffic.counting.step:STEP",
    tasks="frametally_traffic.tasks.zones:RULES",
    zipped=("flows", "geometry", "tasks"),
    tags={
        "Lines and zones": "What is drawn over a source's picture, and what helps to draw it.",
        "Traffic report": "Movements over a junction by quarter-hour and class.",
        "Crossings and movements": "Crossings, stays, movements, speeds, and the objects behind them.",
    },
)
