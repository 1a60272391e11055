"""`frametally stream`: streams one uploaded video, and shows how far it is."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from frametally.errors import Misconfigured, Retryable
from frametally.process.exit_codes import NOTHING_DONE, STOPPED
from frametally.process.retrying import GivenUp, Patience
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, read_settings, stop_on
from frametally_live.commands.launch import Launch
from frametally_live.feed_records import Feed, TooManyStreams
from frametally_live.feeds.stream_form import start_stream
from frametally_live.opening import open_live_book
from frametally_live.settings import LiveSettings
from frametally_videos.opening import open_video_catalogue
from frametally_videos.upload_refusals import FieldRefused

if TYPE_CHECKING:
    from frametally_live.book import LiveBook

_LOOK_S = 0.2
_NOBODY_AFTER_S = 5.0
_ENDED_WITHIN_S = 8.0


@click.command()
@click.argument("video_id", metavar="ID")
@click.option(
    "--speed", type=float, default=1.0, show_default=True, help="Seconds of the video in a second, 0.1 to 16."
)
@click.option(
    "--booked",
    metavar="STREAM",
    default="",
    help="Launch this stream of it, which the dashboard has booked for Airflow, and end with it.",
)
@data_dir_option
def stream(video_id: str, speed: float, booked: str, **overrides: Any) -> int:
    """Stream an uploaded video, or join its stream, until its end; Ctrl-C stops it.

    `frametally live work` runs it, which `frametally up` has in it.
    """
    settings = read_settings("producer", overrides)
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
        closing(open_live_book(settings)) as book,
        console.stage_bar("stream, s") as bar,
    ):
        patience = Patience(bar.say, should_stop)
        launch = Launch(book, booked, settings=settings)
        try:
            started = patience.until_done(
                "the catalogue",
                lambda: (
                    launch.begin(video_id)
                    if booked
                    else start_stream(catalogue, book, settings, video_id, speed=speed)
                ),
            )
            if not started.is_new:
                bar.say(f"{started.feed.name} is streamed already: this follows it")
            row = patience.until_done("the catalogue", lambda: catalogue.video(video_id))
            length_s = row.record.facts.duration_s if row else None
            ended = _follow(started.feed, book, patience, bar, length_s, launch)
        except GivenUp:
            _until_so(launch.end if booked else lambda: _is_stopped(book, video_id))
            click.echo("stopped; what was shown is kept")
            return STOPPED
        except FieldRefused as refusal:
            raise Misconfigured(f"--{refusal.field}: {refusal.reason} {refusal.remedy}") from refusal
        except TooManyStreams as refusal:
            most = settings.part(LiveSettings).streams
            raise Misconfigured(
                f"as many videos are streamed as may ({most}, FRAMETALLY_STREAMS): {refusal}; "
                "stop one of them first"
            ) from refusal
    return _report(started.feed, ended)


def _follow(
    feed: Feed,
    book: LiveBook,
    patience: Patience,
    bar: console.StageBar,
    length_s: float | None,
    launch: Launch,
) -> Feed | None:
    """Show how a stream stands until it is over; return it then, None if it was forgotten."""
    requested_at_s = time.monotonic()
    while True:
        patience.until_done("the catalogue", launch.keep, lambda: False)
        found = patience.until_done("the catalogue", lambda: book.feed(feed.id), lambda: False)
        if found is None or found.is_over:
            return found
        told = found.told
        note = f"{told.state}: {told.reason}" if told.reason else told.state
        bar.update(int(told.position_s or 0), None if length_s is None else int(length_s), note)
        if told.state == "requested" and time.monotonic() - requested_at_s > _NOBODY_AFTER_S:
            patience.say_once_a_minute(
                "nobody", "nobody runs it yet: start `frametally up`, or `frametally live work`"
            )
        patience.pause(_LOOK_S)


def _is_stopped(book: LiveBook, video_id: str) -> bool:
    """Stop it; return whether who runs it has ended it."""
    return all(feed.is_over for feed in book.stop_streams(video_id))


def _until_so(is_over: Callable[[], bool]) -> None:
    """Wait a little until it is over."""
    until_s = time.monotonic() + _ENDED_WITHIN_S
    while time.monotonic() < until_s:
        try:
            if is_over():
                return
        except Retryable:  # as long as there is time
            pass
        time.sleep(_LOOK_S)


def _report(feed: Feed, ended: Feed | None) -> int:
    if ended is None:
        console.say_error(f"{feed.name}: its stream was removed")
        return NOTHING_DONE
    told = ended.told
    if told.state == "failed":
        console.say_error(f"{feed.name}: {told.reason}")
        return NOTHING_DONE
    why = f" {told.reason}" if told.reason else ""
    click.echo(
        f"{console.plain(feed.name)}: streamed up to {told.position_s or 0:.1f} s, "
        f"{told.frames_announced} frames announced.{why}"
    )
    return 0
