"""What this folder adds to frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, PageEntry, Plugin

PLUGIN = Plugin(
    name="videos",
    commands={
        "catalogue": CommandEntry(
            "frametally_videos.commands.catalogue:catalogue_group",
            "Rebuild the catalogue of videos from the store",
            {"rebuild": ()},
        ),
        "upload": CommandEntry(
            "frametally_videos.commands.upload:upload",
            "Upload videos; an interrupted upload continues",
            {"": ("files", "source", "move_counts")},
        ),
        "work": CommandEntry("frametally_videos.commands.work:work", "Process uploaded videos until Ctrl-C"),
    },
    tables="frametally_videos.hooks.kept:TABLES",
    members="frametally_videos.hooks.members:members",
    must_open="frametally_videos.hooks.members:must_open",
    serving="frametally_videos.hooks.members:serving",
    stages={"work": ("store", "log", "index", "ledger", "catalogue", "queue", "mail", "announcing")},
    checks="frametally_videos.hooks.checks:checks",
    deep_checks="frametally_videos.hooks.checks:DEEP_CHECKS",
    records="frametally_videos.hooks.checks:RECORDS",
    status="frametally_videos.hooks.status:status",
    setup="frametally_videos.hooks.setup:setup",
    servers="frametally_videos.hooks.setup:servers",
    topics="frametally_videos.hooks.setup:topics",
    changed="frametally_videos.hooks.mending:changed",
    leftovers="frametally_videos.hooks.mending:leftovers",
    queues="frametally_videos.ports.task_queue:QUEUES",
    channels="frametally_videos.hooks.channels:CHANNELS",
    known_names="frametally_videos.hooks.known_names:known_names",
    settings="frametally_videos.settings:VideoSettings",
    endpoints="frametally_videos.endpoints:ENDPOINTS",
    pages=(
        PageEntry("/videos", "look", "videos.html", "Videos", 10),
        PageEntry("/jobs", "look", "jobs.html"),
    ),
    other_routes={
        "GET /api/videos/{}/poster": "look",
        "GET /api/videos/{}/sprite": "look",
        "GET /api/videos/{}/sprite.vtt": "look",
        "OPTIONS /api/uploads/{}": "correct",
        "POST /api/uploads/{}": "correct",
        "WS /ws/{}": "look",
    },
    web="frametally_videos.web:web_part",
    tags={
        "Videos": "What was uploaded: the library, uploads, playing.",
    },
)
