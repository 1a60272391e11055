"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, PageEntry, Plugin

PLUGIN = Plugin(
    name="privacy",
    needs=("accounts",),
    commands={
        "privacy": CommandEntry(
            "frametally_privacy.commands:privacy_group",
            "Hide parts of pictures, erase what was filmed, and report what is kept",
            {
                "set": ("source", "mask", "size", "blur", "model", "originals"),
                "remove": ("source",),
                "erase": ("source", "from", "to", "keep_counts"),
            },
            frees=("erase",),
        ),
    },
    changing="frametally_privacy.hooks:changing",
    data_places="frametally_privacy.hooks:data_places",
    records="frametally_privacy.hooks:RECORDS",
    of_source="frametally_privacy.hooks:of_source",
    screens="frametally_privacy.screens:SCREENS",
    findings="frametally_privacy.hooks:findings",
    upkeep="frametally_privacy.erased_pictures:finish_receipts",
    pages=(PageEntry("/data-protection", "run", "", "privacy.data_protection", 64, "web.health"),),
    web="frametally_privacy.web:web_part",
    failpoints={
        "erasure.noted": "the store notes what is to be erased, and all of it is still there",
        "erasure.segment": "the boxes of one segment are erased, and those of others are not",
        "erasure.forgotten": "the footage no longer counts, and its manifests are gone",
        "erasure.picture": "a picture that belongs to no footage any more is erased, and others are not",
        "erasure.item": "an original, a derivative or a preview is about to be erased",
        "erasure.counted": "the days are counted again, and earlier counts are still there",
    },
)
