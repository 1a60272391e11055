"""How uploaded videos follow what is mended of footage, and what is left of those that are gone."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC
from functools import partial

from frametally.media.changes import Change, MediumForgotten, MediumRenamed, MediumRetimed
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.records import MediaManifest
from frametally.rules.times import local_time
from frametally_cli.console import output as console
from frametally_cli.options.ports import Ports
from frametally_cli.scrub.leftovers import Leftover, Leftovers
from frametally_videos.jobs import removal
from frametally_videos.library.edits import Changes, edit_video, remove_video
from frametally_videos.library.retention import forgotten_videos, objects_of_no_video
from frametally_videos.opening import open_video_catalogue
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.acceptance import read_video
from frametally_videos.uploads.content_claims import holder_of


def changed(ports: Ports, change: Change, progress: Progress) -> None:
    """Follow a change of a medium that is an uploaded video."""
    match change:
        case MediumForgotten(manifest):
            _forgotten(ports, change, _video_of(ports.store, manifest), progress)
        case MediumRetimed(manifest, start_ms):
            _edit(ports, manifest, Changes(start_time=local_time(start_ms, UTC).isoformat()))
        case MediumRenamed(manifest, source, source_name):
            _edit(ports, manifest, Changes(source=source_name), (source, source_name))


def _forgotten(ports: Ports, change: MediumForgotten, video: VideoRecord | None, progress: Progress) -> None:
    """Remove the uploaded video of what was forgotten as a whole, or have its state found out again."""
    settings = ports.settings
    if video is None:
        return
    if change.deletes and change.whole:
        _remove(ports, video, progress)
        return
    if change.deletes:
        line = f"{video.name}: its uploaded video still has this range: remove it on its page"
        console.err.print(console.plain(line), markup=False)
    with closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue:
        row = catalogue.video(video.id)
        if row is not None and row.state == "ready":
            catalogue.set_video(video.id, state="received")


def _video_of(store: ObjectStore, manifest: MediaManifest) -> VideoRecord | None:
    video_id = holder_of(store, manifest.sha256) if manifest.kind == "video" else None
    return read_video(store, video_id) if video_id is not None else None


def _edit(
    ports: Ports, manifest: MediaManifest, changes: Changes, source: tuple[str, str] = ("", "")
) -> None:
    """Have the record of an uploaded video say what was put right: else its next job puts the frames back."""
    settings, store = ports.settings, ports.store
    video = _video_of(store, manifest)
    if video is None:
        return
    with closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue:
        edit_video(store, catalogue, settings, video.id, changes, name_source=lambda _: source)


def _remove(ports: Ports, video: VideoRecord, progress: Progress) -> None:
    settings, store = ports.settings, ports.store
    with closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue:
        # First the mark and the job: cut behind it, `frametally work` removes the rest.
        remove_video(store, catalogue, video.id)
        removal.remove_video(video, settings=settings, store=store, log=ports.log, progress=progress)
        catalogue.remove_video(video.id)


def leftovers(ports: Ports) -> Leftovers:
    """Return the objects of videos that are gone; and, as things, the videos whose frames were forgotten."""
    settings, store = ports.settings, ports.store

    def forgotten() -> list[Leftover]:
        with closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue:
            videos = forgotten_videos(store, catalogue)
        return [Leftover(video.id, _line(video), partial(_remove, ports, video)) for video in videos]

    return Leftovers(
        objects_of_no_video(store), "objects of an uploaded video that is gone", forgotten, "uploaded videos"
    )


def _line(video: VideoRecord) -> str:
    what = f"an uploaded video whose frames were forgotten, {video.size_bytes / 1e6:.1f} MB"
    return f"{video.name} (source {video.source_name}): {what}"
