"""Turns an upload's bytes into a video, in steps that any process can repeat.

Once all bytes have arrived, they become the original, are inspected and claimed (`content_claims`), and the
record is put: from then on the video exists. Its row in the catalogue and its jobs follow from that record.
An upload's result is noted before anything of it is removed, so that after a kill `UploadSettler` reaches the
same result. All functions raise `Retryable` while the store or the catalogue is not available.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from frametally import keys
from frametally.errors import FrametallyError, Poison, Retryable
from frametally.files.names import as_text
from frametally.media.manifests import find_record
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.reports import plural
from frametally.records import encode
from frametally.rules.time_patterns import time_pattern
from frametally_videos.catalogue.catalogue_rows import UploadRow, usual_jobs
from frametally_videos.library.edits import SourceNames, draw, follow
from frametally_videos.library.retention import (
    remove_old_originals,
    remove_screened_original,
    screened_originals,
)
from frametally_videos.records import UploadRecord, VideoFacts, VideoRecord
from frametally_videos.settings import VideoSettings
from frametally_videos.upload_fields import without_what_lies_outside
from frametally_videos.upload_refusals import CHECKSUM_MISMATCH, WOULD_MOVE_COUNTS, Refused
from frametally_videos.uploads.content_claims import (
    claim,
    counted_as,
    holder_of,
    moved_remark,
    take_fields,
    with_counts_kept,
)
from frametally_videos.uploads.receiving import (
    UploadPorts,
    abort_upload,
    can_be_confirmed,
    find_upload,
    note_end,
    refusal_in,
    remove_upload,
    resume_write,
)

NO_TIME = "Neither the file nor its name says when it was filmed."
_READ_BYTES = 8 * 2**20
_WINNER_PATIENCE_S, _LOOK_UP_S = 10.0, 0.05
_UPLOADS_EVERY_S, _VIDEOS_EVERY_S = 5.0, 60.0
_OWNER_PATIENCE_S = 60.0
"""A complete upload that is not a video after this time has lost the process that received it."""


class Accepted(NamedTuple):
    """The result of an upload.

    Attributes:
        known: Whether an earlier upload had the same bytes.
    """

    video: VideoRecord
    known: bool
    remark: str = ""


@dataclass
class Acceptance:
    """Makes videos from uploads; threads may share it."""

    ports: UploadPorts

    def __post_init__(self) -> None:
        self._sources = SourceNames(self.ports.store, self.ports.catalogue)

    def accept(self, upload: UploadRecord, sha256: str | None = None) -> Accepted:
        """Make a video from a complete upload, or continue after an interruption.

        Args:
            upload: Its record; its length is known.
            sha256: SHA-256 of its bytes in hex if they were hashed on arrival; otherwise they are read again.

        Raises:
            Refused: It is not a usable video, and only a note of that stays; or it would move counts, and its
                bytes stay until it expires if a client can confirm that.
            Misconfigured: The store cannot be written.
            Poison: Bytes are missing, or the upload or its video was removed.
        """
        result = self._earlier_result(upload)
        if result is not None:
            return result
        try:
            video, is_known = self._make_video(upload, sha256)
            if is_known:
                video, remark = take_fields(self.ports, upload.fields, video, self._sources.resolve)
            else:
                remarks = [
                    moved_remark(video, self.ports.settings),
                    video.facts.time_remark,
                    *draw(self.ports.store, video),
                ]
                remark = " ".join(filter(None, remarks))
        except Refused as refusal:
            note_end(self.ports, upload, "refused", refusal=refusal)
            if refusal.status != WOULD_MOVE_COUNTS or upload.kind != "resumable":
                remove_upload(self.ports.store, upload, original=True)
            raise
        except ObjectMissing as error:  # another process was faster, and has removed it
            result = self._earlier_result(upload)
            if result is None:
                raise Retryable(f"upload {upload.id}: {error}") from error
            return result
        self.enter(video)
        note_end(self.ports, upload, "accepted", video_id=video.id, reason=remark or None)
        remove_upload(self.ports.store, upload, original=is_known)
        failpoints.passing("upload.removed")
        return Accepted(video, is_known, remark)

    def enter(self, video: VideoRecord) -> None:
        """Add a video to the catalogue and queue its jobs, unless this was done."""
        catalogue = self.ports.catalogue
        info = self.ports.store.head(video.key)
        if info is None:
            return
        catalogue.put_video(video, info.version)
        failpoints.passing("upload.catalogued")
        if video.state == "deleting":
            follow(self.ports.store, catalogue, video)
            return
        if video.facts.started_at_ms is None:
            row = catalogue.video(video.id)
            if row is not None and row.state == "received":
                catalogue.set_video(video.id, state="needs_time", reason=NO_TIME)
        queued = {job.kind for job in catalogue.jobs(video.id)}
        for kind in usual_jobs(video, self.ports.settings.part(VideoSettings).video_orchestrator):
            if kind not in queued:
                catalogue.queue(video.id, kind)
        failpoints.passing("upload.queued")

    def _earlier_result(self, upload: UploadRecord) -> Accepted | None:
        """Return the result of an upload that ended, and remove leftovers."""
        row = self.ports.catalogue.upload(upload.id)
        if row is None or not row.is_over:
            return None
        if can_be_confirmed(upload, row):
            if upload.fields.move_counts:
                return None
            raise refusal_in(row)
        video = read_video(self.ports.store, row.video_id) if row.state == "accepted" else None
        _clear_ended(self.ports.store, upload, row)
        if row.state == "refused":
            raise refusal_in(row)
        if video is None:
            raise Poison(f"upload {upload.id} has ended: {row.reason or 'its video was removed'}")
        return Accepted(video, row.known, row.reason or "")

    def _make_video(self, upload: UploadRecord, sha256: str | None) -> tuple[VideoRecord, bool]:
        """Return the upload's video and False, or an existing one with the same bytes and True."""
        store = self.ports.store
        video = read_video(store, upload.video_id)
        if video is not None:
            return video, False
        size_bytes = self._finish(upload)
        sha256 = sha256 or sha256_of_object(store, keys.original_key(upload.video_id), size_bytes)
        if upload.sha256 is not None and upload.sha256 != sha256:
            raise Refused(
                CHECKSUM_MISMATCH,
                f"Its bytes have the SHA-256 {sha256}, not {upload.sha256}.",
                "Upload it again.",
            )
        holder = holder_of(store, sha256)
        if holder not in (None, upload.video_id):
            return self._winner(sha256), True
        facts = self._look(upload)
        failpoints.passing("upload.looked")
        video = self._record(upload, facts, sha256, size_bytes)
        manifest = counted_as(store, sha256)
        if manifest is not None:
            video = with_counts_kept(video, manifest, self.ports.settings)
        video = msgspec.structs.replace(
            video, fields=msgspec.structs.replace(video.fields, move_counts=False)
        )
        if store.head(upload.key) is None:  # the rest was done, and the video may be removed
            raise ObjectMissing("its record no longer exists")
        if claim(store, sha256, upload) != upload.video_id:
            return self._winner(sha256), True
        failpoints.passing("upload.claimed")
        store.put(video.key, encode(video), if_absent=True)
        failpoints.passing("upload.recorded")
        return video, False

    def _finish(self, upload: UploadRecord) -> int:
        """Make the bytes the original, unless they are; return their number."""
        key = keys.original_key(upload.video_id)
        info = self.ports.store.head(key)
        if info is None:
            write = resume_write(self.ports.store, upload)
            durable = write.durable_bytes
            if durable != upload.length_bytes:
                raise Poison(f"upload {upload.id} has {durable} of {upload.length_bytes} bytes")
            failpoints.passing("upload.received")
            write.finish()
            info = self.ports.store.head(key)
            if info is None:
                raise ObjectMissing("its original no longer exists")
        failpoints.passing("upload.finished")
        return info.size_bytes

    def _look(self, upload: UploadRecord) -> VideoFacts:
        """Inspect the bytes; if nothing shows when they were filmed, use the upload's start as a guess."""
        key, fields = keys.original_key(upload.video_id), upload.fields
        if fields.last_modified_ms is None:
            fields = msgspec.structs.replace(fields, last_modified_ms=upload.created_at_ms)
        return self.ports.look(self.ports.settings, key, fields, upload.file_name)

    def _winner(self, sha256: str) -> VideoRecord:
        """Return the existing video with these bytes; wait for it a while."""
        until_s = time.monotonic() + _WINNER_PATIENCE_S
        while True:
            holder = holder_of(self.ports.store, sha256)
            video = read_video(self.ports.store, holder) if holder else None
            if video is not None and video.state != "deleting":
                return video
            if holder is None or video is not None or time.monotonic() > until_s:
                raise Retryable("another upload of the same file is being turned into a video or deleted")
            time.sleep(_LOOK_UP_S)

    def _record(self, upload: UploadRecord, facts: VideoFacts, sha256: str, size_bytes: int) -> VideoRecord:
        file_name = upload.file_name
        pattern = time_pattern(self.ports.settings.time_pattern)
        match = pattern.match(Path(file_name)) if pattern is not None else None
        usual_name = (match.source if match else "") or PurePosixPath(file_name).stem or file_name
        source_given = as_text(upload.fields.source or usual_name)
        source, source_name = self._sources.resolve(source_given)
        fields, left_out = without_what_lies_outside(upload.fields, facts.width_px, facts.height_px)
        return VideoRecord(
            id=upload.video_id,
            sha256=sha256,
            size_bytes=size_bytes,
            name=fields.name or upload.file_name,
            file_name=upload.file_name,
            source=source,
            source_name=source_name,
            fields=fields,
            facts=msgspec.structs.replace(facts, damage=[*facts.damage, *left_out]),
            uploaded_at_ms=self.ports.now_ms(),
            owner=upload.owner,
        )


