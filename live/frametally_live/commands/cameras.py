"""`frametally live add|list|start|stop|remove`: the cameras that are captured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click

from frametally.errors import FrametallyError, Misconfigured, Poison
from frametally.opening import open_frame_log
from frametally.process.exit_codes import PART_DONE
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, read_settings
from frametally_live.cameras.camera_form import NoCamera, SourceTaken, add_camera, ask_camera, remove_camera
from frametally_live.commands.camera_trial import try_feed
from frametally_live.feed_records import Feed
from frametally_live.feeds.detection_lag import is_late, newest_results, shown_lag_ms
from frametally_live.opening import open_live_book
from frametally_videos.upload_refusals import FieldRefused

if TYPE_CHECKING:
    from frametally_live.book import LiveBook

_ENDED_WITHIN_S = 15.0
_LOOK_S = 0.2
_RESULTS_WITHIN_S = 8.0
"""A Kafka group takes its time to begin."""

_NOT_YET = ", but {}. It is tried again"

_source = click.argument("source")


@click.command("add")
@click.argument("address")
@click.option("--source", required=True, help="Name of the camera, which its counts have.")
@click.option(
    "--transport",
    type=click.Choice(["tcp", "udp"]),
    default="tcp",
    show_default=True,
    help="How RTSP brings its pictures.",
)
@data_dir_option
def add(address: str, source: str, transport: Literal["tcp", "udp"], **overrides: Any) -> int:
    """Add the camera at ADDRESS (rtsp, rtsps, http, https or /dev/videoN), to be captured from now on.

    Its log-in is set by FRAMETALLY_LIVE_LOGINS, never in the address. The camera is tried first, for 10 s at
    most. One that shows nothing is added, too, and the exit code is 6.
    """
    settings = read_settings("producer", overrides)
    with closing(open_live_book(settings)) as book:
        try:
            feed, trial = add_camera(
                book,
                settings,
                source=source,
                address=address,
                transport=transport,
                devices=True,
                try_feed=partial(try_feed, settings),
            )
        except FieldRefused as refusal:
            raise Misconfigured(f"{refusal.field}: {refusal.reason} {refusal.remedy}") from refusal
        except SourceTaken as refusal:
            raise Misconfigured(f"{refusal}; remove it first, or give another --source") from refusal
    sight, code = "", 0
    if trial is not None:
        sight, code = (f", {trial.words}", 0) if trial.shows else (_NOT_YET.format(trial.words), PART_DONE)
    click.echo(
        console.plain(f"{feed.name}: added{sight}; `frametally up` or `frametally live work` captures it")
    )
    return code


@click.command("list")
@data_dir_option
def list_cameras(**overrides: Any) -> int:
    """Show each camera with its address and how it stands."""
    with _book(overrides) as book:
        feeds = book.feeds("camera")
    newest = _newest_results(overrides) if any(feed.told.state == "running" for feed in feeds) else None
    if not feeds:
        click.echo("there are no cameras; add one with `frametally live add ADDRESS --source NAME`")
    for feed in feeds:
        told = feed.told
        rate = "" if told.frames_per_s is None else f", {told.frames_per_s:g} frames/s"
        if told.leaves_out:
            rate += f" (taken {told.taken_per_s:.1f} of {told.offered_per_s:.1f}/s)"
        lost = f", {told.frames_lost} frames lost" if told.frames_lost else ""
        packets = f", {told.packets_lost} packets lost" if told.packets_lost else ""
        reason = f" ({feed.reason})" if feed.reason else ""
        click.echo(
            console.plain(
                f"{feed.name}  {feed.address}  {told.state}{reason}: "
                f"{told.frames_announced} frames announced{rate}{_lags(feed, newest)}{lost}{packets}"
            )
        )
    return 0


def _newest_results(overrides: dict[str, Any]) -> dict[str, int] | None:
    """Return the event time of each source's newest result; None where that cannot be read for now."""
    settings = read_settings("producer", overrides)
    try:
        with closing(open_frame_log(settings.log_url, settings.log_access)) as log:
            return newest_results(log, settings.results_topic, within_s=_RESULTS_WITHIN_S)
    except FrametallyError as error:
        click.echo(f"how late they are detected cannot be told: {error}", err=True)
        return None


def _lags(feed: Feed, newest: dict[str, int] | None) -> str:
    """Say how late a camera's frames are captured, and shown with what is found in them."""
    told = feed.told
    if told.state != "running" or told.captured_at_ms is None or newest is None:
        return ""
    shown_ms = shown_lag_ms(told, newest.get(feed.source))
    shown = "nothing shown of late" if shown_ms is None else f"shown {shown_ms / 1000:.1f} s behind"
    captured = "" if told.lag_ms is None else f", captured {max(told.lag_ms, 0) / 1000:.1f} s behind"
    return f"{', late' if is_late(told, shown_ms) else ''}{captured}, {shown}"


@click.command("start")
@_source
@data_dir_option
def start(source: str, **overrides: Any) -> int:
    """Capture the camera of SOURCE again, which was stopped."""
    with _book(overrides) as book:
        feed = ask_camera(book, source, "run")
    click.echo(console.plain(f"{feed.name}: is captured from now on"))
    return 0


@click.command("stop")
@_source
@data_dir_option
def stop(source: str, **overrides: Any) -> int:
    """Capture the camera of SOURCE no more, until it is started; what was captured stays."""
    with _book(overrides) as book:
        feed = ask_camera(book, source, "stop")
        ended = _within_a_while(lambda: (book.feed(feed.id) or feed).is_over)
    click.echo(console.plain(f"{feed.name}: {'stopped' if ended else 'is being stopped'}"))
    return 0


@click.command("remove")
@_source
@data_dir_option
def remove(source: str, **overrides: Any) -> int:
    """Stop the camera of SOURCE and remove it; what was captured stays (`frametally forget --source`)."""
    with _book(overrides) as book:
        if not _within_a_while(lambda: remove_camera(book, source)):
            raise Poison(f"{source!r} is still being stopped; remove it in a few seconds")
    click.echo(console.plain(f"{source}: removed; what was captured of it stays"))
    return 0


@contextmanager
def _book(overrides: dict[str, Any]) -> Iterator[LiveBook]:
    settings = read_settings("producer", overrides)
    with closing(open_live_book(settings)) as book:
        try:
            yield book
        except NoCamera as refusal:
            raise Poison(f"{refusal}; `frametally live list` shows those that there are") from refusal


def _within_a_while(is_done: Callable[[], bool]) -> bool:
    """Wait a little for who captures a camera; return whether it was done by then."""
    until_s = time.monotonic() + _ENDED_WITHIN_S
    while not (done := is_done()) and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
    return done
