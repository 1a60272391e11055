"""The commands that bring a video from its upload to the chart, run as one family."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from frametally.errors import Misconfigured, Retryable
from frametally.process.children import Family, Member
from frametally.process.log_lines import stamped
from frametally.process.threads import in_thread
from frametally.settings.loading import Settings
from frametally_cli.console import output as console
from frametally_gold.settings import GoldSettings
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.video_catalogue import VideoState
from frametally_videos.settings import VideoSettings

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
    """Print a family's line, with its time; what has none is the family's own, of a member that ended."""
    click.echo(stamped(console.plain(line), "WARNING"))


def live_commands(settings: Settings) -> list[Member]:
    """Return the commands that streams and cameras need: who runs them, and a consumer of their frames."""
    return [
        command("consume", settings, "--live")._replace(name="consume --live"),
        command("live", settings, of="work"),
    ]


@contextmanager
def following(settings: Settings, *, interval_s: int | None = None) -> Iterator[None]:
    """While it lasts, run what videos, streams and cameras need, each once the first waits; then end it.

    Nothing is run where `FRAMETALLY_VIDEO_WORKERS` is 0, in a folder that may not be written, or where
    anything is on a server: there the commands have places of their own.
    """
    if settings.part(VideoSettings).video_workers == 0 or not is_all_here(settings):
        yield
        return
    with in_thread(partial(_follow, settings, interval_s), name="family"):
        yield


def _follow(settings: Settings, interval_s: int | None, stop: threading.Event) -> None:
    needed = _needed(settings, interval_s, stop)
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


def _needed(settings: Settings, interval_s: int | None, stop: threading.Event) -> Iterator[list[Member]]:
    """Yield commands when they are needed first: by a video that waits, by a stream or camera nobody runs."""
    file = Path(unquote(urlsplit(settings.catalogue_url).path))
    while not file.exists():
        if stop.wait(_LOOK_EVERY_S):
            return
    for_videos = video_commands(
        settings, workers=settings.part(VideoSettings).video_workers, interval_s=interval_s
    )
    counting = for_videos[-1:]
    for_live = [*live_commands(settings), *counting]
    seen = None
    try:
        with closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue:
            while (for_videos or for_live) and not stop.is_set():
                try:
                    version = catalogue.version()
                    if for_videos and version != seen and catalogue.states().keys() - set(_SETTLED):
                        yield for_videos
                        for_videos, for_live = [], [one for one in for_live if one not in counting]
                    seen = version
                    if for_live and any(one.told.state == "requested" for one in catalogue.feeds()):
                        yield for_live
                        for_videos, for_live = [one for one in for_videos if one not in counting], []
                except Retryable as error:
                    say(f"waiting, and trying again: {error}")
                stop.wait(_LOOK_EVERY_S)
    except Misconfigured as error:
        say(f"no video, stream or camera is worked on: {error}")


def is_all_here(settings: Settings) -> bool:
    """Return whether all parts are on this machine, in a folder that may be written."""
    urls = (
        *(settings.store_url, settings.log_url, settings.index_url, settings.ledger_url),
        *(
            settings.catalogue_url,
            settings.part(GoldSettings).gold_url,
            settings.part(VideoSettings).queue_url,
        ),
    )
    folder = settings.data_dir
    return all(urlsplit(url).scheme in _EMBEDDED for url in urls) and (
        not folder.exists() or os.access(folder, os.W_OK)
    )
