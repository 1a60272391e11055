"""The commands that run together with a dashboard as one family."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import click

from frametally.books.verdict import REFUSALS
from frametally.errors import Misconfigured, Retryable
from frametally.plugins import hooks
from frametally.ports.opened import StorePorts
from frametally.process.limits import in_thread
from frametally.process.reports import stamped
from frametally.settings.loading import Settings
from frametally.settings.servers import is_server
from frametally.work.children import Family, Member
from frametally_cli.console import output as console
from frametally_cli.stages.chosen_model import check_chosen_model

COUNT_EVERY = "5s"
"""Brings a camera's footage into the chart within 10 s, 2 s of them for its segment, some for the round."""
_LOOK_EVERY_S = 1.0


class MemberOptions(NamedTuple):
    """Options of the commands that run together with a dashboard.

    Attributes:
        workers: How many videos are processed at once; None for the setting.
        interval_s: The interval of the counts; None for the setting.
        packs: Whether cameras' frames are stored in packs.
    """

    workers: int | None = None
    every: str = COUNT_EVERY
    interval_s: int | None = None
    alone: bool = False
    packs: bool = False


class MembersPart(NamedTuple):
    """The commands that a plug-in runs together with a dashboard, and other commands that they need.

    `waiting` opens a function that returns whether work waits for them; if it is None, only `up` starts them.
    """

    members: Sequence[Member]
    waiting: Callable[[], AbstractContextManager[Callable[[], bool]]] | None = None


def command(name: str, settings: Settings, *arguments: object, of: str | None = None) -> Member:
    """Return the family member that runs `frametally <name>` on the data of `settings`.

    In a group of commands, `of` names the command.
    """
    names = [name] if of is None else [name, of]
    program = [sys.executable, "-m", "frametally", *names, "--data-dir", str(settings.data_dir)]
    return Member(name, [*program, *map(str, arguments)])


def counting(settings: Settings, options: MemberOptions) -> Member:
    """Return the member that repeatedly counts and indexes."""
    interval = () if options.interval_s is None else ("--interval", options.interval_s)
    return command("aggregate", settings, "--every", options.every, *interval)


def all_parts(settings: Settings, options: MemberOptions) -> list[MembersPart]:
    """Return the commands that plug-ins run together with a dashboard."""
    return [part for find in hooks("members") for part in find(settings, options)]


def distinct(members: Iterable[Member]) -> list[Member]:
    """Return each member once, by name: a command that several parts need runs once."""
    return list({member.name: member for member in members}.values())


def keep_up(ports: StorePorts, should_stop: Callable[[], bool]) -> None:
    """Let plug-ins put right what a power cut left behind."""
    for put_right in hooks("upkeep"):
        put_right(ports, should_stop)


def say(line: str) -> None:
    """Print a family's line with its time; a line without one is the family's own, about an ended member."""
    click.echo(stamped(console.plain(line), "WARNING"))


@contextmanager
def following(settings: Settings, options: MemberOptions) -> Iterator[None]:
    """Run plug-ins' commands until the context ends, each from when work first waits for it.

    Nothing runs in a folder without write permission, or if anything is on a server: there the commands run
    separately.
    """
    parts = [part for part in all_parts(settings, options) if part.waiting is not None]
    if not parts or not is_all_here(settings):
        yield
        return
    with in_thread(partial(_follow, settings, parts), name="family"):
        yield


def _follow(settings: Settings, parts: Sequence[MembersPart], stop: threading.Event) -> None:
    needed = _needed(settings, parts, stop)
    first = next(needed, None)
    if first is None:
        return
    family = Family(first, say=say)

    def add_more() -> None:
        for members in needed:
            family.add(members)

    more = threading.Thread(target=add_more, name="family-more")
    more.start()
    family.run(stop.is_set)
    more.join()


def _needed(
    settings: Settings, parts: Sequence[MembersPart], stop: threading.Event
) -> Iterator[list[Member]]:
    """Yield members when they are first needed, after a test of the model; `REFUSALS` gets why not."""
    begun: set[str] = set()
    try:
        with ExitStack() as opened:
            waiting = [
                (part, opened.enter_context(part.waiting())) for part in parts if part.waiting is not None
            ]
            while waiting and not stop.is_set():
                try:
                    for part, is_waiting in [*waiting]:
                        if is_waiting():
                            if not begun:
                                check_chosen_model(settings)
                            yield [member for member in part.members if member.name not in begun]
                            begun |= {member.name for member in part.members}
                            waiting.remove((part, is_waiting))
                except Retryable as error:
                    say(f"waiting, then trying again: {error}")
                stop.wait(_LOOK_EVERY_S)
    except Misconfigured as error:
        REFUSALS.append(f"videos, streams and cameras are not processed: {error}")
        say(REFUSALS[-1])


def is_all_here(settings: Settings) -> bool:
    """Return whether all parts are on this machine, in a writable folder."""
    urls = (
        *(settings.store_url, settings.log_url, settings.index_url, settings.ledger_url),
        *(settings.catalogue_url, *(url for urls in hooks("servers") for url in urls(settings).values())),
    )
    folder = settings.data_dir
    return not any(map(is_server, urls)) and (not folder.exists() or os.access(folder, os.W_OK))
