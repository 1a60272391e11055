"""Makes complete uploads into videos, each once at a time, however many requests wait for it."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor

from frametally.errors import FrametallyError, Retryable
from frametally_videos.records import UploadRecord
from frametally_videos.upload_refusals import (
    CHECKSUM_MISMATCH,
    MOVE_REMEDY,
    WOULD_MOVE_COUNTS,
    Refused,
)
from frametally_videos.uploads.acceptance import Acceptance, Accepted
from frametally_web.requests.problems import Problem

_log = logging.getLogger(__name__)

_REMEDIES = {
    WOULD_MOVE_COUNTS: MOVE_REMEDY,
    415: "Choose a video file, such as MP4, MOV, MKV, WebM or AVI.",
    422: "Choose another file, or export this one again from a video editor.",
    CHECKSUM_MISMATCH: "Upload it again.",
}


class Accepting:
    """The acceptances that are under way in this process."""

    def __init__(self, acceptance: Acceptance, executor: Executor) -> None:
        """None is."""
        self._acceptance = acceptance
        self._executor = executor
        self._under_way: dict[str, asyncio.Future[Accepted]] = {}

    def has(self, upload_id: str) -> bool:
        """Return whether an upload is just becoming a video."""
        return upload_id in self._under_way

    def begin(self, upload: UploadRecord, sha256: str | None = None) -> asyncio.Future[Accepted]:
        """Begin to make a video of an upload, unless that was begun; it continues if the client hangs up."""
        acceptance = self._under_way.get(upload.id)
        if acceptance is None:
            loop = asyncio.get_running_loop()
            acceptance = loop.run_in_executor(self._executor, self._acceptance.accept, upload, sha256)
            self._under_way[upload.id] = acceptance
            acceptance.add_done_callback(lambda future: self._end(upload.id, future))
        return acceptance

    async def until_done(self, upload: UploadRecord, sha256: str | None = None) -> Accepted:
        """Return what an upload becomes.

        Raises:
            Problem: It was refused; or it cannot be done now, and will be done later.
        """
        try:
            return await asyncio.shield(self.begin(upload, sha256))
        except Refused as refusal:
            raise refused_problem(refusal.status, refusal.reason) from refusal
        except Retryable as error:
            raise Problem(
                503,
                "All bytes have arrived, but a server is not available: it becomes a video a little later.",
                remedy=f"Ask /api/v1/uploads/{upload.id} how it ended.",
            ) from error

    def _end(self, upload_id: str, future: asyncio.Future[Accepted]) -> None:
        self._under_way.pop(upload_id, None)
        error = None if future.cancelled() else future.exception()
        if isinstance(error, FrametallyError):
            _log.warning("upload %s: %s", upload_id, error)
        elif error is not None:
            _log.error("upload %s", upload_id, exc_info=error)


def refused_problem(status: int, reason: str) -> Problem:
    """Return the answer to a client whose upload was refused."""
    parameter = "move_counts" if status == WOULD_MOVE_COUNTS else None
    return Problem(status, reason, remedy=_REMEDIES.get(status, "Choose another file."), parameter=parameter)
