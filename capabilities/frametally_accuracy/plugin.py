"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, PageEntry, Plugin

PLUGIN = Plugin(
    name="accuracy",
    commands={
        "accuracy": CommandEntry(
            "frametally_accuracy.commands:accuracy_group",
            "Check a random sample by eye, and get intervals for counts",
            {"start": ("name", "metric", "line", "sources", "labels"), "answer": ("name",)},
        ),
    },
    tables=("frametally_accuracy.tables",),
    data_places="frametally_accuracy.kept_pictures:data_places",
    count_checks="frametally_accuracy.charted:CHECKS",
    demo="frametally_accuracy.demo:checked",
    town_removed="frametally_accuracy.demo:remove",
    actions=("frametally_accuracy.routes",),
    beside={"models": "model_checks"},
    pages=(PageEntry("/accuracy", "look", "accuracy.html", "accuracy.accuracy", 50),),
    tags={
        "Accuracy": "Accuracy checks: units to answer, estimates with intervals, certificates.",
    },
)
