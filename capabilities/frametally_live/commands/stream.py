"""`frametally stream`: streams one uploaded video, and shows its progress."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from frametally import keys
from frametally.console import output as console
from frametally.console.options import data_dir_option, read_settings
from frametally.console.stop_signals import stop_on
from frametally.errors import Misconfigured, Retryable
from frametally.process.exit_codes import NOTHING_DONE, STOPPED
from frametally.process.reports import plural
from frametally.process.retrying import GivenUp, Patience
from frametally.settings.loading import Settings
from frametally_live.feed_records import Feed, TooManyStreams
from frametally_live.feeds.stream_form import StartedStream, start_stream
from frametally_live.live_book_by_url import open_live_book
from frametally_live.settings import LiveSettings
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.upload_refusals import FieldRefused

if TYPE_CHECKING:
    from frametally_live.book import LiveBook


_LEASES = 2
"""A launcher's lease in leases of a stream: longer than its wait for an unavailable catalogue."""
_ENDED = "Airflow ended its run: check there for the reason, then start the stream again."


class Launch:
    """A booked stream of which this process is the launcher."""

    def __init__(self, book: LiveBook, stream_id: str, *, settings: Settings) -> None:
        """Start nothing yet; without a `stream_id` there is nothing to keep."""
        self.stream_id = stream_id
        self._book = book
        self._lease_s = _LEASES * settings.lease_s
        self._said_at_s = 0.0

    def begin(self, video_id: str) -> StartedStream:
        """Let workers claim the stream; return it, even if it has ended already.

        Raises:
            Misconfigured: No such stream of that video is booked.
            Retryable: The catalogue is unavailable.
        """
        self._said_at_s = time.monotonic()
        booked_feed = self._book.feed(self.stream_id) if keys.is_video_id(self.stream_id) else None
        is_of_video = booked_feed is not None and booked_feed.video_id == video_id
        feed = self._book.launch_feed(self.stream_id, lease_s=self._lease_s) if is_of_video else None
        if feed is None:
            raise Misconfigured(
                f"--booked: video {video_id[:80]} does not have a booked stream {self.stream_id[:80]}; "
                "start it again on the video's page"
            )
        return StartedStream(feed, is_new=True)

    def keep(self) -> None:
        """Renew the launch if it is time. Raises `Retryable`."""
        if self.stream_id and time.monotonic() - self._said_at_s > self._lease_s / 8:
            self._book.launch_feed(self.stream_id, lease_s=self._lease_s)
            self._said_at_s = time.monotonic()

    def end(self) -> bool:
        """Make the stream fail because its run was ended, and return True. Raises `Retryable`."""
        self._book.fail_launch(self.stream_id, _ENDED)
        return True


_LOOK_S = 0.2
_NOBODY_AFTER_S = 5.0
_ENDED_WITHIN_S = 8.0


@click.command()
@click.argument("video_id", metavar="ID")
@click.option(
    "--speed", type=float, default=1.0, show_default=True, help="Seconds of video per second, 0.1 to 16."
)
@click.option(
    "--booked",
    metavar="STREAM",
    default="",
    help="Launch this stream, which the dashboard has booked for Airflow, and end with it.",
)
@data_dir_option
def stream(video_id: str, speed: float, booked: str, **overrides: Any) -> int:
    """Stream an uploaded video, or join its stream, until its end; Ctrl-C stops it.

    `frametally live work`, a part of `frametally up`, runs the stream.
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
                bar.say(f"{started.feed.name} is already being streamed; following that stream")
            row = patience.until_done("the catalogue", lambda: catalogue.video(video_id))
            length_s = row.record.facts.duration_s if row else None
            last_feed = _follow(started.feed, book, patience, bar, length_s, launch)
        except GivenUp:
            _until_so(launch.end if booked else lambda: _is_stopped(book, video_id))
            click.echo("stopped; the frames shown so far stay")
            return STOPPED
        except FieldRefused as refusal:
            raise Misconfigured(f"--{refusal.field}: {refusal.reason} {refusal.remedy}") from refusal
        except TooManyStreams as refusal:
            most = settings.part(LiveSettings).streams
            raise Misconfigured(
                f"{plural(most, 'video is', 'videos are')} already streaming, the maximum "
                f"(FRAMETALLY_STREAMS): {refusal}; stop "
                "one of them first"
            ) from refusal
    return _report(started.feed, last_feed)


def _follow(
    feed: Feed,
    book: LiveBook,
    patience: Patience,
    bar: console.StageBar,
    length_s: float | None,
    launch: Launch,
) -> Feed | None:
    """Show a stream's progress until it ends; return it then, or None if it was deleted."""
    requested_at_s = time.monotonic()
    while True:
        patience.until_done("the catalogue", launch.keep, lambda: False)
        current = patience.until_done("the catalogue", lambda: book.feed(feed.id), lambda: False)
        if current is None or current.is_over:
            return current
        report = current.told
        note = f"{report.state}: {report.reason}" if report.reason else report.state
        bar.update(int(report.position_s or 0), None if length_s is None else int(length_s), note)
        if report.state == "requested" and time.monotonic() - requested_at_s > _NOBODY_AFTER_S:
            patience.say_once_a_minute(
                "nobody", "no worker has taken it yet: start `frametally up` or `frametally live work`"
            )
        patience.pause(_LOOK_S)


def _is_stopped(book: LiveBook, video_id: str) -> bool:
    """Stop the stream; return whether its worker has ended it."""
    return all(feed.is_over for feed in book.stop_streams(video_id))


def _until_so(is_over: Callable[[], bool]) -> None:
    """Wait a little until the stream has ended."""
    until_s = time.monotonic() + _ENDED_WITHIN_S
    while time.monotonic() < until_s:
        try:
            if is_over():
                return
        except Retryable:  # try again while there is time
            pass
        time.sleep(_LOOK_S)


def _report(feed: Feed, last_feed: Feed | None) -> int:
    if last_feed is None:
        console.say_error(f"{feed.name}: this stream was deleted")
        return NOTHING_DONE
    report = last_feed.told
    if report.state == "failed":
        console.say_error(f"{feed.name}: {report.reason}")
        return NOTHING_DONE
    reason = f" {report.reason}" if report.reason else ""
    click.echo(
        f"{console.plain(feed.name)}: streamed up to {report.position_s or 0:.1f} s, "
        f"{plural(report.frames_announced, 'frame')} announced.{reason}"
    )
    return 0
