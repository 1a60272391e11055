"""`/ws/{client_id}`: sends news of videos to the client that uploaded them, and to no one else.

Nothing waits in memory for a slow client: its next message is the difference from its last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from frametally.errors import FrametallyError
from frametally.process.retrying import OnceAMinute
from frametally_videos.catalogue.catalogue_rows import JobQuestion, VideoQuestion
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.sockets.client_messages import (
    CLOSED_BECAUSE,
    Hello,
    JobTold,
    Ping,
    Pong,
    VideoTold,
    told_of_job,
    told_of_video,
)
from frametally_videos.upload_fields import CLIENT_ID
from frametally_web.access.visitors import Visitor, set_visitor
from frametally_web.requests.answers import Answer
from frametally_web.requests.problems import Problem
from frametally_web.sockets.talking import NOT_ALLOWED, TOO_MANY, close, hear, send, talk

_LOG = logging.getLogger("frametally_web")
_LOOK_EVERY_S = 0.5
"""Each job is reported at most twice a second."""
_MOST_THINGS = 1000


class ClientState(NamedTuple):
    """All of one client's: its videos and jobs by id, the newest first, at most a thousand of each."""

    videos: dict[str, VideoTold]
    jobs: dict[str, JobTold]


class Watcher:
    """Holds the latest state of each client that listens."""

    def __init__(self, catalogue: VideoCatalogue) -> None:
        """Watch this catalogue, from the first listener on."""
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
        """Return the state of a client once it differs from the given one, or after `most_s`."""
        ends_s = asyncio.get_running_loop().time() + most_s
        while (state := self._seen.get(client_id)) is before and self._turn is not None:
            left_s = ends_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            await asyncio.wait([self._turn], timeout=left_s)
        return state

    async def _watch(self) -> None:
        assert self._came is not None  # noqa: S101 - for the type checker
        loop = asyncio.get_running_loop()
        due_s = 0.0
        while True:
            try:
                if loop.time() >= due_s:
                    due_s = loop.time() + _LOOK_EVERY_S
                    version = await asyncio.to_thread(self._catalogue.version)
                    clients = set(self._listeners) if version != self._version else set()
                    await self._look(clients)
                    self._version = version
                self._came.clear()
                await self._look(self._listeners.keys() - self._seen.keys())
            except FrametallyError as error:
                self._once_a_minute("catalogue", f"frametally cannot read the news for clients: {error}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._came.wait(), max(0.0, due_s - loop.time()))

    async def _look(self, clients: set[str]) -> None:
        """Read the clients' states, and wake their listeners."""
        for client_id in clients:
            state = await asyncio.to_thread(self._see, client_id)
            if client_id in self._listeners and state != self._seen.get(client_id):
                self._seen[client_id] = state
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


_PATH = "/ws/"
_MOST_OF_CLIENT = 4
# Made once, before there are threads: see `records.decode`.
_pongs = msgspec.json.Decoder(Pong)


@dataclass
class ClientSockets:
    """An ASGI application of WebSockets alone, at most so many of all clients.

    `check` raises `Problem` for a request that may not listen; `ping_every_s` is the silence before a ping.
    """

    catalogue: VideoCatalogue
    check: Callable[[HTTPConnection], Visitor]
    most: int
    ping_every_s: float

    def __post_init__(self) -> None:
        self._watcher = Watcher(self.catalogue)
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return self._open.total()

    @property
    def is_watching(self) -> bool:
        """Whether anything is looked for."""
        return self._watcher.is_at_work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a client, until it leaves or is sent away by a code.

        1003: it sent a message that does not exist; 1008: it may not listen, its client id is not
        valid, or it sends too much; 1013: there are too many.
        """
        socket = WebSocket(scope, receive, send)
        if not scope["path"].startswith(_PATH):
            await socket.close()  # which is a 403
            return
        await socket.accept()
        client_id = scope["path"].removeprefix(_PATH)
        code = await self._refusal(socket, client_id)
        if code is not None:
            await close(socket, code, CLOSED_BECAUSE)
            return
        self._open[client_id] += 1
        self._watcher.join(client_id)
        try:
            hearing = hear(socket, _pongs, lambda _: "more")
            await talk(socket, self._tell(socket, client_id), hearing, CLOSED_BECAUSE)
        finally:
            self._watcher.leave(client_id)
            self._open[client_id] -= 1
            self._open += Counter()  # which drops clients without listeners

    async def _refusal(self, socket: WebSocket, client_id: str) -> int | None:
        try:
            set_visitor(await asyncio.to_thread(self.check, socket))
        except Problem:
            return NOT_ALLOWED
        if not CLIENT_ID.fullmatch(client_id):
            return NOT_ALLOWED
        if self._open[client_id] >= _MOST_OF_CLIENT or self.open >= self.most:
            return TOO_MANY
        return None

    async def _tell(self, socket: WebSocket, client_id: str) -> None:
        last: ClientState | None = None
        while True:
            state = await self._watcher.next(client_id, last, self.ping_every_s)
            if state is None or state is last:
                await _send(socket, Ping())
            elif last is None:
                videos, jobs = [*state.videos.values()], [*state.jobs.values()]
                await _send(socket, Hello(client_id=client_id, videos=videos, jobs=jobs))
            else:
                for message in _news(last, state):
                    await _send(socket, message)
            last = state


def _news(last: ClientState, state: ClientState) -> list[Answer]:
    """Return what differs, each thing as it is now."""
    videos = [video for name, video in state.videos.items() if last.videos.get(name) != video]
    jobs = [job for name, job in state.jobs.items() if last.jobs.get(name) != job]
    lost_videos = [video for name, video in last.videos.items() if name not in state.videos]
    removed_videos = [
        msgspec.structs.replace(video, state="removed", result_url=None) for video in lost_videos
    ]
    return [*jobs, *videos, *removed_videos]


async def _send(socket: WebSocket, message: Answer) -> None:
    await send(socket, msgspec.json.encode(message).decode())
