"""Uploading into the store and the catalogue that the settings name, without a server in between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ResumableWrite
from frametally.process.retrying import GivenUp, Patience
from frametally_videos.commands.upload_clip import Clip, ClipReader, Moved, Unconfirmed, Uploaded
from frametally_videos.commands.upload_notes import UploadNotes
from frametally_videos.library.edits import is_guess
from frametally_videos.records import UploadRecord
from frametally_videos.settings import VideoSettings
from frametally_videos.upload_refusals import MOVE_REMEDY, WOULD_MOVE_COUNTS, Refused
from frametally_videos.uploads.acceptance import Acceptance, Accepted
from frametally_videos.uploads.receiving import (
    UploadPorts,
    abort_upload,
    begin_upload,
    confirm_move,
    find_upload,
    keep_upload,
    note_open,
    resume_write,
)

_READ_BYTES = 2**20
_KEEP_EVERY_BYTES = 256 * 2**20


class StoreUploader:
    """Uploads files into the parts that the settings name, one after the other."""

    def __init__(
        self, ports: UploadPorts, notes: UploadNotes, patience: Patience, should_stop: Callable[[], bool]
    ) -> None:
        """Do so with these parts."""
        self._ports = ports
        self._notes = notes
        self._patience = patience
        self._should_stop = should_stop
        self._acceptance = Acceptance(ports)

    def upload(self, clip: Clip, moved: Moved) -> Uploaded:
        """Upload a file, waiting while the store or the catalogue is away.

        Raises:
            Poison: It is no video that can be kept; the line says why.
            Misconfigured: The store cannot be written, or is full.
            GivenUp: A stop was asked for; the same call goes on.
        """
        most_bytes = self._ports.settings.part(VideoSettings).upload_max_gb * 1e9
        if clip.size_bytes > most_bytes:
            raise Poison(
                f"{clip.file_name} has {clip.size_bytes / 1e9:.1f} GB, of {most_bytes / 1e9:g} GB that there "
                "may be: cut it, or raise FRAMETALLY_UPLOAD_MAX_GB"
            )
        if not clip.size_bytes:
            raise Poison(f"{clip.file_name} is empty, which is no video: name another file")
        mark = self._notes.mark_of(clip, self._ports.store.url)
        try:
            accepted = self._patience.until_done(
                f"uploading {clip.file_name}", lambda: self._go_on(clip, mark, moved)
            )
        except Refused as refusal:
            if refusal.status == WOULD_MOVE_COUNTS:  # the next call may confirm it
                raise Unconfirmed(f"{clip.file_name}: {refusal.reason} {MOVE_REMEDY}") from refusal
            self._notes.forget(mark)
            raise Poison(f"{clip.file_name}: {refusal.reason}") from refusal
        except Poison as error:
            upload = find_upload(self._ports.store, self._notes.get(mark) or "")
            if upload is not None:
                abort_upload(self._ports, upload, str(error))
            self._notes.forget(mark)
            raise
        self._notes.forget(mark)
        video, facts = accepted.video, accepted.video.facts
        needs_time = facts.started_at_ms is None
        return Uploaded(
            video.id, accepted.known, needs_time, not needs_time and is_guess(facts), accepted.remark
        )

    def _go_on(self, clip: Clip, mark: str, moved: Moved) -> Accepted:
        upload = find_upload(self._ports.store, self._notes.get(mark) or "")
        if upload is None:
            upload = begin_upload(
                self._ports,
                kind="resumable",
                length_bytes=clip.size_bytes,
                file_name=clip.file_name,
                fields=clip.fields,
            )
            self._notes.put(mark, upload.id)
        elif clip.fields.move_counts:
            upload = confirm_move(self._ports, upload)
        sha256 = self._send(upload, clip, moved)
        return self._acceptance.accept(upload, sha256)

    def _send(self, upload: UploadRecord, clip: Clip, moved: Moved) -> str | None:
        """Send what is missing; return the SHA-256 of all, if all was read by this call."""
        if self._ports.store.head(keys.original_key(upload.video_id)) is not None:
            return None
        write = resume_write(self._ports.store, upload)
        at = first = write.durable_bytes
        moved(at)
        digest = hashlib.sha256()
        with clip.open(at) as file:
            reader = ClipReader(
                file, at_byte=at, next_byte=clip.size_bytes, moved=moved, should_stop=self._should_stop
            )
            while data := self._read(reader, write):
                write.append(data, at_byte=at)
                if first == 0:
                    digest.update(data)
                if (at + len(data)) // _KEEP_EVERY_BYTES > at // _KEEP_EVERY_BYTES:
                    upload = keep_upload(self._ports, upload)
                    note_open(self._ports, upload)
                at += len(data)
            clip.check(file)
        write.flush()
        return digest.hexdigest() if first == 0 else None

    def _read(self, reader: ClipReader, write: ResumableWrite) -> bytes:
        try:
            return reader.read(_READ_BYTES)
        except GivenUp:
            write.flush()
            raise
