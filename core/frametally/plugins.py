"""Capabilities that can be deleted: each is one folder with one package, and registers one `Plugin`.

A package names its plug-in by the entry point group `frametally.plugins`, as `package.plugin:PLUGIN`. That
module imports nothing of its package: a plug-in is data, and each hook is the name of an object,
`package.module:name`, which is imported when it is used. A plug-in whose folder is gone is as if it had
never been.
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
        summary: What it does, in one line of the list of commands.
        audited: What the audit log keeps of it: by subcommand ("" is the command itself) the parameters that
            say what it changes, never one that may be secret. A subcommand that is not named changes nothing.
        more: Groups whose commands it has, too: other plug-ins' groups of the same name.
    """

    target: str
    summary: str
    audited: Mapping[str, tuple[str, ...]] = {}
    more: tuple[str, ...] = ()


class PageEntry(NamedTuple):
    """A page of the dashboard.

    Attributes:
        right: The role that it needs: `look`, `correct` or `run`.
        template: In the plug-in's folder `page/`; empty: a blueprint of the plug-in answers.
        label: The key of the text by which the menu calls it; empty: it is not in the menu.
        order: Its place in the menu: Answers has 0, Corrections 25, Data & API 45, Health 60.
        section: The key of the menu's text that leads to it and to other pages; empty: its label.
        by_source: Whether it is open to visitors who see some sources alone.
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
        needs: The plug-ins that it builds on; without one of them it is left out, too.
        commands: Its commands by name.
        stages: Those of its commands that go on, each with the areas of `frametally doctor` that it needs;
            `announcing` is one where it announces frames.
        prepare_command: Called with each command that is run, its name and its entry.
        failpoints: Its failpoints by name, and how things stand there; see `process.failpoints`.
        settings: A class of `PluginSettings`: its settings, read as `Settings.part` says.
        endpoints: The routes of its API: the endpoints of its `Routes`, as their handlers declare them.
        tags: What the groups are that its endpoints are described in, by the group's name.
        pages: Its pages, which the menu leads to.
        beside: Its bundles that it adds to pages of others, by those pages' own, such as `videos`.
        other_routes: The rights of its routes that no handler declares, such as `WS /ws/{}`.
        tables: A tuple of `KeptTables`: its books in the catalogue's database, for backups.
        web: Makes its `WebPart` of the dashboard's `WebContext`.
        channels: What its WebSockets say, as `AsyncChannels`, for `/api/asyncapi.json`.
        checks: Yields rows of `frametally doctor` for `Settings` and a stage; empty: of all stages.
        deep_checks: Those of `doctor --deep`: a `Check` by the name of its rows.
        records: A tuple of `RecordFolder`: the small records that it keeps in the store.
        status: Returns its `StatusPart` of `frametally status` for `Settings` and the store.
        open_needs: Returns what of it waits for a person, as `Need`s, for `Settings` and the store.
        must_open: Opens what `frametally up` starts with, for `Settings`; raises what no waiting mends.
        members: Returns the `MembersPart` that `up` runs, and `serve` on demand, for `Settings` and
            `MemberOptions`.
        serving: Returns a context manager around a dashboard for `Ports` and `MemberOptions`; what it yields
            by name is `given` to `create_app`.
        setup: Yields lines of `frametally setup` for `Settings`, the stages, and whether it only checks.
        servers: Returns the URLs of its servers by name, for `Settings`; empty ones are its embedded parts.
        topics: Returns the topics of the log that it announces on, for `Settings`.
        queues: The names of its queues at a message broker.
        changed: Called for `StagePorts`, a `Change` of footage and `Progress`, after it was made.
        leftovers: Returns for `Ports` the `Leftovers` in the store that nothing names any more.
        restored: Called for `Settings` after a backup was brought back, with its rows' numbers in words.
        kept_since: Returns since when (ms) it has what a person made and backups are for, for `Settings`.
        of_source: Yields what of it names a source by its slug, in words, for `Settings`.
        known_names: Returns its `NamesPart` for `Settings` and the store.
        places: Its `PicturePlaces`: the lines and zones of pictures; of one plug-in at most.
        count_checks: Its `CountChecks`: how far counts are from the truth, where people have checked them.
        demo: Returns a context manager around detection and counting of the demo's clip, for `Ports`, the
            `DemoClip` and `should_stop`.
        town_removed: Called for `Settings` after the demo's simulated town was removed.
        indexed: Called for `Ports` after the index has what was counted; returns an exit code. The command
            ends with 6 at worst, whatever it raises.
        jobs: What it does to uploaded videos: a `PluginJob` by the kind of job.
        made: Called for `Settings`, the catalogue of videos, a video's id and what was made of that.
        removing: Returns a context manager around the removal of an uploaded video, for `Settings` and its
            id, which yields whether something of it was at work until then.
    """

    name: str
    needs: tuple[str, ...] = ()
    commands: Mapping[str, CommandEntry] = field(default_factory=dict)
    stages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prepare_command: str = ""
    failpoints: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    endpoints: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[PageEntry, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    other_routes: Mapping[str, Right] = field(default_factory=dict)
    tables: str = ""
    web: str = ""
    channels: str = ""
    checks: str = ""
    deep_checks: str = ""
    records: str = ""
    status: str = ""
    open_needs: str = ""
    must_open: str = ""
    members: str = ""
    serving: str = ""
    setup: str = ""
    servers: str = ""
    topics: str = ""
    queues: str = ""
    changed: str = ""
    leftovers: str = ""
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
    """Return the plug-ins that are here, with all that they need, by name."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    present = {point.name: point.load() for point in points if _folder(point.module.partition(".")[0])}
    while lacking := [name for name, plugin in present.items() if not present.keys() >= set(plugin.needs)]:
        present = {name: plugin for name, plugin in present.items() if name not in lacking}
    return tuple(present.values())


def plugin_commands() -> dict[str, CommandEntry]:
    """Return the commands of the plug-ins that are here; groups of one name are one, the first one's."""
    commands: dict[str, CommandEntry] = {}
    for name, entry in (command for plugin in plugins() for command in plugin.commands.items()):
        if name in commands:
            first = commands[name]
            entry = first._replace(
                audited={**first.audited, **entry.audited}, more=(*first.more, entry.target)
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
    """Import what `package.module:name` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


@cache
def hooks(name: str) -> tuple[Any, ...]:
    """Return the objects that the plug-ins which are here have for a hook, such as `settings`."""
    return tuple(load(target) for plugin in plugins() if (target := getattr(plugin, name)))
