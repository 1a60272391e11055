"""Capabilities that can be deleted: each is one folder with one package, and registers one `Plugin`.

A package names its plug-in by the entry point group `frametally.plugins`, as `package.plugin:PLUGIN`. That
module imports nothing from its package: a plug-in is data, and each hook is the name of an object,
`package.module:name`, which is imported on use. Deleting its folder removes a plug-in without a trace.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

GROUP = "frametally.plugins"
Right = Literal["open", "look", "correct", "run"]


class CommandEntry(NamedTuple):
    """A command that is not imported yet.

    Attributes:
        target: Its module and its name there, `package.module:name`.
        summary: Its one-line description in the list of commands.
        audited: By subcommand ("" is the command itself), the parameters for the audit log that say what it
            changes, never a secret. A subcommand that is not listed changes nothing.
        more: Groups whose commands it also has: other plug-ins' groups with the same name.
        frees: Its subcommands ("" is the command itself) that free space, or stop what fills the disk; on a
            full disk they may use the reserve of the data folder.
    """

    target: str
    summary: str
    audited: Mapping[str, tuple[str, ...]] = {}
    more: tuple[str, ...] = ()
    frees: tuple[str, ...] = ()


class PageEntry(NamedTuple):
    """A page of the dashboard.

    Attributes:
        right: The right that it needs: `look`, `correct` or `run`.
        template: In the plug-in's folder `page/`; empty if a blueprint of the plug-in answers.
        label: The key of its text in the menu; empty if it is not in the menu.
        order: Its place in the menu: Answers has 0, Corrections 25, Data & API 45, Health 60.
        section: The key of the menu's text that leads to it and to other pages; empty means its label.
        by_source: Whether visitors who may see only some sources can open it.
    """

    path: str
    right: Right
    template: str = ""
    label: str = ""
    order: int = 0
    section: str = ""
    by_source: bool = False


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Plugin:
    """A capability's additions to frametally; each hook is empty or `package.module:name`.

    Attributes:
        needs: The plug-ins that it builds on; if one is missing, it is left out too.
        commands: Its commands by name.
        stages: Its commands that keep running, each with the areas of `frametally doctor` that it needs;
            `announcing` is among them if it announces frames.
        prepare_command: Called with each command that is run, its name and its entry.
        failpoints: Its failpoints by name, with the state at each; see `process.failpoints`.
        settings: A class of `PluginSettings`: its settings, read as described at `Settings.part`.
        actions: Its modules that declare actions, in the order of the API's description.
        tags: Descriptions of the groups of its endpoints, by the group's name.
        pages: Its pages, which the menu links to.
        beside: Its bundles for pages of others, by the bundles of these pages, such as `videos`.
        other_routes: The rights of its routes that no handler declares, such as `WS /ws/{}`.
        tables: Its modules that declare tables of the catalogue's database; see `adapters.sql.catalogue`.
        web: Makes its `WebPart` from the dashboard's `WebContext`.
        channels: The messages of its WebSockets, as `AsyncChannels`, for `/api/asyncapi.json`.
        findings: Yields its `Finding`s for a `Look`: things that need people, do not work, or are damaged.
        records: A tuple of `RecordFolder`: the small records that it keeps in the store.
        must_open: Opens what `frametally up` starts with, for `Settings`; raises errors that persist.
        members: Returns the `MembersPart`s that `up` runs, and `serve` on demand, for `Settings` and
            `MemberOptions`.
        serving: Returns a context manager around a dashboard for `Ports` and `MemberOptions`; what it yields
            by name is `given` to `create_app`.
        upkeep: Called when `serve` or `work` starts, for `StorePorts` and a function that returns whether to
            stop; puts right what a power cut left behind, and raises nothing.
        setup: Yields lines of `frametally setup` for `Settings`, the stages, and whether it only checks.
        servers: Returns the URLs of its servers by name, for `Settings`; empty URLs are its embedded parts.
        topics: Returns the topics of the log that it announces on, for `Settings`.
        queues: The names of its queues at a message broker.
        footage: Yields frames of footage that is not stored yet, as `SourceFrame`s, for `Settings` and the
            store.
        changing: Called as `changed`, but before the change is made, and again after a kill.
        changed: Called for `StagePorts`, a `Change` of footage and `Progress`, after the change was made.
        leftovers: Returns for `Ports` the `Leftovers` in the store that nothing refers to any more.
        data_places: Returns its `KeptPart` for `StorePorts`: where it keeps data, and what must stay.
        screens: Its `ScreensPart`: what changes pictures before they are stored; at most one plug-in has it.
        restored: Called for `Settings` after a backup was restored, with the numbers of its rows in words.
        kept_since: Returns since when (ms) it has data that a person made and needs a backup, for `Settings`.
        of_source: Yields in words what it keeps under a source's slug, for `Settings`.
        known_names: Returns its `NamesPart` for `Settings` and the store.
        places: Its `PicturePlaces`: the lines and zones of pictures; at most one plug-in has it.
        count_checks: Its `CountChecks`: how far counts are from the truth, where people have checked them.
        demo: Returns a context manager around detection and counting of the demo's clip, for `Ports`, the
            `DemoClip` and `should_stop`.
        town_removed: Called for `Settings` after the demo's simulated town was removed.
        indexed: Called for `Ports` after the index has the new counts; returns an exit code. The command ends
            with 6 at worst, whatever it raises.
        jobs: Its jobs for uploaded videos: a `PluginJob` by the kind of job.
        made: Called for `Settings`, the catalogue of videos, a video's id and what was made from it.
        removing: Returns a context manager around the removal of an uploaded video, for `Settings` and its
            id; it yields whether any of its work was still running on the video.
    """

    name: str
    needs: tuple[str, ...] = ()
    commands: Mapping[str, CommandEntry] = field(default_factory=dict)
    stages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prepare_command: str = ""
    failpoints: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    actions: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[PageEntry, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    other_routes: Mapping[str, Right] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    web: str = ""
    channels: str = ""
    findings: str = ""
    records: str = ""
    must_open: str = ""
    members: str = ""
    serving: str = ""
    upkeep: str = ""
    setup: str = ""
    servers: str = ""
    topics: str = ""
    queues: str = ""
    footage: str = ""
    changing: str = ""
    changed: str = ""
    leftovers: str = ""
    data_places: str = ""
    screens: str = ""
    restored: str = ""
    kept_since: str = ""
    of_source: str = ""
    known_names: str = ""
    places: str = ""
    count_checks: str = ""
    demo: str = ""
    town_removed: str = ""
    indexed: str = ""
    jobs: str = ""
    made: str = ""
    removing: str = ""


@cache
def plugins() -> tuple[Plugin, ...]:
    """Return the plug-ins that are here with all that they need, by name."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    present = {point.name: point.load() for point in points if _folder(point.module.partition(".")[0])}
    while lacking := [name for name, plugin in present.items() if not present.keys() >= set(plugin.needs)]:
        present = {name: plugin for name, plugin in present.items() if name not in lacking}
    return tuple(present.values())


def plugin_commands() -> dict[str, CommandEntry]:
    """Return the commands of the plug-ins that are here; groups of the same name join the first."""
    commands: dict[str, CommandEntry] = {}
    for name, entry in (command for plugin in plugins() for command in plugin.commands.items()):
        if name in commands:
            first = commands[name]
            entry = first._replace(
                audited={**first.audited, **entry.audited},
                more=(*first.more, entry.target),
                frees=(*first.frees, *entry.frees),
            )
        commands[name] = entry
    return commands


def folder_of(plugin: Plugin) -> Path:
    """Return the folder of a plug-in's package.

    Raises:
        ModuleNotFoundError: The package does not exist.
    """
    if folder := _folder(f"frametally_{plugin.name}"):
        return folder
    raise ModuleNotFoundError(plugin.name)


def _folder(package: str) -> Path | None:
    """Return the folder of a package; None without `__init__.py`: `git rm` leaves compiled modules behind."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def load(target: str) -> Any:
    """Import and return the object that `package.module:name` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


@cache
def hooks(name: str) -> tuple[Any, ...]:
    """Return the objects for a hook, such as `settings`, of the plug-ins that are here."""
    return tuple(load(target) for plugin in plugins() if (target := getattr(plugin, name)))
