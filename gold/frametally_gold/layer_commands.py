"""`frametally media`: the layers of a video, one by one, and which new videos wait for them."""

from __future__ import annotations

import re
import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from frametally import keys
from frametally.errors import Misconfigured
from frametally.opening import open_frame_log, open_object_store
from frametally.process import failpoints
from frametally.process.reports import exit_code
from frametally.process.retrying import GivenUp, Patience
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, read_settings, stop_on, stopped
from frametally_videos.opening import open_video_catalogue
from frametally_videos.settings import VideoSettings
from frametally_videos.uploads.arrivals import take_arrivals, waiting_arrivals

if TYPE_CHECKING:
    from frametally_gold.layers.driver import LayerName

_PLACES = re.compile(r"\d{1,9}:\d{1,18}(,\d{1,9}:\d{1,18})*")


video_option = click.option(
    "--video", "video_id", required=True, metavar="ID", help="Id of the video, as its page's address has it."
)


@click.group("media")
def media_group() -> None:
    """Run the layers of uploaded videos, and see which new ones wait for them."""


@media_group.command("bronze")
@video_option
@data_dir_option
def bronze(video_id: str, **overrides: Any) -> int:
    """See that a video is there as it came: its record, all its bytes, and that it opens."""
    return _run("bronze", video_id, overrides)


@media_group.command("silver")
@video_option
@data_dir_option
def silver(video_id: str, **overrides: Any) -> int:
    """Describe and check a video, and make what people look at it by, as workers do."""
    return _run("silver", video_id, overrides)


@media_group.command("gold")
@video_option
@data_dir_option
def gold(video_id: str, **overrides: Any) -> int:
    """Bring a video into the gold tables, and have people told which checks it did not pass."""
    return _run("gold", video_id, overrides)


@media_group.command("pictures")
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder to write them into; default: this one.",
)
def pictures(folder: Path) -> int:
    """Draw the functions of each layer by Graphviz, as DOT, SVG and PNG."""
    from frametally_gold.layers.pictures import write_pictures

    for path in write_pictures(folder):
        click.echo(console.plain(str(path)))
    return 0


@media_group.command("arrivals")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@click.option(
    "--take", metavar="PLACES", help="Let those wait no longer that lie before these places (`up_to`)."
)
@data_dir_option
def arrivals(as_json: bool, take: str | None, **overrides: Any) -> int:
    """List the new videos that wait on the log; they go on waiting until they are taken."""
    if as_json and take is not None:
        raise Misconfigured("--json goes without --take: what waits is listed, or taken")
    settings = read_settings("producer", overrides)
    topic = settings.part(VideoSettings).videos_topic
    with closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log:
        if take is not None:
            take_arrivals(log, topic, _read_places(take))
            return 0
        waiting = waiting_arrivals(log, topic)
    up_to = ",".join(f"{partition}:{offset}" for partition, offset in sorted(waiting.up_to.items()))
    if as_json:
        click.echo(msgspec.json.encode({"videos": waiting.videos, "up_to": up_to}).decode())
    else:
        for video in waiting.videos:
            click.echo(f"{video.video_id} {console.plain(video.source)}")
        click.echo(f"arrivals: {len(waiting.videos)} wait" + (f", up to {up_to}" if up_to else ""))
    console.print_skipped(waiting.skipped)
    return exit_code(done=1, skipped=waiting.skipped)


def _run(layer: LayerName, video_id: str, overrides: dict[str, Any]) -> int:
    """Run a layer; return the exit code."""
    from frametally_gold.layers.driver import LayerTools, run_layer

    if not keys.is_video_id(video_id):
        raise Misconfigured(f"--video {video_id[:100]!r} is no id of a video: `/api/v1/videos` lists them")
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
    done = [*report.done, *(f"{name} (there already)" for name in report.known)]
    click.echo(f"{layer}: {', '.join(done) or 'nothing'}")
    console.print_skipped(report.failed)
    return exit_code(done=len(done), skipped=report.failed)


def _read_places(text: str) -> dict[int, int]:
    if not _PLACES.fullmatch(text):
        raise Misconfigured(
            f"--take {text[:100]!r}: no places such as 0:5 or 0:5,1:7; give `up_to` of `--json`"
        )
    return {
        int(partition): int(offset)
        for partition, _, offset in (one.partition(":") for one in text.split(","))
    }
