"""What people change of a video that is there: its name, source, time, region; or that it shall go.

The record in the store is changed first; all else follows from it (`follow`). Killed in between, whoever
compares the catalogue with the store (`acceptance.UploadSettler`, `books.videos`) does the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import msgspec

from frametally import keys
from frametally.errors import FrametallyError, Retryable
from frametally.ports.object_store import ObjectStore
from frametally.records import TimeSource, decode_at, encode
from frametally.rules.times import FIRST_MS, NEXT_MS, iso_moment_ms
from frametally.settings.loading import Settings
from frametally_videos.ports.job_book import JobKind
from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.records import MovedCounts, VideoFacts, VideoFields, VideoRecord
from frametally_videos.upload_fields import check_fields, without_what_lies_outside
from frametally_videos.upload_refusals import FieldRefused

NameSource = Callable[[str], tuple[str, str]]
"""Returns the slug of a source that somebody names, and how it is written: as it is where it is known."""

GUESSED: TimeSource = "file_time"
"""Where an event time is from that is only a guess: the file's date, or when it was uploaded."""

_SAY_THE_TIME: tuple[JobKind, ...] = ("metadata", "checks")
"""What makes a record in which a video's event time stands, too."""


class VideoGone(FrametallyError):
    """There is no such video, or it is being removed."""


class ChangedSince(FrametallyError):
    """A video has been changed since the revision that a change was made of."""

    def __init__(self, video: VideoRecord) -> None:
        """Keep the record as it is now."""
        super().__init__(f"{video.name} was changed since: it is revision {video.revision} now")
        self.video = video


class Changes(TypedDict, total=False):
    """What is to be changed; what is not in it stays. None removes a region or a calibration."""

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
    """Change what people say of a video, and have its frames put where they belong by now.

    Args:
        store: Where its record lies.
        catalogue: Where that is noted.
        settings: Of the deployment: the zone of times that name none.
        video_id: Which video.
        changes: What is to be changed.
        name_source: Finds the source that a name means.
        made_of: The revision that the change was made of; None: whichever it is.
        moved_from: What was counted of it, for its record, where an upload moves that.

    Returns:
        The record as it is then; nothing is noted where it is as it was.

    Raises:
        VideoGone: There is no such video.
        ChangedSince: It is another revision.
        FieldRefused: Something of it cannot be.
        Retryable: The store or the catalogue is away.
        Poison: The record is damaged.
        Misconfigured: This user may not write there.
    """
    check_fields(VideoFields(**changes))

    def edited(before: VideoRecord) -> VideoRecord:
        after = _changed(before, changes, settings, name_source)
        if after == before:
            return before
        if made_of is not None and made_of != before.revision:
            raise ChangedSince(before)
        if moved_from is not None and is_elsewhere(before, after):
            after = msgspec.structs.replace(after, moved_from=moved_from)
        return msgspec.structs.replace(after, revision=before.revision + 1)

    before, after = _change(store, video_id, edited)
    if after != before:
        follow(store, catalogue, after, moved=is_elsewhere(before, after))
    return after


def remove_video(store: ObjectStore, catalogue: VideoCatalogue, video_id: str) -> bool:
    """Have all of a video removed, and what was counted of it; False: that was asked for already.

    Raises:
        VideoGone: There is no such video.
        Retryable: The store or the catalogue is away.
        Poison: The record is damaged.
        Misconfigured: This user may not write there.
    """
    before, after = _change(
        store, video_id, lambda video: msgspec.structs.replace(video, state="deleting"), also_going=True
    )
    follow(store, catalogue, after)
    return before != after


def follow(store: ObjectStore, catalogue: VideoCatalogue, video: VideoRecord, *, moved: bool = False) -> None:
    """Have the catalogue, and what is to be done, follow a record that was changed; again changes nothing.

    Args:
        store: Where it lies.
        catalogue: Where it is noted.
        video: As it is now.
        moved: Whether its frames are of another source or time by now.
    """
    info = store.head(video.key)
    if info is None:  # it is gone altogether since
        return
    catalogue.put_video(video, info.version)
    if video.state == "deleting":
        if all(job.kind != "removal" or job.state == "cancelled" for job in catalogue.jobs(video.id)):
            catalogue.cancel_jobs(video.id)
            catalogue.queue(video.id, "removal")
    elif moved:
        catalogue.set_video(video.id, state="received")
        catalogue.queue(video.id, "frames")
        for kind in _SAY_THE_TIME:
            catalogue.queue(video.id, kind)


def is_guess(facts: VideoFacts) -> bool:
    """Return whether nothing certain says when a video was filmed."""
    return facts.time_source in (None, GUESSED)


def is_elsewhere(before: VideoRecord, after: VideoRecord) -> bool:
    """Return whether the frames of a video are of another source or time than before."""
    return (before.source, before.source_name, before.facts.started_at_ms) != (
        after.source,
        after.source_name,
        after.facts.started_at_ms,
    )


def moment_ms(text: str, zone_name: str | None, settings: Settings) -> int:
    """Return the event time of an ISO 8601 moment; without an offset it is in the zone, or the deployment's.

    Raises:
        FieldRefused: It is none, or not in the years 1000 to 9999.
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
        f"{text[:80]!r} is no ISO 8601 time of the years 1000 to 9999.",
        "Give one, such as 2026-05-01T08:00:00+02:00.",
    )


def _changed(
    before: VideoRecord, changes: Changes, settings: Settings, name_source: NameSource
) -> VideoRecord:
    # Checked as one: names come back as they are kept.
    fields = check_fields(msgspec.structs.replace(before.fields, **changes))
    after = msgspec.structs.replace(before, fields=fields)
    if "name" in changes:
        after = msgspec.structs.replace(after, name=fields.name)
    if "source" in changes and fields.source is not None:
        source, source_name = name_source(fields.source)
        after = msgspec.structs.replace(after, source=source, source_name=source_name)
    if "start_time" in changes or "timezone" in changes:
        if fields.start_time is None:
            raise FieldRefused("timezone", "A zone alone says no time.", "Give start_time, too.")
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
                "It lies outside the picture.",
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
    """Return a video's record as it was and as it is, changed by `make` with nobody's change in between."""
    key = keys.video_key(video_id)
    seen: list[VideoRecord] = []

    def changed(before: bytes | None) -> bytes:
        if before is None:
            raise VideoGone(f"there is no video {video_id}")
        video = decode_at(key, before, VideoRecord)
        if video.state == "deleting" and not also_going:
            raise VideoGone(f"{video.name} is being removed")
        after = make(video)
        seen.append(video)
        return before if after == video else encode(after)

    stored = store.change(key, changed)
    if stored is None:
        raise Retryable(f"video {video_id} was removed meanwhile")
    return seen[0], decode_at(key, stored, VideoRecord)
