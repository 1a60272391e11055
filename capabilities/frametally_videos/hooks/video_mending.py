"""Keeps uploaded videos in step with corrected footage, and removes leftovers of deleted videos."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from functools import partial

from frametally.checkup.findings import Leftover, Leftovers
from frametally.console.output import note
from frametally.media.mending import Change, MediumForgotten, MediumRenamed, MediumRetimed
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import Ports, StagePorts
from frametally.process.reports import Progress
from frametally.records import MediaManifest
from frametally.rules.times import local_time
from frametally.settings.loading import Settings
from frametally_videos.catalogue_by_url import catalogue_of
from frametally_videos.jobs import announced_medium
from frametally_videos.library.edits import Changes, edit_video, remove_video
from frametally_videos.library.retention import forgotten_videos, objects_of_no_video
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.acceptance import read_video
from frametally_videos.uploads.content_claims import holder_of


def restored(_: Settings, __: Mapping[str, int]) -> None:
    """Tell the user how to bring back uploaded videos, which backups do not contain."""
    note("`frametally catalogue rebuild` brings uploaded videos back")


def changed(ports: StagePorts, change: Change, progress: Progress) -> None:
    """Apply a change of a medium to its uploaded video, if any."""
    match change:
        case MediumForgotten(manifest):
            _forgotten(ports, change, _video_of(ports.store, manifest), progress)
        case MediumRetimed(manifest, start_ms):
            _edit(ports, manifest, Changes(start_time=local_time(start_ms, UTC).isoformat()))
        case MediumRenamed(manifest, source, source_name, _):
            _edit(ports, manifest, Changes(source=source_name), (source, source_name))


def _forgotten(
    ports: StagePorts, change: MediumForgotten, video: VideoRecord | None, progress: Progress
) -> None:
    """Remove the uploaded video of completely forgotten footage, or have its state checked again."""
    settings = ports.settings
    if video is None:
        return
    if change.deletes and change.whole:
        _remove(ports, video, progress)
        return
    if change.deletes:
        progress.say(
            f"{video.name}: the uploaded video still contains this range; delete the video on its page"
        )
    with catalogue_of(settings) as catalogue:
        row = catalogue.video(video.id)
        if row is not None and row.state == "ready":
            catalogue.set_video(video.id, state="received")


def _video_of(store: ObjectStore, manifest: MediaManifest) -> VideoRecord | None:
    video_id = holder_of(store, manifest.sha256) if manifest.kind == "video" else None
    return read_video(store, video_id) if video_id is not None else None


def _edit(
    ports: StagePorts, manifest: MediaManifest, changes: Changes, source: tuple[str, str] = ("", "")
) -> None:
    """Correct the record of an uploaded video; otherwise its next job would undo the change."""
    settings, store = ports.settings, ports.store
    video = _video_of(store, manifest)
    if video is None:
        return
    with catalogue_of(settings) as catalogue:
        edit_video(store, catalogue, settings, video.id, changes, name_source=lambda _: source)


def _remove(ports: StagePorts, video: VideoRecord, progress: Progress) -> None:
    settings, store = ports.settings, ports.store
    with catalogue_of(settings) as catalogue:
        # Mark it and queue the job first: after a kill, `frametally work` removes the rest.
        remove_video(store, catalogue, video.id)
        announced_medium.remove_video(ports, video, progress)
        catalogue.remove_video(video.id)


def leftovers(ports: Ports) -> Leftovers:
    """Return the objects of removed videos, and the videos whose frames were all forgotten."""
    settings, store = ports.settings, ports.store

    def forgotten() -> list[Leftover]:
        with catalogue_of(settings) as catalogue:
            videos = forgotten_videos(store, catalogue)
        return [Leftover(video.id, _line(video), partial(_remove, ports, video)) for video in videos]

    return Leftovers(
        objects_of_no_video(store),
        "objects of an uploaded video that no longer exists",
        forgotten,
        "uploaded videos",
    )


def _line(video: VideoRecord) -> str:
    video_text = f"an uploaded video whose frames were forgotten, {video.size_bytes / 1e6:.1f} MB"
    return f"{video.name} (source {video.source_name}): {video_text}"
