"""Uploading to a running dashboard by tus 1.0: what was cut goes on, by this command or the same again."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.process.retrying import Patience, a_few_times
from frametally_videos.commands.dashboard_client import Dashboard, DashboardAnswer, fault
from frametally_videos.commands.upload_clip import Clip, ClipReader, Moved, Unconfirmed, Uploaded
from frametally_videos.commands.upload_notes import UploadNotes
from frametally_videos.upload_refusals import MOVE_REMEDY, WOULD_MOVE_COUNTS

PIECE_BYTES = 64 * 2**20
"""Sent in one request: between two of them the server has said that all before is on its disk."""

_UPLOADS = "/api/v1/uploads"
_TUS = {"Tus-Resumable": "1.0.0"}
_BYTES = "application/offset+octet-stream"
_CONFIRMED = "move_counts dHJ1ZQ=="
"""`true` in Base64."""


class TusUploader:
    """Uploads files to one dashboard, one after the other."""

    def __init__(
        self, server: Dashboard, notes: UploadNotes, patience: Patience, should_stop: Callable[[], bool]
    ) -> None:
        """Ask whether it takes uploads at all.

        Raises:
            Misconfigured: Nothing answers there, or no dashboard that takes uploads.
        """
        self._server = server
        self._notes = notes
        self._patience = patience
        self._should_stop = should_stop
        try:
            answer = a_few_times(lambda: server.ask("OPTIONS", _UPLOADS), tries=4)
        except Retryable as error:
            raise Misconfigured(f"{error}") from error
        if answer.status >= 300 or "1.0.0" not in answer.headers.get("tus-version", ""):
            raise fault(server, answer if answer.status >= 300 else answer._replace(status=404), "")

    def upload(self, clip: Clip, moved: Moved) -> Uploaded:
        """Upload a file, waiting while the dashboard is away.

        Raises:
            Poison: The dashboard does not take this file; the line says why.
            Misconfigured: It takes none.
            GivenUp: A stop was asked for; the same call goes on.
        """
        mark = self._notes.mark_of(clip, self._server.url)
        try:
            uploaded = self._patience.until_done(
                f"uploading {clip.file_name}", lambda: self._go_on(clip, mark, moved)
            )
        except Unconfirmed:  # the next call may confirm it
            raise
        except Poison:
            self._give_up(mark)
            raise
        self._notes.forget(mark)
        return uploaded

    def _give_up(self, mark: str) -> None:
        """Remove what came of an upload that never ends well; what was refused is gone already."""
        path = self._notes.get(mark)
        if path is not None:
            with suppress(FrametallyError):  # it expires
                self._server.ask("DELETE", path, _TUS)
        self._notes.forget(mark)

    def _go_on(self, clip: Clip, mark: str, moved: Moved) -> Uploaded:
        path = self._notes.get(mark)
        answer = self._where_it_stands(path, clip) if path else None
        if answer is None:
            path = self._begin(clip)
            self._notes.put(mark, path)
            offset = 0
        elif "frametally-video" in answer.headers:
            return self._uploaded(answer, path)
        else:
            offset = _offset(answer)
        assert path is not None  # noqa: S101 - for the type checker
        moved(offset)
        with clip.open(offset) as file:
            while True:
                clip.check(file)
                piece = ClipReader(
                    file,
                    at_byte=offset,
                    next_byte=min(offset + PIECE_BYTES, clip.size_bytes),
                    moved=moved,
                    should_stop=self._should_stop,
                )
                stands = {"Upload-Offset": str(offset), "Content-Type": _BYTES}
                if clip.fields.move_counts:  # it may have been begun without
                    stands["Upload-Metadata"] = _CONFIRMED
                answer = self._server.ask("PATCH", path, _TUS | stands, body=piece)
                if answer.status != 204:
                    error = self._fault(answer, path, clip)
                    if clip.fields.move_counts and isinstance(error, Unconfirmed):
                        self._notes.forget(mark)
                        error = self._begins_anew(clip)
                    raise error
                if "frametally-video" in answer.headers:
                    return self._uploaded(answer, path)
                if offset == clip.size_bytes:
                    raise Retryable(f"{self._server.url}: {clip.file_name} is there, and no video yet")
                offset = _offset(answer)
                file.seek(offset)

    def _begin(self, clip: Clip) -> str:
        answer = self._server.ask(
            "POST",
            _UPLOADS,
            _TUS | {"Upload-Length": str(clip.size_bytes), "Upload-Metadata": _metadata(clip)},
        )
        if answer.status != 201:
            raise fault(self._server, answer, clip.file_name)
        # The path alone: a proxy in between may call itself otherwise.
        path = urlsplit(answer.headers.get("location", "")).path.removeprefix(self._server.folder)
        if not path.startswith("/"):
            raise Misconfigured(f"{self._server.url} does not say where to upload to: is it a dashboard?")
        return path

    def _where_it_stands(self, path: str, clip: Clip) -> DashboardAnswer | None:
        """Return how far an upload is; None if it is over without an end, and has to begin anew."""
        answer = self._server.ask("HEAD", path, _TUS)
        if answer.status == 200:
            return answer
        error = self._fault(answer, path, clip)
        if clip.fields.move_counts and isinstance(error, Unconfirmed):  # its bytes wait for this word
            return answer._replace(headers={"upload-offset": str(clip.size_bytes)})
        if answer.status in (404, 410) and not isinstance(error, Poison):
            return None
        raise error

    def _fault(self, answer: DashboardAnswer, path: str, clip: Clip) -> FrametallyError:
        """Return what an answer means; where the upload is over, how it ended is asked."""
        if answer.status in (404, 410):
            told = self._server.ask("GET", path).said
            if told.get("state") == "refused":
                line = f"{clip.file_name}: {told.get('reason') or 'refused'}"
                if told.get("status") == WOULD_MOVE_COUNTS:
                    return Unconfirmed(f"{line} {MOVE_REMEDY}")
                return Poison(line)
            return self._begins_anew(clip)
        if answer.status in (409, 423):
            return Retryable(f"{self._server.url}: {clip.file_name} stands at another byte, or is being sent")
        return fault(self._server, answer, clip.file_name)

    def _begins_anew(self, clip: Clip) -> Retryable:
        return Retryable(f"{self._server.url}: the upload of {clip.file_name} is over; it begins anew")

    def _uploaded(self, answer: DashboardAnswer, path: str | None) -> Uploaded:
        video_id = answer.headers["frametally-video"]
        video, upload = {}, {}
        with suppress(FrametallyError):  # it is there; only its page will say what it needs
            video = self._server.ask("GET", f"/api/v1/videos/{video_id}").said
            upload = self._server.ask("GET", path).said if path else {}
        known = answer.headers.get("frametally-known") == "true"
        return Uploaded(
            video_id,
            known,
            video.get("state") == "needs_time",
            video.get("time_is_guess") is True,
            str(upload.get("reason") or ""),
        )


def _offset(answer: DashboardAnswer) -> int:
    text = answer.headers.get("upload-offset", "")
    if not text.isdecimal():
        raise Retryable(f"an answer without Upload-Offset ({answer.status})")
    return int(text)


def _metadata(clip: Clip) -> str:
    def pairs() -> Iterator[tuple[str, str]]:
        yield "filename", clip.file_name
        for name, value in msgspec.to_builtins(clip.fields).items():
            yield name, json.dumps(value) if isinstance(value, dict | bool) else str(value)

    return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in pairs())
