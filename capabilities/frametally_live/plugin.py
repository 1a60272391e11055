"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, PageEntry, Plugin

PLUGIN = Plugin(
    name="live",
    needs=("videos",),
    commands={
        "live": CommandEntry(
            "frametally_live.commands.live:live_group",
            "Add, start and stop cameras",
            {"add": ("source",), "remove": ("source",), "start": ("source",), "stop": ("source",)},
            frees=("remove", "stop"),
        ),
        "stream": CommandEntry("frametally_live.commands.stream:stream", "Stream an uploaded video"),
    },
    data_places="frametally_live.waiting_frames:data_places",
    changed="frametally_live.waiting_frames:changed",
    of_source="frametally_live.waiting_frames:of_source",
    removing="frametally_live.hooks:removing_streams",
    tables=("frametally_live.tables",),
    members="frametally_live.hooks:members",
    demo="frametally_live.demo:looped",
    town_removed="frametally_live.demo:remove",
    serving="frametally_live.hooks:serving",
    stages={"live": ("store", "log", "ledger", "catalogue", "announcing")},
    findings="frametally_live.findings:findings",
    channels="frametally_live.viewers.viewer_messages:CHANNELS",
    known_names="frametally_live.hooks:known_names",
    settings="frametally_live.settings:LiveSettings",
    actions=("frametally_live.routes", "frametally_live.camera_routes"),
    pages=(PageEntry("/live", "look", "live.html", "live.menu", 20, "web.footage"),),
    beside={"videos": "video_stream"},
    other_routes={"WS /ws/stream": "look"},
    web="frametally_live.web:web_part",
    tags={
        "Live": "Cameras, streamed videos, and their detections as they happen.",
    },
)
