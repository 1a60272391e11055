"""The commands that bring a video from its upload to the chart, run as one family."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from frametally.errors import Misconfigured, Retryable
from frametally.opening import open_video_catalogue
from frametally.ports.video_catalogue import VideoState
from frametally.process.children import Family, Member
from frametally.settings.loading import Settings
from frametally_cli.console import output as console

COUNT_EVERY = "5s"
"""What a camera shows is to be in the chart within 10 s: 2 s are its segment's, and some the round's."""
_LOOK_EVERY_S = 1.0
_EMBEDDED = {"file", "sqlite", ""}
_SETTLED: tuple[VideoState, ...] = ("ready", "failed")


def command(name: str, settings: Settings, *arguments: object, of: str | None = None) -> Member:
    """Return the family member that runs `frametally <name>` on the data of `settings`.

    Of a group of commands it is that one named `of`.
    """
    names = [name] if of is None else [name, of]
    program = [sys.executable, "-m", "frametally", *names, "--data-dir", str(settings.data_dir)]
    return Member(name, [*program, *map(str, arguments)])


def video_commands(
    settings: Settings, *, workers: int, every: str = COUNT_EVERY, interval_s: int | None = None
) -> list[Member]:
    """Return the commands that videos need: workers, a consumer, and the job, which also indexes.

    Args:
        settings: Of the command that starts them; theirs come from the same environment.
        workers: How many videos are worked on at once.
        every: How often is counted.
        interval_s: Of the counts; None: as set.
    """
    interval = () if interval_s is None else ("--interval", interval_s)
    return [
        command("work", settings, "--workers", workers),
        command("consume", settings),
        command("aggregate", settings, "--every", every, *interval),
    ]


def say(line: str) -> None:
    """Print a family's line."""
    click.echo(console.plain(line))


@contextmanager
def following(settings: Settings, *, interval_s: int | None = None) -> Iterator[None]:
    """While it lasts, run the commands that videos need, from when the first one waits; then end them.

    Nothing is run where `FRAMETALLY_VIDEO_WORKERS` is 0, in a folder that may not be written, or where
    anything is on a server: there the commands have places of their own.
    """
    if settings.video_workers == 0 or not is_all_here(settings):
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_follow, args=(settings, interval_s, stop), name="family")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _follow(settings: Settings, interval_s: int | None, stop: threading.Event) -> None:
    try:
        if _waits_for_a_video(settings, stop):
            members = video_commands(settings, workers=settings.video_workers, interval_s=interval_s)
            Family(members, say=say).run(stop.is_set)
    except Misconfigured as error:
        say(f"no video is worked on: {error}")


def _waits_for_a_video(settings: Settings, stop: threading.Event) -> bool:
    """Return once a video waits (True), or it is to stop (False)."""
    file = Path(unquote(urlsplit(settings.catalogue_url).path))
    while not file.exists():
        if stop.wait(_LOOK_EVERY_S):
            return False
    seen = None
    with closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue:
        while not stop.is_set():
            try:
                version = catalogue.version()
                if version != seen and catalogue.states().keys() - set(_SETTLED):
                    return True
                seen = version
            except Retryable as error:
                say(f"waiting, and trying again: {error}")
            stop.wait(_LOOK_EVERY_S)
    return False


def is_all_here(settings: Settings) -> bool:
    """Return whether all parts are on this machine, in a folder that may be written."""
    urls = (
        *(settings.store_url, settings.log_url, settings.index_url, settings.ledger_url),
        *(settings.catalogue_url, settings.gold_url, settings.queue_url),
    )
    folder = settings.data_dir
    return all(urlsplit(url).scheme in _EMBEDDED for url in urls) and (
        not folder.exists() or os.access(folder, os.W_OK)
    )
