"""Bytes that are known: of their uploads exactly one makes the video, and none moves counts unasked."""

from __future__ import annotations

from datetime import datetime

import msgspec

from frametally import keys
from frametally.errors import Poison, Retryable
from frametally.media.manifests import find_manifest
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import MediaManifest, decode_at, encode
from frametally.settings.loading import Settings
from frametally_videos.library.edits import (
    GUESSED,
    Changes,
    NameSource,
    VideoGone,
    edit_video,
    is_elsewhere,
    is_guess,
    moment_ms,
)
from frametally_videos.records import (
    MovedCounts,
    UploadRecord,
    VideoContent,
    VideoFields,
    VideoRecord,
)
from frametally_videos.upload_refusals import WOULD_MOVE_COUNTS, FieldRefused, Refused
from frametally_videos.uploads.receiving import UploadPorts


def holder_of(store: ObjectStore, sha256: str) -> str | None:
    """Return the id of the video that has these bytes, or is about to; None if there is none."""
    key = keys.video_content_key(sha256)
    try:
        note = decode_at(key, store.get(key), VideoContent)
    except (ObjectMissing, Poison):
        return None
    return note.video_id if _leads_to_a_video(store, note) else None


def claim(store: ObjectStore, sha256: str, upload: UploadRecord) -> str:
    """Note these bytes as those of an upload's video, unless they are another's.

    Returns:
        The id of the video whose they are: the upload's own, or another that is there or about to be.

    Raises:
        Retryable: The store is away, or others change the note again and again.
    """
    mine = VideoContent(sha256=sha256, video_id=upload.video_id, upload_id=upload.id)
    if store.put(mine.key, encode(mine), if_absent=True):
        return mine.video_id

    def take_over(before: bytes | None) -> bytes:
        try:
            there = decode_at(mine.key, before, VideoContent) if before is not None else None
        except Poison:  # a damaged one says nothing
            there = None
        keeps = there is not None and (there.video_id == mine.video_id or _leads_to_a_video(store, there))
        return before if keeps and before is not None else encode(mine)

    after = store.change(mine.key, take_over)
    return mine.video_id if after is None else decode_at(mine.key, after, VideoContent).video_id


def give_up_claim(store: ObjectStore, sha256: str, video_id: str) -> None:
    """Remove the note of these bytes, if it is this video's."""

    def without_mine(before: bytes | None) -> bytes | None:
        try:
            mine = before is not None and decode_at(key, before, VideoContent).video_id == video_id
        except Poison:
            mine = True
        return None if mine else before

    key = keys.video_content_key(sha256)
    store.change(key, without_mine)


def counted_as(store: ObjectStore, sha256: str) -> MediaManifest | None:
    """Return the manifest of frames of these bytes; None if none was announced, or it cannot be read."""
    try:
        manifest = find_manifest(store, sha256)
    except Poison:  # the job that makes the frames says so
        return None
    return manifest if manifest is not None and manifest.frames_announced else None


def with_counts_kept(video: VideoRecord, manifest: MediaManifest, settings: Settings) -> VideoRecord:
    """Return the record of a new video whose bytes are counted already, under `manifest`'s source and time.

    What the upload does not say stays as it is counted. A time that was only a guess gives way.

    Raises:
        Refused: What it says would move the counts, and it does not confirm that.
    """
    said, facts = video.fields, video.facts
    if said.source is None or video.source == manifest.source:
        video = msgspec.structs.replace(video, source=manifest.source, source_name=manifest.source_name)
    is_certain = manifest.time_source != GUESSED
    says_time = said.start_time is not None or said.timezone is not None
    if manifest.start_ms is not None and (
        (is_certain and not says_time) or (not is_certain and is_guess(facts))
    ):
        facts = msgspec.structs.replace(
            facts, started_at_ms=manifest.start_ms, time_source=manifest.time_source
        )
        video = msgspec.structs.replace(video, facts=facts)
    moves_time = is_certain and None not in (manifest.start_ms, facts.started_at_ms)
    if video.source == manifest.source and not (moves_time and manifest.start_ms != facts.started_at_ms):
        return video
    moved = _counts_of(manifest)
    if not said.move_counts:
        raise Refused(
            WOULD_MOVE_COUNTS,
            f"This upload would move counts: {moved_words(moved, settings)} would count as "
            f"{video.source_name}{_on(facts.started_at_ms, settings)}.",
        )
    return msgspec.structs.replace(video, moved_from=moved)


