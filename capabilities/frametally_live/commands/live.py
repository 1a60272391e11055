"""`frametally live`: manages the cameras, and runs cameras and streams."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec
from rich.text import Text

from frametally.adapters_by_url import open_frame_log
from frametally.console import output as console
from frametally.console import streams
from frametally.console.options import data_dir_option, read_settings
from frametally.console.rounds import metrics_of, opened_once, wait_for
from frametally.console.stop_signals import stop_on
from frametally.console.tables import folded_table
from frametally.errors import FrametallyError, Misconfigured, Poison
from frametally.process import failpoints
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import plural
from frametally.process.retrying import OnceAMinute
from frametally.settings.data_folder import embedded_folder
from frametally_live.cameras.camera_form import (
    NoCamera,
    SourceTaken,
    add_camera,
    ask_camera,
    read_camera,
    remove_camera,
    try_feed,
)
from frametally_live.cameras.spool import spooled_sources
from frametally_live.feed_records import Feed
from frametally_live.feeds.detection_lag import is_late, newest_results, shown_lag_ms
from frametally_live.live_book_by_url import feeds_to_look, open_live_book
from frametally_videos.upload_refusals import FieldRefused

if TYPE_CHECKING:
    from frametally_live.book import LiveBook


_ENDED_WITHIN_S = 15.0
_LOOK_S = 0.2
_DRIFT_MS = 1000
_RESULTS_WITHIN_S = 8.0
"""A Kafka group takes a while to start."""

_NOT_YET = ", but {}. frametally keeps trying"

_source = click.argument("source")


@click.group("live")
def live_group() -> None:
    """Add cameras, and run cameras and streams of uploaded videos."""


@live_group.command("add")
@click.argument("address")
@click.option("--source", required=True, help="Name of the camera; its counts get the same name.")
@click.option(
    "--transport",
    type=click.Choice(["tcp", "udp"]),
    default="tcp",
    show_default=True,
    help="Transport of RTSP pictures.",
)
@data_dir_option
def add(address: str, source: str, transport: Literal["tcp", "udp"], **overrides: Any) -> int:
    """Add the camera at ADDRESS (rtsp, rtsps, http, https or /dev/videoN), to be captured from now on.

    Set its user name and password in FRAMETALLY_LIVE_LOGINS, never in the address. The command tests the
    camera for at most 10 s. It also adds a camera that shows nothing; the exit code is then 6.
    """
    settings = read_settings("producer", overrides)
    with closing(open_live_book(settings)) as book:
        try:
            feed = read_camera(
                book, settings, source=source, address=address, transport=transport, devices=True
            )
            feed, trial = add_camera(book, feed, partial(try_feed, settings))
        except FieldRefused as refusal:
            raise Misconfigured(f"{refusal.field}: {refusal.reason} {refusal.remedy}") from refusal
        except SourceTaken as refusal:
            raise Misconfigured(f"{refusal}; delete it first, or choose another --source") from refusal
    sight, code = "", 0
    if trial is not None:
        sight, code = (f", {trial.words}", 0) if trial.shows else (_NOT_YET.format(trial.words), PART_DONE)
    click.echo(
        console.plain(
            f"{feed.name}: added{sight}; run `frametally up` or `frametally live work` to capture it"
        )
    )
    return code


@live_group.command("discover")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def discover(as_json: bool, **overrides: Any) -> int:
    """Search the local network for ONVIF cameras, for 15 s at most, and show their streams; adds nothing."""
    from frametally_live.discovery.search import search_cameras

    settings = read_settings("producer", overrides)
    with feeds_to_look(settings) as book:
        search = search_cameras(settings, book.feeds("camera"), with_settings=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(search), indent=2).decode())
        return 0
    if not search.cameras:
        click.echo("no cameras found: switch ONVIF on in their settings, or add one by its address")
        return 0
    table = folded_table("name", "maker and model", "stream", "pictures", "address")
    for camera in search.cameras:
        kind = Text(f"{camera.maker} {camera.model}".strip())
        for stream in camera.streams:
            size = f"{stream.width_px} x {stream.height_px} {stream.code}" if stream.width_px else stream.code
            table.add_row(Text(camera.name), kind, *map(Text, (stream.name, size, stream.address)))
        if camera.problem is not None:
            table.add_row(Text(camera.name), kind, "", "", Text(console.plain(camera.problem)))
    console.out().print(table)
    if search.has_more:
        click.echo("more devices answered than are listed")
    return 0


@live_group.command("list")
@data_dir_option
def list_cameras(**overrides: Any) -> int:
    """List the cameras with their addresses and states."""
    with _book(overrides) as book:
        feeds = book.feeds("camera")
    newest = _newest_results(overrides) if any(feed.told.state == "running" for feed in feeds) else None
    if not feeds:
        click.echo("no cameras yet: add one with `frametally live add ADDRESS --source NAME`")
    for feed in feeds:
        report = feed.told
        rate = "" if report.frames_per_s is None else f", {report.frames_per_s:g} frames/s"
        if report.leaves_out:
            rate += f" ({report.taken_per_s:.1f} of {report.offered_per_s:.1f} frames/s used)"
        drift = ""
        if report.drift_ms is not None and abs(report.drift_ms) >= _DRIFT_MS:
            side = "ahead" if report.drift_ms > 0 else "behind"
            drift = f", its clock is {abs(report.drift_ms) / 1000:.1f} s {side}"
        losses = f", {plural(report.frames_lost, 'frame')} lost" if report.frames_lost else ""
        packets = f", {plural(report.packets_lost, 'packet')} lost" if report.packets_lost else ""
        reason = f" ({feed.reason})" if feed.reason else ""
        click.echo(
            console.plain(
                f"{feed.name}  {feed.address}  {report.state}{reason}: "
                f"{plural(report.frames_announced, 'frame')} "
                f"announced{rate}{_lags(feed, newest)}{drift}{losses}{packets}"
            )
        )
    return 0


def _newest_results(overrides: dict[str, Any]) -> dict[str, int] | None:
    """Return the event time of each source's newest result, or None if the log cannot be read."""
    settings = read_settings("producer", overrides)
    try:
        with closing(open_frame_log(settings.log_url, settings.log_access)) as log:
            return newest_results(log, settings.results_topic, within_s=_RESULTS_WITHIN_S)
    except FrametallyError as error:
        click.echo(f"frametally cannot read how far detection is behind: {error}", err=True)
        return None


