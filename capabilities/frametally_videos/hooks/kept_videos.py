"""Lists originals and derivatives, which a retention policy may remove, and previews for erasures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from frametally import keys
from frametally.adapters.sql.kept_books import place_of
from frametally.errors import Poison
from frametally.files.names import PART, key_of_part
from frametally.media.kept_data import KeptItem, KeptKind, KeptPart, KeptTerm, in_folders
from frametally.media.manifests import find_manifest
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.ports.opened import StorePorts
from frametally.records import decode_at
from frametally.rules.times import DAY_MS
from frametally_videos import tables
from frametally_videos.catalogue_by_url import catalogue_of
from frametally_videos.commands.upload_clip import UPLOAD_NOTES
from frametally_videos.jobs.job_requests import KINDS, remove_derivative
from frametally_videos.library.retention import is_taken
from frametally_videos.records import VideoRecord
from frametally_videos.settings import VideoSettings


def data_places(ports: StorePorts) -> KeptPart:
    """Return the originals whose frames were all announced, the derivatives and the previews."""
    store, settings = ports.store, ports.settings
    days = settings.part(VideoSettings).store_video_days

    def remove(item: KeptItem) -> None:
        _, video_id, name = item.id.split("/")
        if (derivative := key_of_part(item.id)) is not None:  # a bucket stores its bytes elsewhere
            store.resumable(derivative, item.id).abort()
            store.delete(item.id)
            return
        with catalogue_of(settings) as catalogue:
            remove_derivative(store, catalogue, video_id, name[-len("00000000.mp4") : -len(".mp4")])

    def remove_preview(item: KeptItem) -> None:
        store.delete(item.id)
        with catalogue_of(settings) as catalogue:
            catalogue.remove_artifact(item.id.split("/")[1], item.id)

    def remove_original(item: KeptItem) -> None:
        store.delete(item.id)

    originals = KeptKind(
        "originals",
        lambda: _originals(store),
        remove_original,
        "rules",
        files=(f"{keys.VIDEOS}/*/original",),
        text="videos.kept_originals",
    )
    derivatives = KeptKind(
        "derivatives",
        lambda: _derivatives(store),
        remove,
        "rules",
        files=tuple(f"{keys.VIDEOS}/*/{kind}-*" for kind in KINDS),
        text="videos.kept_derivatives",
    )
    previews = KeptKind(
        "previews",
        lambda: _previews(store),
        remove_preview,
        "erasures",
        files=(f"{keys.VIDEOS}/*.jpg", f"{keys.VIDEOS}/*.vtt"),
        text="videos.kept_previews",
    )
    uploads = KeptKind(
        "uploads",
        files=in_folders(keys.UPLOADS),
        text="videos.kept_uploads",
        ends="videos.ends_uploads",
    )
    records = KeptKind("videos", files=(f"{keys.VIDEOS}/*.json",), text="videos.kept_records")
    return KeptPart(
        [
            originals,
            originals._replace(items=lambda: _originals(store, taken=False), removed_by="erasures"),
            derivatives,
            previews,
            uploads,
            uploads._replace(place=(settings.data_dir / UPLOAD_NOTES).as_uri(), files=()),
            records,
            place_of(records.name, tables, records.text),
        ],
        terms=lambda: [KeptTerm("originals", "", days * DAY_MS, None)] if days else [],
    )


def _originals(store: ObjectStore, *, taken: bool = True) -> Iterator[KeptItem]:
    for info in store.list(keys.VIDEOS):
        video_id = keys.parse_original_key(info.key)
        if video_id is not None and is_taken(store, video_id) == taken:
            yield from _items(store, info, video_id)


def _derivatives(store: ObjectStore) -> Iterator[KeptItem]:
    for info in store.list(keys.VIDEOS):
        parts = info.key.split("/")
        if parts[-1].endswith((".mp4", PART)) and parts[-1].partition("-")[0] in KINDS:
            yield from _items(store, info, parts[1])


def _previews(store: ObjectStore) -> Iterator[KeptItem]:
    for info in store.list(keys.VIDEOS):
        if info.key.endswith((".jpg", ".vtt")):
            yield from _items(store, info, info.key.split("/")[1])


def _items(store: ObjectStore, info: ObjectInfo, video_id: str) -> Iterator[KeptItem]:
    """Yield an object of a video; none if its record cannot be read: a hold may name its source."""
    with suppress(ObjectMissing, Poison):
        record_key = keys.video_key(video_id)
        video = decode_at(record_key, store.get(record_key), VideoRecord)
        manifest = find_manifest(store, video.sha256)
        first_ms, seconds = video.facts.started_at_ms, video.facts.duration_s
        last_ms = None if first_ms is None or seconds is None else first_ms + round(seconds * 1000)
        item = KeptItem(info.key, video.source, info.modified_at_ms, info.size_bytes, first_ms, last_ms)
        if manifest is not None:
            first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
            item = item._replace(source=manifest.source, from_ms=first_ms, to_ms=last_ms)
        yield item