def _counts_of(manifest: MediaManifest) -> MovedCounts:
    first_ms = manifest.first_captured_at_ms or manifest.start_ms or 0
    return MovedCounts(
        source=manifest.source,
        source_name=manifest.source_name,
        from_ms=first_ms,
        to_ms=manifest.last_captured_at_ms or first_ms,
        frames=manifest.frames_announced,
    )


def moved_words(moved: MovedCounts, settings: Settings) -> str:
    """Return frames, source and days of what an upload moved, or would."""
    first, last = _day(moved.from_ms, settings), _day(moved.to_ms, settings)
    days = first if first == last else f"{first} to {last}"
    return f"{moved.frames} frames of {moved.source_name} on {days}"


def moved_remark(video: VideoRecord, settings: Settings) -> str:
    """Return a sentence about what the upload of a video moved; empty: nothing."""
    if video.moved_from is None:
        return ""
    words = moved_words(video.moved_from, settings)
    return f"This upload moves counts: {words} will count as {video.source_name}."


def take_fields(
    ports: UploadPorts, said: VideoFields, video: VideoRecord, name_source: NameSource
) -> tuple[VideoRecord, str]:
    """Take what an upload of a video's bytes says of its source and time, where that is to hold.

    It does where the upload confirms that it moves counts; and its time does for the same source, where the
    video's was a guess.

    Returns:
        The video, and sentences about what was taken of the upload and what was not.

    Raises:
        Retryable: The store or the catalogue is away, or the video is just being removed.
        Poison: Its record is damaged.
    """
    remarks = []
    source = None if said.source is None else name_source(said.source)[0]
    # The time of another source says nothing of this one, whose counts would leave their day.
    says_time = said.move_counts or (is_guess(video.facts) and source in (None, video.source))
    changes = Changes()
    if said.move_counts and said.source is not None and source != video.source:
        changes["source"] = said.source
    if said.start_time is not None and says_time:
        changes["start_time"] = said.start_time
        if said.timezone is not None:
            changes["timezone"] = said.timezone
    if changes:
        counted = counted_as(ports.store, video.sha256) if said.move_counts else None
        try:
            after = edit_video(
                ports.store,
                ports.catalogue,
                ports.settings,
                video.id,
                changes,
                name_source=name_source,
                moved_from=_counts_of(counted) if counted is not None else None,
            )
            if counted is not None and is_elsewhere(video, after):
                remarks.append(moved_remark(after, ports.settings))
            elif after != video:
                taken = " and ".join(name for name in changes if name != "timezone")
                guess = "; its time was a guess before" if is_guess(video.facts) else ""
                remarks.append(f"The video takes {taken} from this upload{guess}.")
            video = after
        except FieldRefused as refusal:
            remarks.append(f"{refusal.reason} {refusal.remedy}")
        except VideoGone as error:
            raise Retryable(str(error)) from error
    kept = _not_taken(said, source, video, ports.settings)
    if kept:
        remarks.append(
            f"The video keeps its own {', '.join(kept)}. "
            f"Change them on its page, or by PATCH /api/v1/videos/{video.id}."
        )
    return video, " ".join(remarks)


def _not_taken(said: VideoFields, source: str | None, video: VideoRecord, settings: Settings) -> list[str]:
    """Return the fields that an upload of known bytes says otherwise than its video has them."""
    fields = []
    if said.name is not None and said.name != video.name:
        fields.append("name")
    if source is not None and source != video.source:
        fields.append("source")
    if said.start_time is not None:
        try:
            start_ms = moment_ms(said.start_time, said.timezone, settings)
        except FieldRefused:
            start_ms = None
        if start_ms != video.facts.started_at_ms:
            fields.append("start_time")
    fields += [
        name
        for name in ("roi", "calibration")
        if getattr(said, name) is not None and getattr(said, name) != getattr(video.fields, name)
    ]
    return fields


def _on(time_ms: int | None, settings: Settings) -> str:
    return "" if time_ms is None else f" on {_day(time_ms, settings)}"


def _day(time_ms: int, settings: Settings) -> str:
    return datetime.fromtimestamp(time_ms / 1000, settings.tzinfo()).date().isoformat()


def _leads_to_a_video(store: ObjectStore, note: VideoContent) -> bool:
    # In this order: an upload's record is removed when its video's is there, and not before.
    return any(
        store.head(key) is not None
        for key in (keys.upload_key(note.upload_id), keys.video_key(note.video_id))
    )