def read_video(store: ObjectStore, video_id: str) -> VideoRecord | None:
    """Return a video's record, or None if there is none. Raises `Poison` if it is damaged."""
    return find_record(store, keys.video_key(video_id), VideoRecord)


def sha256_of_object(store: ObjectStore, key: str, size_bytes: int) -> str:
    """Return the SHA-256 of an object's bytes in hex, read piece by piece. Raises `ObjectMissing`."""
    digest = hashlib.sha256()
    for first in range(0, size_bytes, _READ_BYTES):
        digest.update(store.get_range(key, first, min(first + _READ_BYTES, size_bytes)))
    return digest.hexdigest()


def _clear_ended(store: ObjectStore, upload: UploadRecord, row: UploadRow) -> None:
    """Remove the rest of an ended upload, except its video."""
    became_video = row.state == "accepted" and row.video_id == upload.video_id
    remove_upload(store, upload, original=not became_video)


@dataclass
class UploadSettler:
    """Finishes uploads after a kill; a long-running process keeps one.

    It leaves the work of running processes to them: it takes up an upload whose bytes have all been there for
    a minute without becoming a video.
    """

    acceptance: Acceptance
    say: Callable[[str], None]
    _: KW_ONLY
    is_busy: Callable[[str], bool] = lambda _: False
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._ports = self.acceptance.ports
        self._whole_since_s: dict[str, float] = {}
        self._uploads_due_s = self._videos_due_s = float("-inf")

    def settle(self, *, patiently: bool = True) -> None:
        """Check all uploads and, less often, all videos; return at once if it is not time yet.

        After a failure it is time again at once, so a call that succeeds has asked the part that failed.

        Without `patiently`, check at once and do not wait for other processes: for when there are none.
        """
        now_s = self.clock()
        if now_s >= self._uploads_due_s or not patiently:
            self._settle_uploads(now_s, patiently)
            self._ports.catalogue.remove_uploads(expired_at_ms=self._ports.now_ms())
            self._uploads_due_s = now_s + _UPLOADS_EVERY_S
        if now_s >= self._videos_due_s or not patiently:
            self._settle_videos()
            self._remove_old_originals()
            self._videos_due_s = now_s + _VIDEOS_EVERY_S

    def _settle_uploads(self, now_s: float, patiently: bool) -> None:
        upload_ids = set()
        for info in list(self._ports.store.list(keys.UPLOADS)):
            upload_id = info.key.removeprefix(f"{keys.UPLOADS}/").removesuffix(".json")
            if not keys.is_video_id(upload_id) or self.is_busy(upload_id):
                continue
            upload_ids.add(upload_id)
            try:
                self._settle_upload(upload_id, now_s, patiently)
            except Retryable:
                raise
            except Refused as refusal:
                self.say(f"upload {upload_id}: {refusal}")
            except FrametallyError as error:
                self.say(f"{error}")
        self._whole_since_s = {
            other_id: since_s for other_id, since_s in self._whole_since_s.items() if other_id in upload_ids
        }

    def _settle_upload(self, upload_id: str, now_s: float, patiently: bool) -> None:
        store = self._ports.store
        upload = find_upload(store, upload_id)
        if upload is None:
            return
        row = self._ports.catalogue.upload(upload_id)
        is_kept = row is not None and can_be_confirmed(upload, row)
        if is_kept and not upload.fields.move_counts:
            if upload.expires_at_ms <= self._ports.now_ms():
                abort_upload(self._ports, upload, "no one confirmed that it moves counts")
        elif row is not None and row.is_over and not is_kept:
            _clear_ended(store, upload, row)
        elif is_whole(store, upload):
            since_s = self._whole_since_s.setdefault(upload_id, now_s)
            if not patiently or now_s - since_s >= _OWNER_PATIENCE_S:
                self.acceptance.accept(upload)
        elif upload.expires_at_ms <= self._ports.now_ms():
            abort_upload(self._ports, upload, "it was left unfinished for too long")

    def _remove_old_originals(self) -> None:
        days = self._ports.settings.part(VideoSettings).store_video_days
        for video_id in remove_old_originals(self._ports.store, days=days, now_ms=self._ports.now_ms()):
            self.say(f"video {video_id}: its original was deleted, {plural(days, 'day')} after its upload")
        ports = self._ports.settings, self._ports.store, self._ports.catalogue
        for video_id in screened_originals(*ports):
            try:
                is_removed = remove_screened_original(*ports, video_id)
            except Poison as error:
                self.say(f"{error}")
                continue
            if is_removed:
                self.say(f"video {video_id}: its original was deleted, as the policy of its source says")

    def _settle_videos(self) -> None:
        noted = self._ports.catalogue.versions()
        for info in self._ports.store.list(keys.VIDEOS):
            video_id = keys.parse_video_key(info.key)
            if video_id is None or noted.get(video_id) == info.version:
                continue
            try:
                video = read_video(self._ports.store, video_id)
            except Poison as error:
                self.say(f"{error}")
                continue
            if video is not None:
                self.acceptance.enter(video)


def is_whole(store: ObjectStore, upload: UploadRecord) -> bool:
    """Return whether all bytes of an upload have arrived."""
    if upload.length_bytes is None:
        return False
    if store.head(keys.original_key(upload.video_id)) is not None:
        return True
    return resume_write(store, upload).durable_bytes >= upload.length_bytes > 0
