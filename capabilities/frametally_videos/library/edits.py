"""Applies people's changes to a stored video: to its name, source, time or region, or its removal.

The record in the store changes first; everything else follows from it (`follow`). After a kill, a process
that compares the catalogue with the store (`acceptance.UploadSettler`, `commands.catalogue`) does the rest.
All functions raise `Retryable` while the store or the catalogue is not available.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

from frametally import keys
from frametally.errors import FrametallyError, Retryable
from frametally.media.corrections import lost_pictures
from frametally.media.manifests import ManifestReader, find_manifest
from frametally.media.sources import joined
from frametally.ports.object_store import ObjectStore
from frametally.ports.picture_places import picture_places
from frametally.records import TimeSource, decode_at, encode
from frametally.rules.times import FIRST_MS, NEXT_MS, iso_moment_ms
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import JobKind, VideoQuestion
from frametally_videos.records import MovedCounts, VideoFacts, VideoFields, VideoRecord
from frametally_videos.upload_fields import calibration_remark, check_fields, without_what_lies_outside
from frametally_videos.upload_refusals import FieldRefused

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

NameSource = Callable[[str], tuple[str, str]]
"""Returns the slug and the name of a source that a person names; a known source keeps its stored name."""

GUESSED: TimeSource = "file_time"
"""The source of an event time that is only a guess: the file's date, or the time of the upload."""

_SAY_THE_TIME: tuple[JobKind, ...] = ("metadata", "checks")
"""Jobs whose results contain the video's event time."""


class VideoGone(FrametallyError):
    """The video does not exist, or is being removed."""


class ChangedSince(FrametallyError):
    """The video has changed since the revision that a change is based on."""

    def __init__(self, video: VideoRecord) -> None:
        """Store the video's current record."""
        super().__init__(f"{video.name} has changed since then: it is now revision {video.revision}")
        self.video = video


class Changes(TypedDict, total=False):
    """A change; omitted fields are kept. None removes a region or a calibration."""

    name: str
    source: str
    start_time: str
    timezone: str
    roi: dict[str, Any] | None
    calibration: dict[str, Any] | None


def edit_video(
    store: ObjectStore,
    catalogue: VideoCatalogue,
    settings: Settings,
    video_id: str,
    changes: Changes,
    *,
    name_source: NameSource,
    made_of: int | None = None,
    moved_from: MovedCounts | None = None,
) -> VideoRecord:
    """Change a video's fields, and move its frames accordingly.

    `made_of` is the revision that the change is based on, or None for any; `moved_from` has the counts that
    an upload moves.

    Returns:
        The record afterwards; nothing is written if it did not change.

    Raises:
        VideoGone: The video does not exist.
        ChangedSince: It has another revision.
        FieldRefused: A field is not valid.
        Poison: The record is damaged.
        Misconfigured: This user may not write there.
    """
    check_fields(VideoFields(**changes))

    def edited(before: VideoRecord) -> VideoRecord:
        after = _apply(before, changes, settings, name_source)
        if after == before:
            return before
        if made_of is not None and made_of != before.revision:
            raise ChangedSince(before)
        _check_pictures(store, after)
        if moved_from is not None and is_elsewhere(before, after):
            after = msgspec.structs.replace(after, moved_from=moved_from)
        return msgspec.structs.replace(after, revision=before.revision + 1)

    before, after = _change(store, video_id, edited)
    if after != before:
        follow(store, catalogue, after, is_moved=is_elsewhere(before, after))
    if "roi" in changes or "calibration" in changes:
        draw(store, after)
    return after


def _check_pictures(store: ObjectStore, video: VideoRecord) -> None:
    """Raise `FieldRefused` if a video would move to where its counts cannot be made again."""
    manifest, start_ms = find_manifest(store, video.sha256), video.facts.started_at_ms
    if manifest is None or store.head(keys.original_key(video.id)) is not None:
        return
    is_other_time = None not in (manifest.start_ms, start_ms) and manifest.start_ms != start_ms
    if (is_other_time or manifest.source != video.source) and lost_pictures(store, manifest):
        raise FieldRefused(
            "start_time" if is_other_time else "source",
            "Pictures of this video and its original are lost, so its counts would go.",
            "To correct it, delete the video and upload it again.",
        )


def draw(store: ObjectStore, video: VideoRecord) -> list[str]:
    """Draw a video's region and calibration on its source; return remarks about them, a sentence each."""
    fields, facts = video.fields, video.facts
    if fields.roi is None and fields.calibration is None:
        return []
    sentences = [calibration_remark(fields.calibration)] if fields.calibration else []
    size_px = facts.width_px, facts.height_px
    if places := picture_places():
        sentences += places.draw(store, video.source, size_px, fields.roi, fields.calibration)
    return [sentence for sentence in sentences if sentence]


def remove_video(store: ObjectStore, catalogue: VideoCatalogue, video_id: str) -> bool:
    """Queue the removal of a video and its counts; return False if it was already queued.

    Raises:
        VideoGone: The video does not exist.
        Poison: The record is damaged.
        Misconfigured: This user may not write there.
    """
    before, after = _change(
        store, video_id, lambda video: msgspec.structs.replace(video, state="deleting"), also_going=True
    )
    follow(store, catalogue, after)
    return before != after


