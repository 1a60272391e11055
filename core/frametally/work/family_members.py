"""The commands that run together with a dashboard as one family."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from frametally.plugins import hooks
from frametally.ports.opened import StorePorts
from frametally.settings.loading import Settings
from frametally.work.children import Member

COUNT_EVERY = "5s"
"""Brings a camera's footage into the chart within 10 s, 2 s of them for its segment, some for the round."""


class MemberOptions(NamedTuple):
    """Options of the commands that run together with a dashboard.

    Attributes:
        workers: How many videos are processed at once; None for the setting.
        interval_s: The interval of the counts; None for the setting.
        packs: Whether cameras' frames are stored in packs.
        listens: Whether others can connect to the dashboard.
    """

    workers: int | None = None
    every: str = COUNT_EVERY
    interval_s: int | None = None
    alone: bool = False
    packs: bool = False
    listens: bool = True


class MembersPart(NamedTuple):
    """The commands that a plug-in runs together with a dashboard, and other commands that they need.

    `waiting` opens a function that returns whether work waits for them; if it is None, only `up` starts them.
    """

    members: Sequence[Member]
    waiting: Callable[[], AbstractContextManager[Callable[[], bool]]] | None = None


def command(name: str, settings: Settings, *arguments: object, subcommand: str | None = None) -> Member:
    """Return the family member that runs `frametally <name>` on the data of `settings`.

    In a group of commands, `subcommand` names the command.
    """
    names = [name] if subcommand is None else [name, subcommand]
    program = [sys.executable, "-m", "frametally", *names, "--data-dir", str(settings.data_dir)]
    return Member(name, [*program, *map(str, arguments)])


def counting(settings: Settings, options: MemberOptions) -> Member:
    """Return the member that repeatedly counts and indexes."""
    interval = () if options.interval_s is None else ("--interval", options.interval_s)
    return command("aggregate", settings, "--every", options.every, *interval)


def keep_up(ports: StorePorts, should_stop: Callable[[], bool]) -> None:
    """Let plug-ins put right what a power cut left behind."""
    for put_right in hooks("upkeep"):
        put_right(ports, should_stop)
