"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, Plugin

PLUGIN = Plugin(
    name="gold",
    needs=("traffic", "videos"),
    commands={
        "gold": CommandEntry("frametally_gold.commands:gold", "Update the gold tables for SQL"),
        "iceberg": CommandEntry(
            "frametally_gold.commands:iceberg", "Publish the gold tables as Iceberg tables in the store"
        ),
        "media": CommandEntry(
            "frametally_gold.layer_commands:media_group",
            "Run the bronze, silver and gold layers of uploaded videos",
        ),
    },
    jobs="frametally_gold.hooks:JOBS",
    made="frametally_gold.hooks:queue_load",
    removing="frametally_gold.hooks:removing_rows",
    data_places="frametally_gold.hooks:data_places",
    servers="frametally_gold.settings:servers",
    must_open="frametally_gold.commands:must_open_gold",
    serving="frametally_gold.commands:serving",
    findings="frametally_gold.findings:findings",
    setup="frametally_gold.hooks:setup",
    indexed="frametally_gold.commands:load_if_wanted",
    settings="frametally_gold.settings:GoldSettings",
    failpoints={
        "layer.made": "the results of a layer's function are in the store, not yet in the catalogue",
    },
)
