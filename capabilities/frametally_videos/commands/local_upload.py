"""Uploads files directly into the store and the catalogue of the settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ResumableWrite
from frametally.process.retrying import GivenUp, Patience
from frametally_videos.commands.upload_clip import Clip, ClipReader, Moved, Unconfirmed, Uploaded, UploadNotes
from frametally_videos.library.edits import is_guess
from frametally_videos.records import UploadRecord
from frametally_videos.settings import VideoSettings
from frametally_videos.upload_refusals import WOULD_MOVE_COUNTS, Refused
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


@dataclass
class StoreUploader:
    """Uploads files into the store and the catalogue of the settings, one after another."""

    ports: UploadPorts
    notes: UploadNotes
    patience: Patience
    should_stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self._acceptance = Acceptance(self.ports)

    def upload(self, clip: Clip, on_move: Moved) -> Uploaded:
        """Upload a file, waiting while the store or the catalogue is not available.

        Raises:
            Poison: The file is not a usable video; the message has the reason.
            Misconfigured: The store cannot be written, or is full.
            GivenUp: The command was stopped; the same call continues.
        """
        most_bytes = self.ports.settings.part(VideoSettings).upload_max_gb * 1e9
        if clip.size_bytes > most_bytes:
            raise Poison(
                f"{clip.file_name} has {clip.size_bytes / 1e9:.1f} GB, but at most {most_bytes / 1e9:g} GB "
                "are allowed: cut it, or raise FRAMETALLY_UPLOAD_MAX_GB"
            )
        if not clip.size_bytes:
            raise Poison(f"{clip.file_name} is empty, so it is not a video: choose another file")
        mark = self.notes.mark_of(clip, self.ports.store.url)
        try:
            accepted = self.patience.until_done(
                f"uploading {clip.file_name}", lambda: self._go_on(clip, mark, on_move)
            )
        except Refused as refusal:
            if refusal.status == WOULD_MOVE_COUNTS:  # the next call may confirm it
                raise Unconfirmed(f"{clip.file_name}: {refusal}") from refusal
            self.notes.forget(mark)
            raise Poison(f"{clip.file_name}: {refusal}") from refusal
        except Poison as error:
            upload = find_upload(self.ports.store, self.notes.get(mark) or "")
            if upload is not None:
                abort_upload(self.ports, upload, str(error))
            self.notes.forget(mark)
            raise
        self.notes.forget(mark)
        video, facts = accepted.video, accepted.video.facts
        needs_time = facts.started_at_ms is None
        remark = " ".join(filter(None, (accepted.remark, *facts.remarks)))
        return Uploaded(video.id, accepted.known, needs_time, not needs_time and is_guess(facts), remark)

    def _go_on(self, clip: Clip, mark: str, on_move: Moved) -> Accepted:
        upload = find_upload(self.ports.store, self.notes.get(mark) or "")
        if upload is None:
            upload = begin_upload(
                self.ports,
                kind="resumable",
                length_bytes=clip.size_bytes,
                file_name=clip.file_name,
                fields=clip.fields,
            )
            self.notes.put(mark, upload.id)
        elif clip.fields.move_counts:
            upload = confirm_move(self.ports, upload)
        sha256 = self._send(upload, clip, on_move)
        return self._acceptance.accept(upload, sha256)

    def _send(self, upload: UploadRecord, clip: Clip, on_move: Moved) -> str | None:
        """Send the missing bytes; return the SHA-256 of the file if this call read all of it."""
        if self.ports.store.head(keys.original_key(upload.video_id)) is not None:
            return None
        write = resume_write(self.ports.store, upload)
        offset = first = write.durable_bytes
        on_move(offset)
        digest = hashlib.sha256()
        with clip.open(offset) as file:
            reader = ClipReader(
                file, at_byte=offset, next_byte=clip.size_bytes, moved=on_move, should_stop=self.should_stop
            )
            while data := self._read(reader, write):
                write.append(data, at_byte=offset)
                if first == 0:
                    digest.update(data)
                if (offset + len(data)) // _KEEP_EVERY_BYTES > offset // _KEEP_EVERY_BYTES:
                    upload = keep_upload(self.ports, upload)
                    note_open(self.ports, upload)
                offset += len(data)
            clip.check(file)
        write.flush()
        return digest.hexdigest() if first == 0 else None

    def _read(self, reader: ClipReader, write: ResumableWrite) -> bytes:
        try:
            return reader.read(_READ_BYTES)
        except GivenUp:
            write.flush()
            raise
