"""`frametally media`: runs the layers of a video, one by one, and lists the new videos that wait for them."""

from __future__ import annotations

import re
import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.console import output as console
from frametally.console.options import data_dir_option, read_settings
from frametally.console.stop_signals import stop_on, stopped
from frametally.errors import Misconfigured
from frametally.process import failpoints
from frametally.process.reports import exit_code, plural
from frametally.process.retrying import GivenUp, Patience
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.settings import videos_topic
from frametally_videos.uploads.arrivals import take_arrivals, waiting_arrivals

if TYPE_CHECKING:
    from frametally_gold.layers.driver import LayerName

_PLACES = re.compile(r"\d{1,9}:\d{1,18}(,\d{1,9}:\d{1,18})*")


video_option = click.option(
    "--video", "video_id", required=True, metavar="ID", help="ID of the video, from the address of its page."
)


@click.group("media")
def media_group() -> None:
    """Run the layers of uploaded videos, and list the new videos that are waiting."""


@media_group.command("bronze")
@video_option
@data_dir_option
def bronze(video_id: str, **overrides: Any) -> int:
    """Check that a video is stored as uploaded: its record, all its bytes, and that it opens."""
    return _run("bronze", video_id, overrides)


@media_group.command("silver")
@video_option
@data_dir_option
def silver(video_id: str, **overrides: Any) -> int:
    """Describe and check a video, and make its pictures and playable version, as workers do."""
    return _run("silver", video_id, overrides)


@media_group.command("gold")
@video_option
@data_dir_option
def gold(video_id: str, **overrides: Any) -> int:
    """Load a video into the gold tables, and send news of its failed checks."""
    return _run("gold", video_id, overrides)


@media_group.command("pictures")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder for the pictures; default: the current folder.",
)
def pictures(folder: Path) -> int:
    """Draw the functions of each layer with Graphviz, as DOT, SVG and PNG."""
    from frametally_gold.layers.driver import write_pictures

    for path in write_pictures(folder):
        click.echo(console.plain(str(path)))
    return 0


@media_group.command("arrivals")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--take", metavar="PLACES", help="Take the videos before these positions (`up_to`) off the list."
)
@data_dir_option
def arrivals(as_json: bool, take: str | None, **overrides: Any) -> int:
    """List the new videos that are waiting on the log. They stay there until you take them with --take."""
    if as_json and take is not None:
        raise Misconfigured("use either --json or --take, not both")
    settings = read_settings("producer", overrides)
    topic = videos_topic(settings)
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        if take is not None:
            take_arrivals(log, topic, _read_places(take))
            return 0
        arrivals_waiting = waiting_arrivals(log, topic)
    up_to = ",".join(f"{partition}:{offset}" for partition, offset in sorted(arrivals_waiting.up_to.items()))
    if as_json:
        click.echo(msgspec.json.encode({"videos": arrivals_waiting.videos, "up_to": up_to}).decode())
    else:
        for video in arrivals_waiting.videos:
            click.echo(f"{video.video_id} {console.plain(video.source)}")
        click.echo(
            f"arrivals: {plural(len(arrivals_waiting.videos), 'video is', 'videos are')} waiting"
            + (f", up to {up_to}" if up_to else "")
        )
    console.print_skipped(arrivals_waiting.skipped)
    return exit_code(done_count=1, skipped=arrivals_waiting.skipped)


def _run(layer: LayerName, video_id: str, overrides: dict[str, Any]) -> int:
    """Run a layer; return the exit code."""
    from frametally_gold.layers.driver import LayerTools, run_layer

    if not keys.is_video_id(video_id):
        raise Misconfigured(
            f"--video {video_id[:100]!r} is not a video ID: `/api/v1/videos` lists all videos"
        )
    settings = read_settings("producer", overrides, must_be_there=True)
    failpoints.arm()
    with (
        stop_on(signal.SIGTERM, signal.SIGINT) as should_stop,
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
        console.stage_bar(layer) as bar,
    ):
        patience = Patience(bar.say, should_stop)
        try:
            report = run_layer(layer, video_id, LayerTools(settings, store, catalogue, bar, patience))
        except GivenUp:
            return stopped()
    steps = [*report.done, *(f"{name} (already done)" for name in report.known)]
    click.echo(f"{layer}: {', '.join(steps) or 'nothing'}")
    console.print_skipped(report.failed)
    return exit_code(done_count=len(steps), skipped=report.failed)


def _read_places(text: str) -> dict[int, int]:
    if not _PLACES.fullmatch(text):
        raise Misconfigured(
            f"--take {text[:100]!r} is not a list of positions such as 0:5 or 0:5,1:7; give the `up_to` "
            "that --json printed"
        )
    return {
        int(partition): int(offset)
        for partition, _, offset in (place.partition(":") for place in text.split(","))
    }
