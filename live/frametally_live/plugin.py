"""What this folder adds to frametally."""

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
        ),
        "stream": CommandEntry("frametally_live.commands.stream:stream", "Stream an uploaded video"),
    },
    removing="frametally_live.hooks.removing:removing_streams",
    tables="frametally_live.hooks.kept:TABLES",
    members="frametally_live.hooks.members:members",
    must_open="frametally_live.hooks.members:must_open",
    serving="frametally_live.hooks.members:serving",
    stages={"live": ("store", "log", "ledger", "catalogue", "announcing")},
    setup="frametally_live.hooks.setup:setup",
    channels="frametally_live.hooks.channels:CHANNELS",
    known_names="frametally_live.hooks.known_names:known_names",
    settings="frametally_live.settings:LiveSettings",
    endpoints="frametally_live.endpoints:ENDPOINTS",
    pages=(PageEntry("/live", "look", "live.html", "Live", 20),),
    beside={"videos": "video_stream"},
    other_routes={"WS /ws/stream": "look"},
    web="frametally_live.web:web_part",
    tags={
        "Live": "Cameras, videos that are streamed, and what is found in them at once.",
    },
)
