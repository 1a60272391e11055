"""Writes a request's body into the store, piece by piece, hashed and within the limits."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import suppress

from frametally.actions.problems import Problem
from frametally.errors import FrametallyError, Retryable
from frametally.ports.object_store import PIECE_BYTES, NoRoom
from frametally.process import failpoints
from frametally_videos.records import UploadRecord
from frametally_videos.upload_routes.upload_limits import Limits
from frametally_videos.uploads.receiving import UploadPorts, keep_upload, note_open, resume_write

_CHUNK_BYTES, _AHEAD_BYTES = 2**20, 2**22
"""The bytes per write, and the most that wait while the store makes a piece durable."""

_SIGN_OF_LIFE_S = 30.0


class Hashing:
    """The SHA-256 of an upload's bytes up to a position."""

    def __init__(self) -> None:
        """Start without any bytes."""
        self.position = 0
        self._digest = hashlib.sha256()

    def update(self, data: bytes) -> None:
        """Hash the next bytes."""
        self._digest.update(data)
        self.position += len(data)

    def hexdigest(self) -> str:
        """Return the hash in hex."""
        return self._digest.hexdigest()


class Intake:
    """Receives an upload's bytes from its current position; for one thread at a time."""

    def __init__(
        self, ports: UploadPorts, limits: Limits, upload: UploadRecord, hashing: Hashing | None
    ) -> None:
        """Resume the write; `hashing` has the earlier bytes, if they were hashed.

        Raises:
            Retryable: The store is not available.
            Misconfigured: This user may not write there.
        """
        self._ports = ports
        self._limits = limits
        self.upload = upload
        self._write = resume_write(ports.store, upload)
        self.position = self._write.durable_bytes
        if hashing is None and self.position == 0:
            hashing = Hashing()
        self.hashing = hashing if hashing is not None and hashing.position == self.position else None
        self._told_at_s = time.monotonic()
        self._looked_for_room_at = self.position

    def append(self, data: bytes) -> None:
        """Write the next bytes.

        Raises:
            Problem: 413, the upload is too large; 507, there is no room left.
            Retryable: The store is not available; durable bytes stay.
        """
        self._limits.check_length(self.position + len(data))
        if self.position - self._looked_for_room_at >= PIECE_BYTES:
            self._looked_for_room_at = self.position
            self._limits.check_room()
        try:
            self._write.append(data, at_byte=self.position)
        except NoRoom as error:
            raise self._limits.no_room() from error
        failpoints.passing("upload.appended")
        self.position += len(data)
        if self.hashing is not None:
            self.hashing.update(data)
        if time.monotonic() - self._told_at_s >= _SIGN_OF_LIFE_S:
            self._told_at_s = time.monotonic()
            with suppress(Retryable):  # noted again soon, and not needed for the bytes
                note_open(self._ports, self.upload)
                self.upload = keep_upload(self._ports, self.upload)

    def flush(self) -> int:
        """Make the received bytes durable, and return their number. Raises the errors of `append`."""
        try:
            durable = self._write.flush()
        except NoRoom as error:
            raise self._limits.no_room() from error
        if durable != self.position:
            self.position, self.hashing = durable, None
        failpoints.passing("upload.flushed")
        return durable


async def take_in(body: AsyncIterator[bytes], intake: Intake, executor: Executor) -> None:
    """Receive a body, reading ahead while earlier bytes are written.

    If the body ends early, write the bytes that arrived, then raise the error that ended it. Raises the
    errors of `read_body` and `Intake.append`.
    """
    ahead = _WriteAhead(intake, executor)
    try:
        async for data in body:
            await ahead.put(data)
    except Exception:
        with suppress(FrametallyError, Problem):
            await ahead.done()
        raise
    await ahead.done()


class _WriteAhead:
    """Writes waiting parts in one thread at a time, until the first failure."""

    def __init__(self, intake: Intake, executor: Executor) -> None:
        self._intake = intake
        self._executor = executor
        self._parts: list[bytes] = []
        self._parts_bytes = 0
        self._writing: asyncio.Future[None] | None = None

    async def put(self, data: bytes) -> None:
        self._parts.append(data)
        self._parts_bytes += len(data)
        is_busy = self._writing is not None and not self._writing.done()
        if self._parts_bytes >= (_AHEAD_BYTES if is_busy else _CHUNK_BYTES):
            await self._write()

    async def done(self) -> None:
        await self._write()
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        if self._writing is not None:
            await self._writing  # raises an earlier failure
        if self._parts:
            parts, self._parts, self._parts_bytes = self._parts, [], 0
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(self._executor, self._append, parts)

    def _append(self, parts: list[bytes]) -> None:
        data = b"".join(parts)
        parts.clear()
        self._intake.append(data)
