"""Holds the state that all requests for uploads share: ports, limits, threads, turns, and acceptances."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from frametally.actions.problems import Problem
from frametally.errors import FrametallyError, Retryable
from frametally_videos.catalogue.catalogue_rows import UploadRow
from frametally_videos.records import UploadRecord
from frametally_videos.upload_refusals import WOULD_MOVE_COUNTS, Refused
from frametally_videos.upload_routes.request_body import Turns
from frametally_videos.upload_routes.upload_intake import Hashing, Intake
from frametally_videos.upload_routes.upload_limits import UPLOADS_IN_ALL, Limits
from frametally_videos.uploads.acceptance import Acceptance, Accepted, UploadSettler, is_whole
from frametally_videos.uploads.receiving import UploadPorts, find_upload
from frametally_web.access.visitors import visitor


class Accepting:
    """The acceptances that are under way in this process."""

    def __init__(self, acceptance: Acceptance, executor: Executor) -> None:
        """Start without acceptances."""
        self._acceptance = acceptance
        self._executor = executor
        self._under_way: dict[str, asyncio.Future[Accepted]] = {}

    def has(self, upload_id: str) -> bool:
        """Return whether an upload is becoming a video."""
        return upload_id in self._under_way

    def begin(self, upload: UploadRecord, sha256: str | None = None) -> asyncio.Future[Accepted]:
        """Start to make a video from an upload, unless started; it continues if the client disconnects."""
        acceptance = self._under_way.get(upload.id)
        if acceptance is None:
            loop = asyncio.get_running_loop()
            acceptance = loop.run_in_executor(self._executor, self._acceptance.accept, upload, sha256)
            self._under_way[upload.id] = acceptance
            acceptance.add_done_callback(lambda future: self._end(upload.id, future))
        return acceptance

    async def until_done(self, upload: UploadRecord, sha256: str | None = None) -> Accepted:
        """Return the video of an upload.

        Raises:
            Problem: It was refused, or a server is not available now, and the video will be made later.
        """
        try:
            return await asyncio.shield(self.begin(upload, sha256))
        except Refused as refusal:
            raise refused_problem(refusal) from refusal
        except Retryable as error:
            raise Problem(
                503,
                "All bytes have arrived, but a server is not responding: the upload will become a video a "
                "little later.",
                remedy=f"Request /api/v1/uploads/{upload.id} to see the result.",
            ) from error

    def _end(self, upload_id: str, future: asyncio.Future[Accepted]) -> None:
        self._under_way.pop(upload_id, None)
        error = None if future.cancelled() else future.exception()
        if isinstance(error, FrametallyError):
            _log.warning("upload %s: %s", upload_id, error)
        elif error is not None:
            _log.error("upload %s", upload_id, exc_info=error)


def refused_problem(refusal: Refused) -> Problem:
    """Return the problem of a refused upload."""
    parameter = "move_counts" if refusal.status == WOULD_MOVE_COUNTS else None
    return Problem(refusal.status, refusal.reason, remedy=refusal.remedy, parameter=parameter)


T = TypeVar("T")

_log = logging.getLogger(__name__)

_SETTLE_EVERY_S = 30.0
_LAST_SETTLING_S = 10.0
_SPARE_THREADS = 8
_MOST_HASHES = 1000


class UploadPlace:
    """The uploads of one dashboard."""

    def __init__(self, ports: UploadPorts) -> None:
        self.ports = ports
        self.limits = Limits(ports)
        # A separate pool, so that other requests do not wait until an upload's bytes are on the disk.
        self.executor = ThreadPoolExecutor(UPLOADS_IN_ALL + _SPARE_THREADS, "upload")
        self.turns = Turns()
        acceptance = Acceptance(ports)
        self.accepting = Accepting(acceptance, self.executor)
        self.receiving: dict[str, Intake] = {}
        """Intakes that are receiving bytes, by the upload's ID."""
        self._hashes: OrderedDict[str, Hashing] = OrderedDict()
        self._settler = UploadSettler(acceptance, _log.warning, is_busy=self._is_busy)
        self._settling: threading.Thread | None = None
        self._is_closed = threading.Event()

    def start(self) -> None:
        """Finish the work of killed processes, now and regularly."""
        self._settling = threading.Thread(target=self._settle, name="uploads left over", daemon=True)
        self._settling.start()

    def close(self) -> None:
        """Stop the background work; the pool's threads end when nothing refers to this object any more."""
        self._is_closed.set()
        if self._settling is not None:
            self._settling.join(_LAST_SETTLING_S)

    async def run(self, work: Callable[..., T], *args: object) -> T:
        """Run `work` in a thread for uploads; return its result."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, work, *args)

    async def find(self, upload_id: str) -> tuple[UploadRecord | None, UploadRow | None]:
        """Return an upload's record, while it is under way, and its row in the catalogue.

        Raises:
            Problem: 403, another account began it, and the visitor lacks the right `run`.
        """

        def find_both() -> tuple[UploadRecord | None, UploadRow | None]:
            upload = find_upload(self.ports.store, upload_id)
            # In this order, since an upload's end is noted before its record is removed.
            return upload, self.ports.catalogue.upload(upload_id)

        upload, row = await self.run(find_both)
        if upload is not None and upload.owner not in ("", visitor().name) and not visitor().may("run"):
            raise Problem(
                403,
                f"This upload belongs to {upload.owner}.",
                remedy="Upload the file again, or ask an administrator.",
            )
        return upload, row

    async def is_whole(self, upload: UploadRecord) -> bool:
        """Return whether all bytes of an upload have arrived."""
        return await self.run(is_whole, self.ports.store, upload)

    async def open_intake(self, upload: UploadRecord) -> Intake:
        """Return the intake of an upload's bytes, at its current position."""
        hashing = self._hashes.pop(upload.id, None)
        return await self.run(Intake, self.ports, self.limits, upload, hashing)

    def keep_hashing(self, intake: Intake) -> None:
        """Keep an upload's hash so far for the next request with its bytes."""
        if intake.hashing is not None:
            self._hashes[intake.upload.id] = intake.hashing
            while len(self._hashes) > _MOST_HASHES:
                self._hashes.popitem(last=False)

    def forget_hashing(self, upload_id: str) -> None:
        """Discard an upload's hash so far."""
        self._hashes.pop(upload_id, None)

    def _is_busy(self, upload_id: str) -> bool:
        return self.turns.has(upload_id) or self.accepting.has(upload_id)

    def _settle(self) -> None:
        patiently = False
        while not self._is_closed.is_set():
            try:
                self._settler.settle(patiently=patiently)
                patiently = True
            except FrametallyError as error:
                _log.warning("uploads left over: %s", error)
            self._is_closed.wait(_SETTLE_EVERY_S)