def _lags(feed: Feed, newest: dict[str, int] | None) -> str:
    """Return in words how long a camera's frames take to be announced and to be shown with detections."""
    report = feed.told
    if report.state != "running" or report.captured_at_ms is None or newest is None:
        return ""
    shown_ms = shown_lag_ms(report, newest.get(feed.source))
    shown_text = "no recent detections" if shown_ms is None else f"shown {shown_ms / 1000:.1f} s behind"
    captured = "" if report.lag_ms is None else f", captured {max(report.lag_ms, 0) / 1000:.1f} s behind"
    return f"{', late' if is_late(report, shown_ms) else ''}{captured}, {shown_text}"


@live_group.command("start")
@_source
@data_dir_option
def start(source: str, **overrides: Any) -> int:
    """Start the stopped camera of SOURCE."""
    with _book(overrides) as book:
        feed = ask_camera(book, source, "run")
    click.echo(console.plain(f"{feed.name}: started"))
    return 0


@live_group.command("stop")
@_source
@data_dir_option
def stop(source: str, **overrides: Any) -> int:
    """Stop the camera of SOURCE until you start it again; its footage stays."""
    with _book(overrides) as book:
        feed = ask_camera(book, source, "stop")
        has_ended = _within_a_while(lambda: (book.feed(feed.id) or feed).is_over)
    click.echo(console.plain(f"{feed.name}: {'stopped' if has_ended else 'stopping'}"))
    return 0


@live_group.command("remove")
@_source
@data_dir_option
def remove(source: str, **overrides: Any) -> int:
    """Stop the camera of SOURCE and delete it; `frametally forget --source` deletes its footage.

    The command stores frames of it that still wait on this machine's disk. If it cannot, they stay there, and
    the exit code is 6.
    """
    from frametally_live.feeds.left_behind import frames_waiting, send_left_behind

    settings = read_settings("producer", overrides)
    with closing(open_live_book(settings)) as book, _naming_cameras():
        slug = ask_camera(book, source, "stop").source
        is_deleted = remove_camera(book, source) or _within_a_while(
            lambda: all(feed.source != slug for feed in book.feeds("camera"))
        )
    state = "deleted" if is_deleted else "stopping; frametally deletes it when it has ended"
    click.echo(console.plain(f"{source}: {state}; its footage stays"))
    number = frames_waiting(settings, slug) if is_deleted else 0
    if is_deleted and spooled_sources(settings.data_dir, slug):
        reason = send_left_behind(settings, slug, say=lambda line: click.echo(console.plain(line), err=True))
        left = frames_waiting(settings, slug)
        if number > left:
            stored = f"{plural(number - left, 'frame that was', 'frames that were')} waiting on this "
            click.echo(f"stored: {stored}machine's disk")
        if left:
            click.echo(
                console.plain(
                    f"{plural(left, 'frame is', 'frames are')} still waiting on this machine's disk: "
                    f"{reason} `frametally live work` stores them later; `frametally privacy erase` deletes "
                    "them"
                ),
                err=True,
            )
            return PART_DONE
    return 0


@contextmanager
def _book(overrides: dict[str, Any]) -> Iterator[LiveBook]:
    settings = read_settings("producer", overrides)
    with closing(open_live_book(settings)) as book, _naming_cameras():
        yield book


@contextmanager
def _naming_cameras() -> Iterator[None]:
    try:
        yield
    except NoCamera as refusal:
        raise Poison(f"{refusal}; `frametally live list` lists all cameras") from refusal


def _within_a_while(is_done: Callable[[], bool]) -> bool:
    """Wait a little for the worker of a camera; return whether `is_done` by then."""
    until_s = time.monotonic() + _ENDED_WITHIN_S
    while not (is_over := is_done()) and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
    return is_over


@live_group.command("work")
@click.option("--packs", is_flag=True, help="Store cameras' frames in packs, not one object per frame.")
@data_dir_option
def live_work(packs: bool, **overrides: Any) -> int:
    """Run each camera and stream in its own process until Ctrl-C; other workers then continue them."""
    from frametally_live.feeds import feed_worker
    from frametally_models.chosen_model import check_chosen_model

    settings = read_settings("producer", overrides)
    failpoints.arm()
    if embedded_folder(settings):  # the frames are detected on this machine
        check_chosen_model(settings)
    streams.log_lines()
    once_a_minute = OnceAMinute(lambda line: click.echo(console.plain(line), err=True))
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        metrics_of(settings),
        opened_once(lambda: closing(open_live_book(settings))) as opening,
    ):
        book = wait_for(opening, should_stop)
        feed_worker.work(
            settings=settings,
            book=book,
            say=lambda line: once_a_minute(line, line),
            should_stop=should_stop,
            packs=packs,
        )
    return 0
