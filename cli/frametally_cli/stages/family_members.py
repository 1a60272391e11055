"""The commands that run beside a dashboard as one family."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import click

from frametally.errors import Misconfigured, Retryable
from frametally.plugins import hooks
from frametally.process.limits import in_thread
from frametally.process.reports import stamped
from frametally.settings.loading import Settings
from frametally.settings.servers import is_server
from frametally.work.children import Family, Member
from frametally_cli.console import output as console

COUNT_EVERY = "5s"
"""What a camera shows is to be in the chart within 10 s: 2 s are its segment's, and some the round's."""
_LOOK_EVERY_S = 1.0


class MemberOptions(NamedTuple):
    """How what works beside a dashboard is run.

    Attributes:
        workers: How many videos are worked on at once; None: as set.
        interval_s: Of the counts; None: as set.
        packs: Whether cameras' frames are stored in packs.
    """

    workers: int | None = None
    every: str = COUNT_EVERY
    interval_s: int | None = None
    alone: bool = False
    packs: bool = False


class MembersPart(NamedTuple):
    """The commands that a plug-in runs beside a dashboard, and those of the mission that they need.

    `waiting` opens what tells, as often as it is called, whether something waits for them; None: `up` alone
    starts them.
    """

    members: Sequence[Member]
    waiting: Callable[[], AbstractContextManager[Callable[[], bool]]] | None = None


def command(name: str, settings: Settings, *arguments: object, of: str | None = None) -> Member:
    """Return the family member that runs `frametally <name>` on the data of `settings`.

    Of a group of commands it is that one named `of`.
    """
    names = [name] if of is None else [name, of]
    program = [sys.executable, "-m", "frametally", *names, "--data-dir", str(settings.data_dir)]
    return Member(name, [*program, *map(str, arguments)])


def counting(settings: Settings, options: MemberOptions) -> Member:
    """Return the member that counts, and indexes, again and again."""
    interval = () if options.interval_s is None else ("--interval", options.interval_s)
    return command("aggregate", settings, "--every", options.every, *interval)


def distinct(members: Iterable[Member]) -> list[Member]:
    """Return each of some members once, by name: what several parts need is run once."""
    return list({member.name: member for member in members}.values())


def say(line: str) -> None:
    """Print a family's line with its time; a line without one is the family's own, about an ended member."""
    click.echo(stamped(console.plain(line), "WARNING"))


@contextmanager
def following(settings: Settings, options: MemberOptions) -> Iterator[None]:
    """While it lasts, run what plug-ins need, each once the first thing waits for it; then end it.

    Nothing is run in a folder that may not be written, or where anything is on a server: there the commands
    have places of their own.
    """
    parts = [part for find in hooks("members") if (part := find(settings, options)).waiting is not None]
    if not parts or not is_all_here(settings):
        yield
        return
    with in_thread(partial(_follow, parts), name="family"):
        yield


def _follow(parts: Sequence[MembersPart], stop: threading.Event) -> None:
    needed = _needed(parts, stop)
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


def _needed(parts: Sequence[MembersPart], stop: threading.Event) -> Iterator[list[Member]]:
    """Yield members when they are needed first."""
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
                            yield [member for member in part.members if member.name not in begun]
                            begun |= {member.name for member in part.members}
                            waiting.remove((part, is_waiting))
                except Retryable as error:
                    say(f"waiting, then trying again: {error}")
                stop.wait(_LOOK_EVERY_S)
    except Misconfigured as error:
        say(f"videos, streams and cameras are not processed: {error}")


def is_all_here(settings: Settings) -> bool:
    """Return whether all parts are on this machine, in a folder that may be written."""
    urls = (
        *(settings.store_url, settings.log_url, settings.index_url, settings.ledger_url),
        *(settings.catalogue_url, *(url for urls in hooks("servers") for url in urls(settings).values())),
    )
    folder = settings.data_dir
    return not any(map(is_server, urls)) and (not folder.exists() or os.access(folder, os.W_OK))
