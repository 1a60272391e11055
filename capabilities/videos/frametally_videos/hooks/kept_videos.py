"""Lists originals and derivatives, which a retention policy may remove."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from frametally import keys
from frametally.errors import Poison
from frametally.media.kept_data import KeptItem, KeptKind, KeptPart
from frametally.media.manifests import find_manifest
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.ports.opened import StorePorts
from frametally.records import decode_at
from frametally_videos.jobs.job_requests import KINDS, remove_derivative
from frametally_videos.library.retention import is_taken
from frametally_videos.opening import catalogue_of
from frametally_videos.records import VideoRecord


def removable(ports: StorePorts) -> KeptPart:
    """Return the originals whose frames were all announced, and the derivatives."""
    store, settings = ports.store, ports.settings

    def remove(item: KeptItem) -> None:
        _, video_id, name = item.id.split("/")
        with catalogue_of(settings) as catalogue:
            remove_derivative(store, catalogue, video_id, name[-len("00000000.mp4") : -len(".mp4")])

    return KeptPart(
        [
            KeptKind("originals", lambda: _originals(store), lambda item: store.delete(item.id)),
            KeptKind("derivatives", lambda: _derivatives(store), remove),
        ]
    )


def _originals(store: ObjectStore) -> Iterator[KeptItem]:
    for info in store.list(keys.VIDEOS):
        video_id = keys.parse_original_key(info.key)
        if video_id is not None and is_taken(store, video_id):
            yield from _items(store, info, video_id)


def _derivatives(store: ObjectStore) -> Iterator[KeptItem]:
    for info in store.list(keys.VIDEOS):
        parts = info.key.split("/")
        if parts[-1].endswith(".mp4") and parts[-1].partition("-")[0] in KINDS:
            yield from _items(store, info, parts[1])


def _items(store: ObjectStore, info: ObjectInfo, video_id: str) -> Iterator[KeptItem]:
    """Yield an object of a video; none if its record cannot be read: a hold may name its source."""
    with suppress(ObjectMissing, Poison):
        record_key = keys.video_key(video_id)
        video = decode_at(record_key, store.get(record_key), VideoRecord)
        manifest = find_manifest(store, video.sha256)
        item = KeptItem(info.key, video.source, info.modified_at_ms, info.size_bytes)
        if manifest is not None:
            first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
            item = item._replace(source=manifest.source, from_ms=first_ms, to_ms=last_ms)
        yield item
