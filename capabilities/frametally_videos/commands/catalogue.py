"""`frametally catalogue`: rebuilds the catalogue of videos from the store."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from frametally import keys
from frametally.console import output as console
from frametally.console.options import data_dir_option, read_settings
from frametally.errors import Poison
from frametally.openers.port_openers import open_books
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.process.reports import Progress, Skipped, exit_code, plural
from frametally.records import decode_at
from frametally_videos.catalogue.catalogue_rows import Artifact, ArtifactKind, missing_jobs
from frametally_videos.catalogue_by_url import catalogue_of
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

_ARTIFACT = re.compile(
    r"(?P<kind>poster|sprite|metadata|quality|playable|enhanced)(?P<recipe>-[0-9a-f]{8})?\.(?P<ending>jpg|vtt|json|mp4)"
)
_TYPES: dict[str, tuple[ArtifactKind, str]] = {
    "poster.jpg": ("poster", "image/jpeg"),
    "sprite.jpg": ("sprite", "image/jpeg"),
    "sprite.vtt": ("sprite_vtt", "text/vtt"),
    "metadata.json": ("metadata", "application/json"),
    "quality.json": ("quality", "application/json"),
    "playable.mp4": ("playable", "video/mp4"),
    "enhanced.mp4": ("enhanced", "video/mp4"),
}


class Rebuilt(NamedTuple):
    """The result of a rebuild: videos in the store, removed rows of other videos, and damaged records."""

    videos: int
    removed: int
    skipped: list[Skipped]


def rebuild_catalogue(store: ObjectStore, catalogue: VideoCatalogue, progress: Progress) -> Rebuilt:
    """Make the catalogue's rows from the store, and queue missing jobs; a second run changes nothing.

    Afterwards every video is `received`: `StateSettler` finds its state, and queues missing frames. The
    results of uploads and the history of jobs are not in the store.
    """
    before = catalogue.versions()
    records, artifacts = _list_objects(store)
    skipped = []
    for number, (video_id, info) in enumerate(records.items()):
        progress.update(number, len(records), "videos")
        try:
            record = decode_at(info.key, store.get(info.key), VideoRecord)
        except ObjectMissing:
            continue
        except Poison as error:
            skipped.append(Skipped(info.key, str(error)))
            continue
        _take_in(catalogue, record, info.version, artifacts.get(video_id, []))
    missing_ids = before.keys() - records.keys()
    for video_id in missing_ids:
        # Its record may have been put after the listing.
        if store.head(keys.video_key(video_id)) is None:
            catalogue.remove_video(video_id)
    progress.update(len(records), len(records), "videos")
    return Rebuilt(len(records) - len(skipped), len(missing_ids), skipped)


def _take_in(catalogue: VideoCatalogue, record: VideoRecord, version: str, artifacts: list[Artifact]) -> None:
    catalogue.put_video(record, version)
    catalogue.set_artifacts(record.id, artifacts)
    if record.state == "deleting":
        catalogue.queue(record.id, "removal")
        return
    catalogue.set_video(record.id, state="received")
    for kind in missing_jobs(record, {artifact.kind for artifact in artifacts}):
        catalogue.queue(record.id, kind)


def _list_objects(store: ObjectStore) -> tuple[dict[str, ObjectInfo], dict[str, list[Artifact]]]:
    """Return each video's record, as an object, and the results made from each, by ID."""
    records: dict[str, ObjectInfo] = {}
    by_video: dict[str, list[tuple[int, Artifact]]] = defaultdict(list)
    for info in store.list(keys.VIDEOS):
        video_id = keys.parse_video_key(info.key)
        if video_id is not None:
            records[video_id] = info
            continue
        _, video_id, name = info.key.split("/", 2)
        match = _ARTIFACT.fullmatch(name)
        kind_and_type = _TYPES.get(f"{match['kind']}.{match['ending']}") if match else None
        if kind_and_type is not None:
            artifact = Artifact(kind_and_type[0], info.key, kind_and_type[1], info.size_bytes)
            by_video[video_id].append((info.modified_at_ms, artifact))
    return records, {video_id: _newest(artifacts) for video_id, artifacts in by_video.items()}


def _newest(artifacts: list[tuple[int, Artifact]]) -> list[Artifact]:
    """Return the newest artifact of each kind (recipes may leave several), and all enhanced ones."""
    by_kind: dict[str, Artifact] = {}
    for _, artifact in sorted(artifacts):
        by_kind[artifact.key if artifact.kind == "enhanced" else artifact.kind] = artifact
    return list(by_kind.values())


@click.group("catalogue")
def catalogue_group() -> None:
    """Manage the catalogue of videos, a cache of the store."""


@catalogue_group.command("rebuild")
@data_dir_option
def catalogue_rebuild(**overrides: Any) -> int:
    """Rebuild the catalogue from the store; the history of jobs is lost."""
    settings = read_settings(None, overrides)
    with open_books(settings) as (ports, ledger), catalogue_of(settings) as catalogue:
        with console.stage_bar("catalogue") as bar:
            rebuilt = rebuild_catalogue(ports.store, catalogue, bar)
        from frametally_videos.jobs.video_states import StateSettler

        settler = StateSettler(
            settings=settings, store=ports.store, index=ports.index, ledger=ledger, catalogue=catalogue
        )
        settler.settle_all()
    console.print_skipped(rebuilt.skipped)
    click.echo(f"catalogue: {plural(rebuilt.videos, 'video')} added, {rebuilt.removed} deleted")
    return exit_code(done_count=rebuilt.videos, skipped=rebuilt.skipped)
