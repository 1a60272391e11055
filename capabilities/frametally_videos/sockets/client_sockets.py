"""`/ws/{client_id}`: sends news of videos only to the client that uploaded them.

No messages wait in memory for slow clients: the next message has the changes since the last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from frametally.actions.answers import Answer, answer_of
from frametally.actions.problems import Problem
from frametally.errors import FrametallyError
from frametally.process.retrying import OnceAMinute
from frametally_videos.catalogue.catalogue_rows import (
    Job,
    JobKind,
    JobQuestion,
    JobState,
    VideoQuestion,
    VideoRow,
)
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.library_answers import playable_of
from frametally_videos.upload_fields import CLIENT_ID
from frametally_web.access.visitors import Visitor, set_visitor
from frametally_web.api.asyncapi import AsyncChannel, AsyncChannels, Message, Operation, codes
from frametally_web.sockets.talking import NOT_ALLOWED, TOO_MANY, close, hear, send, talk


class JobTold(Answer, frozen=True, kw_only=True, tag_field="type", tag="job"):
    """The state of a job of one of the client's videos.

    Attributes:
        video_id: UUID of the video.
        file_id: The same UUID as `id`.
        job_id: Names the job.
        kind: The kind of job.
        state: State of the job.
        progress: 0 to 1; null if unknown.
        attempt: How often it was begun.
        reason: Why it failed, or waits for another attempt; null otherwise.
        result_url: Address of its result; null before it is done, or if it has none.
    """

    video_id: str
    file_id: str
    job_id: str
    kind: JobKind
    state: JobState
    progress: float | None
    attempt: int
    reason: str | None
    result_url: str | None


class VideoTold(Answer, frozen=True, kw_only=True, tag_field="type", tag="video"):
    """The progress of one of the client's videos.

    Attributes:
        video_id: UUID of the video.
        file_id: The same UUID as `id`.
        name: Its display name.
        state: Its state; `removed` once it was deleted.
        reason: Why it is in this state; null if there is nothing to say.
        progress: Progress of a running job, 0 to 1; null if no job is running, or if unknown.
        result_url: Address where it plays; null if it does not yet.
    """

    video_id: str
    file_id: str
    name: str
    state: str
    reason: str | None
    progress: float | None
    result_url: str | None


class Hello(Answer, frozen=True, kw_only=True, tag_field="type", tag="hello"):
    """The first message: all there is of the client's.

    Attributes:
        client_id: As it asked.
        videos: Its videos, the newest first.
        jobs: Their jobs, the newest first.
    """

    client_id: str
    videos: list[VideoTold]
    jobs: list[JobTold]


class Ping(Answer, frozen=True, kw_only=True, tag_field="type", tag="ping"):
    """Nothing has happened, and the server is still there."""


class Pong(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a client may say.

    Attributes:
        type: `pong`.
    """

    type: Literal["pong"]


CLOSED_BECAUSE = {
    1003: "the client sent an unknown message",
    1008: "this client, site or server name is not allowed, the client ID is not valid, or it sent too much",
    1009: "the message is larger than allowed",
    1013: "the client already has four open connections, or all clients have too many",
}
"""Reasons for closing a socket, by code."""


def told_of_video(row: VideoRow) -> VideoTold:
    """Return the message about the state of a video."""
    plays = row.artifact("enhanced") is not None or playable_of(row) is not None
    result_url = f"/processed_videos/{row.record.id}" if plays else None
    ids = {"video_id": row.record.id, "file_id": row.record.id}
    return answer_of(VideoTold, (row, row.record), **ids, result_url=result_url)


def told_of_job(job: Job) -> JobTold:
    """Return the message about the state of a job."""
    results = {
        "enhance": f"/processed_videos/{job.video_id}",
        "playable": f"/processed_videos/{job.video_id}",
        "metadata": f"/metadata/{job.video_id}.json",
        "checks": f"/api/v1/videos/{job.video_id}/quality",
        "previews": f"/api/v1/videos/{job.video_id}/poster",
    }
    result_url = results.get(job.kind) if job.state == "done" else None
    return answer_of(
        JobTold, (job,), file_id=job.video_id, job_id=job.id, attempt=job.attempts, result_url=result_url
    )


