"""Looks for what clients should be told: one task for all of them, while there is one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from typing import NamedTuple

from frametally.errors import FrametallyError
from frametally.process.retrying import OnceAMinute
from frametally_videos.ports.job_book import JobQuestion
from frametally_videos.ports.video_catalogue import VideoCatalogue, VideoQuestion
from frametally_videos.sockets.client_messages import JobTold, VideoTold, told_of_job, told_of_video

_LOG = logging.getLogger("frametally_web")
_LOOK_EVERY_S = 0.5
"""So nobody is told of one job more than twice a second."""
_MOST_THINGS = 1000


class ClientState(NamedTuple):
    """All of one client's: its videos and jobs by id, the newest first, at most a thousand of each."""

    videos: dict[str, VideoTold]
    jobs: dict[str, JobTold]


class Watcher:
    """Has what was seen last of each client that somebody listens for."""

    def __init__(self, catalogue: VideoCatalogue) -> None:
        """Look into this, as soon as somebody listens."""
        self._catalogue = catalogue
        self._once_a_minute = OnceAMinute(_LOG.warning)
        self._listeners: Counter[str] = Counter()
        self._seen: dict[str, ClientState] = {}
        self._version = ""
        self._turn: asyncio.Future[None] | None = None
        self._came: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_at_work(self) -> bool:
        """Whether there is a task."""
        return self._task is not None

    def join(self, client_id: str) -> None:
        """Look for one listener more; `leave` ends that."""
        self._listeners[client_id] += 1
        if self._task is None:
            self._turn = asyncio.get_running_loop().create_future()
            self._came = asyncio.Event()
            self._task = asyncio.create_task(self._watch())
        if self._came is not None:
            self._came.set()

    def leave(self, client_id: str) -> None:
        """Look for one listener less; after the last of a client nothing is kept of it."""
        self._listeners[client_id] -= 1
        if not self._listeners[client_id]:
            del self._listeners[client_id]
            self._seen.pop(client_id, None)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = self._turn = self._came = None
            self._version = ""

    async def next(self, client_id: str, before: ClientState | None, most_s: float) -> ClientState | None:
        """Return what is seen of a client as soon as it is another than before, or once `most_s` are over."""
        ends_s = asyncio.get_running_loop().time() + most_s
        while (seen := self._seen.get(client_id)) is before and self._turn is not None:
            left_s = ends_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            await asyncio.wait([self._turn], timeout=left_s)
        return seen

    async def _watch(self) -> None:
        assert self._came is not None  # noqa: S101 - for the type checker
        loop = asyncio.get_running_loop()
        due_s = 0.0
        while True:
            try:
                if loop.time() >= due_s:
                    due_s = loop.time() + _LOOK_EVERY_S
                    version = await asyncio.to_thread(self._catalogue.version)
                    asked = set(self._listeners) if version != self._version else set()
                    await self._look(asked)
                    self._version = version
                self._came.clear()
                await self._look(self._listeners.keys() - self._seen.keys())
            except FrametallyError as error:
                self._once_a_minute("catalogue", f"what clients should be told cannot be read: {error}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), max(0.0, due_s - loop.time()))

    async def _look(self, clients: set[str]) -> None:
        """See what there is of clients by now, and wake those who listen for it."""
        for client_id in clients:
            seen = await asyncio.to_thread(self._see, client_id)
            if client_id in self._listeners and seen != self._seen.get(client_id):
                self._seen[client_id] = seen
        if clients and self._turn is not None:
            turn, self._turn = self._turn, asyncio.get_running_loop().create_future()
            turn.set_result(None)

    def _see(self, client_id: str) -> ClientState:
        videos = self._catalogue.videos(VideoQuestion(client_id=client_id, limit=_MOST_THINGS)).rows
        jobs = self._catalogue.find_jobs(JobQuestion(client_id=client_id, limit=_MOST_THINGS)).jobs
        return ClientState(
            {row.record.id: told_of_video(row) for row in videos},
            {job.id: told_of_job(job) for job in jobs},
        )