def follow(
    store: ObjectStore, catalogue: VideoCatalogue, video: VideoRecord, *, is_moved: bool = False
) -> None:
    """Update the catalogue and the jobs after a change of a record; a second call changes nothing."""
    info = store.head(video.key)
    if info is None:  # it has been removed in the meantime
        return
    catalogue.put_video(video, info.version)
    if video.state == "deleting":
        if all(job.kind != "removal" or job.state == "cancelled" for job in catalogue.jobs(video.id)):
            catalogue.cancel_jobs(video.id)
            catalogue.queue(video.id, "removal")
    elif is_moved:
        catalogue.set_video(video.id, state="received")
        catalogue.queue(video.id, "frames")
        for kind in _SAY_THE_TIME:
            catalogue.queue(video.id, kind)


def is_guess(facts: VideoFacts) -> bool:
    """Return whether a video's time is unknown or a guess."""
    return facts.time_source in (None, GUESSED)


def is_elsewhere(before: VideoRecord, after: VideoRecord) -> bool:
    """Return whether a change moves a video's frames to another source or time."""
    return (before.source, before.source_name, before.facts.started_at_ms) != (
        after.source,
        after.source_name,
        after.facts.started_at_ms,
    )


def moment_ms(text: str, zone_name: str | None, settings: Settings) -> int:
    """Return the event time of an ISO 8601 moment, in `zone_name` or the settings' zone without an offset.

    Raises:
        FieldRefused: It is not a time, or not in the years 1000 to 9999.
    """
    zone = settings.model_copy(update={"timezone": zone_name}).tzinfo() if zone_name else settings.tzinfo()
    try:
        time_ms = iso_moment_ms(text, zone)
    except ValueError as error:
        raise _no_start_time(text) from error
    if not FIRST_MS <= time_ms < NEXT_MS:
        raise _no_start_time(text)
    return time_ms


def _no_start_time(text: str) -> FieldRefused:
    return FieldRefused(
        "start_time",
        f"{text[:80]!r} is not an ISO 8601 time in the years 1000 to 9999.",
        "Enter one such as 2026-05-01T08:00:00+02:00.",
    )


def _apply(before: VideoRecord, changes: Changes, settings: Settings, name_source: NameSource) -> VideoRecord:
    # Check all fields together; this also normalizes names.
    fields = check_fields(msgspec.structs.replace(before.fields, **changes))
    after = msgspec.structs.replace(before, fields=fields)
    if "name" in changes:
        after = msgspec.structs.replace(after, name=fields.name)
    if "source" in changes and fields.source is not None:
        source, source_name = name_source(fields.source)
        after = msgspec.structs.replace(after, source=source, source_name=source_name)
    if "start_time" in changes or "timezone" in changes:
        if fields.start_time is None:
            raise FieldRefused("timezone", "A time zone alone is not enough.", "Also give start_time.")
        facts = msgspec.structs.replace(
            before.facts,
            started_at_ms=moment_ms(fields.start_time, fields.timezone, settings),
            time_source="start_time",
        )
        after = msgspec.structs.replace(after, facts=facts)
    if "roi" in changes or "calibration" in changes:
        _, left_out = without_what_lies_outside(fields, before.facts.width_px, before.facts.height_px)
        if left_out:
            raise FieldRefused(
                "roi" if "roi" in changes else "calibration",
                "It is outside the picture.",
                f"The picture has {before.facts.width_px}x{before.facts.height_px} pixels.",
            )
    return after


def _change(
    store: ObjectStore,
    video_id: str,
    make: Callable[[VideoRecord], VideoRecord],
    *,
    also_going: bool = False,
) -> tuple[VideoRecord, VideoRecord]:
    """Change a video's record by `make` in one step; return the record before and after."""
    key = keys.video_key(video_id)
    videos: list[VideoRecord] = []

    def change_record(before: bytes | None) -> bytes:
        if before is None:
            raise VideoGone(f"video {video_id} does not exist")
        video = decode_at(key, before, VideoRecord)
        if video.state == "deleting" and not also_going:
            raise VideoGone(f"{video.name} is being deleted")
        after = make(video)
        videos.append(video)
        return before if after == video else encode(after)

    data = store.change(key, change_record)
    if data is None:
        raise Retryable(f"video {video_id} was deleted in the meantime")
    return videos[0], decode_at(key, data, VideoRecord)


class SourceNames:
    """Finds the sources of media and videos by name; threads may share it."""

    def __init__(self, store: ObjectStore, catalogue: VideoCatalogue) -> None:
        self._catalogue = catalogue
        self._manifests = ManifestReader(store)
        self._reading = threading.Lock()

    def resolve(self, text: str) -> tuple[str, str]:
        """Return the slug of the source `text`, and its name as media or videos spell it."""
        with self._reading:
            manifests = self._manifests.recent()
        source, name = joined(manifests, text)
        if all(manifest.source != source for manifest in manifests):
            rows = self._catalogue.videos(VideoQuestion(sources=(source,), limit=1)).rows
            name = rows[0].record.source_name if rows else name
        return source, name