class NewLibrary(Answer, frozen=True, kw_only=True):
    """Something has changed that the library of videos shows.

    Attributes:
        version: Another one than before.
    """

    version: str


_TOLD = (
    Message("hello", Hello, "The first message: all videos and jobs of the client."),
    Message("job", JobTold, "A job that has changed, as it is now; at most twice per second."),
    Message("video", VideoTold, "A video that has changed, as it is now; at most twice per second."),
    Message("ping", Ping, "After 20 s without news."),
)
_HEARD = (Message("pong", Pong, "An answer to `ping`; optional."),)

CHANNELS = AsyncChannels(
    channels=[
        AsyncChannel(
            "client",
            "/ws/{client_id}",
            "Progress of a client's videos",
            "A WebSocket for a client that uploads with a `client_id`; it reports only that client's "
            f"videos. {codes(CLOSED_BECAUSE)}",
            [
                Operation("tell_client", "send", "The server sends a client news of its videos.", _TOLD),
                Operation("hear_client", "receive", "Messages that a client may send.", _HEARD),
            ],
            {
                "client_id": {
                    "description": "The client ID that the uploads give: 1 to 64 letters, digits, `-` "
                    "and `_`, but not `stream`.",
                    "examples": ["client-1234"],
                }
            },
        )
    ],
    events=[
        Message(
            "videos",
            NewLibrary,
            "The version of the video library: at the start, and when it changes.",
        )
    ],
)


_LOG = logging.getLogger("frametally_web")
_LOOK_EVERY_S = 0.5
"""Each job is reported at most twice a second."""
_MOST_THINGS = 1000


class ClientState(NamedTuple):
    """A client's videos and jobs by ID, newest first, at most a thousand of each."""

    videos: dict[str, VideoTold]
    jobs: dict[str, JobTold]


class Watcher:
    """Holds the latest state of each listening client."""

    def __init__(self, catalogue: VideoCatalogue) -> None:
        """Prepare to watch this catalogue; the first listener starts the watching."""
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
        """Whether the client is watching."""
        return self._task is not None

    def join(self, client_id: str) -> None:
        """Add a listener of a client, until `leave`."""
        self._listeners[client_id] += 1
        if self._task is None:
            self._turn = asyncio.get_running_loop().create_future()
            self._came = asyncio.Event()
            self._task = asyncio.create_task(self._watch())
        if self._came is not None:
            self._came.set()

    def leave(self, client_id: str) -> None:
        """Remove a listener of a client, and the client's state with its last listener."""
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
# Created before any threads start; see `records.decode`.
_pongs = msgspec.json.Decoder(Pong)


@dataclass
class ClientSockets:
    """An ASGI application for WebSockets, at most `most` in total.

    `check` raises `Problem` for requests that may not listen; `ping_every_s` is the silence before a ping.
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
        """The number of open sockets."""
        return self._open.total()

    @property
    def is_watching(self) -> bool:
        """Whether the client is watching the catalogue."""
        return self._watcher.is_at_work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a client until it leaves or its socket is closed with a code.

        1003: it sent an unknown message; 1008: it may not listen, its client ID is not valid, or it sends too
        much; 1013: there are too many sockets.
        """
        socket = WebSocket(scope, receive, send)
        if not scope["path"].startswith(_PATH):
            await socket.close()  # sends a 403
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
            self._open += Counter()  # drops clients without sockets

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
    """Return messages with the current state of each job and video that changed."""
    videos = [video for name, video in state.videos.items() if last.videos.get(name) != video]
    jobs = [job for name, job in state.jobs.items() if last.jobs.get(name) != job]
    lost_videos = [video for name, video in last.videos.items() if name not in state.videos]
    removed_videos = [
        msgspec.structs.replace(video, state="removed", result_url=None) for video in lost_videos
    ]
    return [*jobs, *videos, *removed_videos]


async def _send(socket: WebSocket, message: Answer) -> None:
    await send(socket, msgspec.json.encode(message).decode())
