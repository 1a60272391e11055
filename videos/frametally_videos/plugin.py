"""What this folder adds to frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, Plugin

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
            {"": ("files", "source")},
        ),
        "work": CommandEntry("frametally_videos.commands.work:work", "Process uploaded videos until Ctrl-C"),
    },
    settings="frametally_videos.settings:VideoSettings",
)
