"""`/ws/{client_id}`: who uploaded videos by a client's id is told what becomes of them, and nobody else.

Nothing waits in memory for a slow client: what it is told next is what differs from what it was told last.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.sockets.client_messages import Hello, Ping, Pong
from frametally_videos.sockets.client_watch import ClientState, Watcher
from frametally_videos.upload_fields import CLIENT_ID
from frametally_web.access.visitors import Visitor, set_visitor
from frametally_web.requests.answers import Answer
from frametally_web.requests.problems import Problem
from frametally_web.sockets.talking import NOT_ALLOWED, TOO_MANY, close, hear, send, talk

_PATH = "/ws/"
_MOST_OF_CLIENT = 4
# Made once, before there are threads: see `records.decode`.
_pongs = msgspec.json.Decoder(Pong)


class ClientSockets:
    """An ASGI application of WebSockets alone."""

    def __init__(
        self,
        catalogue: VideoCatalogue,
        check: Callable[[HTTPConnection], Visitor],
        *,
        most: int,
        ping_every_s: float,
    ) -> None:
        """Tell of what is in the catalogue; `check` raises `Problem` for a request of who may not listen.

        There are so many sockets of all clients at `most`; each has a ping after `ping_every_s` of silence.
        """
        self._check = check
        self._most, self._ping_every_s = most, ping_every_s
        self._watcher = Watcher(catalogue)
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
        """Answer one, until its client goes or is sent away by a code.

        1003: it said what is none of its messages; 1008: it may not listen, names itself by what is no
        client's id, or says too much; 1013: there are too many.
        """
        socket = WebSocket(scope, receive, send)
        if not scope["path"].startswith(_PATH):
            await socket.close()  # which is a 403
            return
        await socket.accept()
        client_id = scope["path"].removeprefix(_PATH)
        code = await self._refusal(socket, client_id)
        if code is not None:
            await close(socket, code)
            return
        self._open[client_id] += 1
        self._watcher.join(client_id)
        try:
            await talk(socket, self._tell(socket, client_id), hear(socket, _pongs, lambda _: "more"))
        finally:
            self._watcher.leave(client_id)
            self._open[client_id] -= 1
            self._open += Counter()  # which forgets whom nobody listens for

    async def _refusal(self, socket: WebSocket, client_id: str) -> int | None:
        try:
            set_visitor(await asyncio.to_thread(self._check, socket))
        except Problem:
            return NOT_ALLOWED
        if not CLIENT_ID.fullmatch(client_id):
            return NOT_ALLOWED
        if self._open[client_id] >= _MOST_OF_CLIENT or self.open >= self._most:
            return TOO_MANY
        return None

    async def _tell(self, socket: WebSocket, client_id: str) -> None:
        told: ClientState | None = None
        while True:
            seen = await self._watcher.next(client_id, told, self._ping_every_s)
            if seen is None or seen is told:
                await _send(socket, Ping())
            elif told is None:
                videos, jobs = [*seen.videos.values()], [*seen.jobs.values()]
                await _send(socket, Hello(client_id=client_id, videos=videos, jobs=jobs))
            else:
                for message in _news(told, seen):
                    await _send(socket, message)
            told = seen


def _news(told: ClientState, seen: ClientState) -> list[Answer]:
    """Return what differs, each thing as it is now."""
    videos = [one for name, one in seen.videos.items() if told.videos.get(name) != one]
    jobs = [one for name, one in seen.jobs.items() if told.jobs.get(name) != one]
    gone = [one for name, one in told.videos.items() if name not in seen.videos]
    removed = [msgspec.structs.replace(one, state="removed", result_url=None) for one in gone]
    return [*jobs, *videos, *removed]


async def _send(socket: WebSocket, message: Answer) -> None:
    await send(socket, msgspec.json.encode(message).decode())
