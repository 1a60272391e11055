"""Lets only one of several uploads of the same bytes become a video, and none move counts unconfirmed."""

from __future__ import annotations

import msgspec

from frametally import keys
from frametally.errors import Poison, Retryable
from frametally.media.manifests import find_manifest, find_record
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest, decode_at, encode
from frametally.rules.times import local_time
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
from frametally_videos.records import MovedCounts, UploadRecord, VideoContent, VideoFields, VideoRecord
from frametally_videos.upload_refusals import MOVE_REMEDY, WOULD_MOVE_COUNTS, FieldRefused, Refused
from frametally_videos.uploads.receiving import UploadPorts


def holder_of(store: ObjectStore, sha256: str) -> str | None:
    """Return the ID of the existing or coming video with these bytes, or None if there is none."""
    try:
        note = find_record(store, keys.video_content_key(sha256), VideoContent)
    except Poison:
        return None
    return note.video_id if note and _leads_to_a_video(store, note) else None


def claim(store: ObjectStore, sha256: str, upload: UploadRecord) -> str:
    """Claim these bytes for an upload's video, unless another video has them.

    Returns:
        The ID of the video with these bytes: the upload's, or another existing or coming one.

    Raises:
        Retryable: The store is not available, or others keep changing the claim.
    """
    mine = VideoContent(sha256=sha256, video_id=upload.video_id, upload_id=upload.id)
    if store.put(mine.key, encode(mine), if_absent=True):
        return mine.video_id

    def take_over(before: bytes | None) -> bytes:
        try:
            content = decode_at(mine.key, before, VideoContent) if before is not None else None
        except Poison:  # a damaged claim does not count
            content = None
        keeps = content is not None and (
            content.video_id == mine.video_id or _leads_to_a_video(store, content)
        )
        return before if keeps and before is not None else encode(mine)

    after = store.change(mine.key, take_over)
    return mine.video_id if after is None else decode_at(mine.key, after, VideoContent).video_id


def give_up_claim(store: ObjectStore, sha256: str, video_id: str) -> None:
    """Remove the claim to these bytes if it is this video's or damaged."""

    def without_mine(before: bytes | None) -> bytes | None:
        try:
            mine = before is not None and decode_at(key, before, VideoContent).video_id == video_id
        except Poison:
            mine = True
        return None if mine else before

    key = keys.video_content_key(sha256)
    store.change(key, without_mine)


def counted_as(store: ObjectStore, sha256: str) -> MediaManifest | None:
    """Return the manifest of these bytes, or None if it announces no frames or cannot be read."""
    try:
        manifest = find_manifest(store, sha256)
    except Poison:  # the job that makes the frames reports it
        return None
    return manifest if manifest is not None and manifest.frames_announced else None


def with_counts_kept(video: VideoRecord, manifest: MediaManifest, settings: Settings) -> VideoRecord:
    """Adapt the record of a new video to existing counts of its bytes, under `manifest`'s source and time.

    Fields that the upload does not state stay as counted. A guessed time gives way to a certain one.

    Raises:
        Refused: The upload's fields would move the counts, and it does not confirm that.
    """
    fields, facts = video.fields, video.facts
    if fields.source is None or video.source == manifest.source:
        video = msgspec.structs.replace(video, source=manifest.source, source_name=manifest.source_name)
    is_certain = manifest.time_source != GUESSED
    says_time = fields.start_time is not None or fields.timezone is not None
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
    counts = _counts_of(manifest)
    start_ms, zone = facts.started_at_ms, settings.tzinfo()
    on_day = "" if start_ms is None else f" on {local_time(start_ms, zone).date()}"
    if not fields.move_counts:
        raise Refused(
            WOULD_MOVE_COUNTS,
            f"This upload would move counts: {counts.in_words(zone)} would count as "
            f"{video.source_name}{on_day}.",
            MOVE_REMEDY,
        )
    return msgspec.structs.replace(video, moved_from=counts)


