"""Runs the commands of plug-ins next to a dashboard once work waits for them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import click

from frametally.books.verdict import REFUSALS
from frametally.console import output as console
from frametally.errors import Misconfigured, Retryable
from frametally.plugins import hooks
from frametally.process.limits import in_thread
from frametally.process.reports import stamped
from frametally.settings.loading import Settings
from frametally.settings.servers import is_server
from frametally.work.children import Family, Member
from frametally.work.family_members import MemberOptions, MembersPart

_LOOK_EVERY_S = 1.0


def all_parts(settings: Settings, options: MemberOptions) -> list[MembersPart]:
    """Return the commands that plug-ins run together with a dashboard."""
    return [part for find in hooks("members") for part in find(settings, options)]


def distinct(members: Iterable[Member]) -> list[Member]:
    """Return each member once, by name: a command that several parts need runs once."""
    return list({member.name: member for member in members}.values())


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
    from frametally_models.chosen_model import check_chosen_model

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
