"""Capabilities that can be deleted: each is one folder with one package, and registers one `Plugin`.

A package names its plug-in by the entry point group `frametally.plugins`, as `package.plugin:PLUGIN`. That
module imports nothing of its package: a plug-in is data, and each hook is the name of an object,
`package.module:name`, which is imported when somebody uses it. A plug-in whose folder is gone is as if it had
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
    """

    target: str
    summary: str
    audited: Mapping[str, tuple[str, ...]] = {}


class PageEntry(NamedTuple):
    """A page of the dashboard.

    Attributes:
        path: Its address.
        right: The role that it needs: `look`, `correct` or `run`.
        template: In the plug-in's folder `page/`; empty: a blueprint of the plug-in answers.
        label: What the menu calls it; empty: it is not in the menu.
        order: Its place in the menu: Answers has 0, Books 50, Data & API 60.
        by_source: Whether it is open to visitors who see some sources alone.
    """

    path: str
    right: Right
    template: str = ""
    label: str = ""
    order: int = 0
    by_source: bool = False


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """What a capability adds to frametally; each hook is empty or `package.module:name`.

    Attributes:
        name: Its folder's name.
        needs: The plug-ins that it builds on; without one of them it is left out, too.
        commands: Its commands by name.
        prepare_command: Called with each command that is run, its name and its entry.
        settings: A pydantic model: its settings, read as `Settings.part` says.
        endpoints: The routes of its API as data, a tuple of `Endpoint`.
        tags: What the groups are that its endpoints are described in, by the group's name.
        pages: Its pages, which the menu leads to.
        beside: Its bundles that it adds to pages of others, by those pages' own, such as `videos`.
        other_routes: The rights of its routes that no endpoint describes, such as `WS /ws/{}`.
        tables: `KeptTables` of its book in the catalogue's database, for backups.
        web: Makes its `WebPart` of the dashboard's `WebContext`.
        checks: Yields rows of `frametally doctor` for `Settings`.
        status: Returns lines of `frametally status`.
        members: Returns what `frametally up` and `serve` run for it.
        changed: Called after footage was forgotten, retimed or renamed.
        counting: A step after the counting job.
    """

    name: str
    needs: tuple[str, ...] = ()
    commands: Mapping[str, CommandEntry] = field(default_factory=dict)
    prepare_command: str = ""
    settings: str = ""
    endpoints: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[PageEntry, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)
    other_routes: Mapping[str, Right] = field(default_factory=dict)
    tables: str = ""
    web: str = ""
    checks: str = ""
    status: str = ""
    members: str = ""
    changed: str = ""
    counting: str = ""


@cache
def plugins() -> tuple[Plugin, ...]:
    """Return the plug-ins that are here, with all that they need, by name."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    here = {point.name: point.load() for point in points if find_spec(point.module.partition(".")[0])}
    while lacking := [name for name, plugin in here.items() if not here.keys() >= set(plugin.needs)]:
        here = {name: plugin for name, plugin in here.items() if name not in lacking}
    return tuple(here.values())


def folder_of(plugin: Plugin) -> Path:
    """Return the folder of a plug-in's package."""
    spec = find_spec(f"frametally_{plugin.name}")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(plugin.name)
    return Path(spec.origin).parent


def load(target: str) -> Any:
    """Import what `package.module:name` names."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


@cache
def hooks(name: str) -> tuple[Any, ...]:
    """Return the objects that the plug-ins which are here have for a hook, such as `settings`."""
    return tuple(load(target) for plugin in plugins() if (target := getattr(plugin, name)))