def _counts_of(manifest: MediaManifest) -> MovedCounts:
    first_ms = manifest.first_captured_at_ms or manifest.start_ms or 0
    return MovedCounts(
        source=manifest.source,
        source_name=manifest.source_name,
        from_ms=first_ms,
        to_ms=manifest.last_captured_at_ms or first_ms,
        frames=manifest.frames_announced,
    )


def moved_remark(video: VideoRecord, settings: Settings) -> str:
    """Return a sentence about the counts that a video's upload moved; empty if there are none."""
    if video.moved_from is None:
        return ""
    words = video.moved_from.in_words(settings.tzinfo())
    return f"This upload moves counts: {words} will count as {video.source_name}."


def take_fields(
    ports: UploadPorts, fields: VideoFields, video: VideoRecord, name_source: NameSource
) -> tuple[VideoRecord, str]:
    """Apply the source and time of an upload with known bytes to their video, where allowed.

    Both apply if the upload confirms that it moves counts. Otherwise only the time applies, if the video's
    time is a guess and the source is the same.

    Returns:
        The video, and sentences about applied and ignored fields.

    Raises:
        Retryable: The store or the catalogue is not available, or the video is being removed.
        Poison: The video's record is damaged.
    """
    remarks = []
    source = None if fields.source is None else name_source(fields.source)[0]
    # A time given for another source does not apply to this one: its counts would move to another day.
    says_time = fields.move_counts or (is_guess(video.facts) and source in (None, video.source))
    changes = Changes()
    if fields.move_counts and fields.source is not None and source != video.source:
        changes["source"] = fields.source
    if fields.start_time is not None and says_time:
        changes["start_time"] = fields.start_time
        if fields.timezone is not None:
            changes["timezone"] = fields.timezone
    if changes:
        manifest = counted_as(ports.store, video.sha256) if fields.move_counts else None
        try:
            after = edit_video(
                ports.store,
                ports.catalogue,
                ports.settings,
                video.id,
                changes,
                name_source=name_source,
                moved_from=_counts_of(manifest) if manifest is not None else None,
            )
            if manifest is not None and is_elsewhere(video, after):
                remarks.append(moved_remark(after, ports.settings))
            elif after != video:
                names_text = " and ".join(name for name in changes if name != "timezone")
                guess = "; its earlier time was a guess" if is_guess(video.facts) else ""
                remarks.append(f"The video gets {names_text} from this upload{guess}.")
            video = after
        except FieldRefused as refusal:
            remarks.append(f"{refusal.reason} {refusal.remedy}")
        except VideoGone as error:
            raise Retryable(str(error)) from error
    own_names = _not_taken(fields, source, video, ports.settings)
    if own_names:
        remarks.append(
            f"The video keeps its own {', '.join(own_names)}. Change them on its page, or with PATCH "
            f"/api/v1/videos/{video.id}."
        )
    return video, " ".join(remarks)


def _not_taken(
    sent_fields: VideoFields, source: str | None, video: VideoRecord, settings: Settings
) -> list[str]:
    """Return the fields in which an upload of known bytes differs from its video."""
    fields = []
    if sent_fields.name is not None and sent_fields.name != video.name:
        fields.append("name")
    if source is not None and source != video.source:
        fields.append("source")
    if sent_fields.start_time is not None:
        try:
            start_ms = moment_ms(sent_fields.start_time, sent_fields.timezone, settings)
        except FieldRefused:
            start_ms = None
        if start_ms != video.facts.started_at_ms:
            fields.append("start_time")
    fields += [
        name
        for name in ("roi", "calibration")
        if getattr(sent_fields, name) is not None
        and getattr(sent_fields, name) != getattr(video.fields, name)
    ]
    return fields


def _leads_to_a_video(store: ObjectStore, note: VideoContent) -> bool:
    # In this order, since an upload's record is not removed before its video's exists.
    return any(
        store.head(key) is not None
        for key in (keys.upload_key(note.upload_id), keys.video_key(note.video_id))
    )
