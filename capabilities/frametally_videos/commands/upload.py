"""`frametally upload`: uploads local videos to a running dashboard or into the store of the settings."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from frametally.adapters_by_url import open_object_store
from frametally.console import output as console
from frametally.console.options import data_dir_option, option, read_settings
from frametally.console.stop_signals import stop_on, stopped
from frametally.errors import Misconfigured, Poison
from frametally.process.reports import exit_code
from frametally.process.retrying import GivenUp, Patience
from frametally.settings.loading import Settings
from frametally_videos.catalogue_by_url import catalogue_of
from frametally_videos.commands.local_upload import StoreUploader
from frametally_videos.commands.tus_client import Dashboard, TusUploader
from frametally_videos.commands.upload_clip import Clip, Moved, Uploaded, UploadNotes, look_at
from frametally_videos.jobs.job_bells import telling
from frametally_videos.library.video_looks import inspect
from frametally_videos.records import VideoFields
from frametally_videos.upload_fields import read_fields
from frametally_videos.upload_refusals import FieldRefused
from frametally_videos.uploads.receiving import UploadPorts

_MB = 1_000_000


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path))
@option("--name", "Name of the video; default: the file's name. For one file only.")
@option("--source", "Name of the camera; default: the file's name without its extension.")
@option("--start-time", "ISO 8601 time of the first frame; default: from the file. For one file only.")
@option("--timezone", "IANA time zone of times without an offset.")
@option("--roi", "The region of interest, as JSON or a file with it.", metavar="JSON")
@option(
    "--calibration", "Points with their coordinates in metres, as JSON or a file with it.", metavar="JSON"
)
@click.option(
    "--move-counts",
    is_flag=True,
    help="If the same bytes are already counted, move their counts to this source and time; default: refuse.",
)
@option("--url", "A running dashboard to upload to; default: directly into this deployment's store.")
@data_dir_option
def upload(
    files: tuple[Path, ...], move_counts: bool, url: str | None, data_dir: Path | None, **texts: str | None
) -> int:
    """Upload videos; after an interruption, the same command continues where it stopped."""
    if len(files) > 1 and (texts["name"] is not None or texts["start_time"] is not None):
        raise Misconfigured("--name and --start-time are for one video: upload the files one at a time")
    fields = msgspec.structs.replace(_fields(texts), move_counts=move_counts)
    settings = read_settings("web", {"data_dir": data_dir})
    upload_count, failed = 0, []
    with stop_on(signal.SIGTERM, signal.SIGINT) as should_stop, _uploader(settings, url, should_stop) as to:
        for file in files:
            try:
                clip = look_at(file, fields)
                with console.stage_bar("upload, MB") as bar:
                    uploaded = to.upload(clip, _bar_of(clip, bar))
            except GivenUp:
                return stopped()
            except (Poison, FieldRefused) as error:
                console.say_error(f"{error}")
                failed.append(file)
            else:
                upload_count += 1
                _tell(clip, uploaded)
    return exit_code(done_count=upload_count, skipped=failed)


@contextmanager
def _uploader(
    settings: Settings, url: str | None, should_stop: Callable[[], bool]
) -> Iterator[StoreUploader | TusUploader]:
    notes = UploadNotes(settings.data_dir)

    def say(line: str) -> None:
        console.err().print(console.plain(line), markup=False)

    patience = Patience(say, should_stop)
    if url is not None:
        with closing(Dashboard(url)) as server:
            yield TusUploader(server, notes, patience, should_stop)
        return
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        catalogue_of(settings) as catalogue,
        telling(settings, catalogue, say),
    ):
        yield StoreUploader(UploadPorts(settings, store, catalogue, inspect), notes, patience, should_stop)


def _fields(values: dict[str, str | None]) -> VideoFields:
    """Read the options about the videos. Raises `Misconfigured` if they are not valid."""
    texts = {name: text for name, text in values.items() if text is not None}
    for name in ("roi", "calibration"):
        text = texts.get(name, "").strip()
        if text and not text.startswith(("{", "[")):
            try:
                texts[name] = Path(text).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise Misconfigured(
                    f"--{name} {text[:200]} is neither JSON nor a file that can be read: give one of the two"
                ) from error
    try:
        return read_fields(texts)
    except FieldRefused as refusal:
        place = f"{refusal.place}: " if refusal.place else ""
        flag = refusal.field.replace("_", "-")
        raise Misconfigured(f"--{flag}: {place}{refusal.reason} {refusal.remedy}") from refusal


def _bar_of(clip: Clip, bar: Any) -> Moved:
    return lambda at_byte: bar.update(at_byte // _MB, clip.size_bytes // _MB, clip.file_name)


def _tell(clip: Clip, uploaded: Uploaded) -> None:
    line = f"{clip.file_name}: video {uploaded.video_id}"
    if uploaded.known:
        line += ", which has already been uploaded"
    elif uploaded.needs_time:
        line += "; it has no start time: set one on its page, and frametally counts it"
    if uploaded.time_is_guess:
        line += "; its time is a guess from the file's date: correct it on its page"
    if uploaded.remark:
        line += f". {uploaded.remark}"
    console.out().print(console.plain(line), markup=False)
