"""Finds uploaded videos with pictures that a power cut left empty, and queues jobs that make them again.

Missing pictures stay missing: retention rules and erasures delete pictures on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import click

from frametally import keys
from frametally.console import output as console
from frametally.errors import FrametallyError, Poison
from frametally.media.manifests import find_manifest, find_record
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StorePorts
from frametally.records import MediaManifest
from frametally.rules.times import DAY_MS, days_of_span
from frametally.settings.data_folder import store_folder
from frametally_videos.catalogue.catalogue_rows import LOST_PICTURES
from frametally_videos.catalogue_by_url import catalogue_of
from frametally_videos.records import VideoRecord


def queue_lost_pictures(ports: StorePorts, should_stop: Callable[[], bool]) -> None:
    """Queue a job for each video with its original and with empty pictures; print errors."""
    if store_folder(ports.settings) is None:  # a server answers for its own disks
        return
    try:
        video_ids = list(_videos_with_empty_pictures(ports.store, should_stop))
        if video_ids:
            with catalogue_of(ports.settings) as catalogue:
                for video_id in video_ids:
                    catalogue.queue(video_id, "frames", LOST_PICTURES)
    except (FrametallyError, OSError) as error:
        click.echo(console.plain(f"could not look for empty pictures of videos: {error}"), err=True)


def _videos_with_empty_pictures(store: ObjectStore, should_stop: Callable[[], bool]) -> Iterator[str]:
    empty_by_folder: dict[str, list[str]] = {}  # videos share folders
    for info in store.list(keys.VIDEOS):
        if should_stop():
            return
        video_id = keys.parse_original_key(info.key)
        if video_id is None:
            continue
        with suppress(Poison):  # `frametally doctor --deep` reports it
            record = find_record(store, keys.video_key(video_id), VideoRecord)
            manifest = None if record is None else find_manifest(store, record.sha256)
            if record is None or manifest is None or record.state == "deleting":
                continue
            if manifest.state == "complete" and empty_pictures(store, manifest, empty_by_folder):
                yield video_id


def empty_pictures(
    store: ObjectStore, manifest: MediaManifest, empty_by_folder: dict[str, list[str]]
) -> list[str]:
    """Return the keys of a video's empty pictures; `empty_by_folder` keeps those of each listed folder."""
    first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
    if first_ms is None or last_ms is None:
        return []
    image_keys: list[str] = []
    for day in days_of_span(first_ms, last_ms):
        folder = keys.image_folder(manifest.source, keys.utc_day(day * DAY_MS))
        if folder not in empty_by_folder:
            empty_by_folder[folder] = [info.key for info in store.list(folder) if not info.size_bytes]
        image_keys += [key for key in empty_by_folder[folder] if _is_of(manifest, key)]
    return image_keys


def _is_of(manifest: MediaManifest, image_key: str) -> bool:
    name = keys.parse_image_name(image_key.rpartition("/")[2])
    return name is not None and name.medium_hex == manifest.sha256[:12]
