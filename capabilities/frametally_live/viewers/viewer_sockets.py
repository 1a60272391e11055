"""`/ws/stream`: live frames and the boxes in them, each viewer at its own pace.

A viewer that acknowledges frames has two frames of credit, and then gets the newest. A viewer that only
listens gets the next frame when its socket has room, of the newest few. The server counts skipped frames.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from frametally.actions.problems import Problem
from frametally.errors import FrametallyError
from frametally.process.allowed_addresses import counted_as
from frametally.settings.loading import Settings
from frametally_live.viewers.relay import Channel, Relay
from frametally_live.viewers.result_pictures import FeedName
from frametally_live.viewers.viewer_messages import (
    CLOSED_BECAUSE,
    NO_STREAM,
    NO_VIDEO,
    Ack,
    EncodedFrame,
    Pause,
    PicturedResult,
    Resume,
    StreamTold,
    Wake,
)
from frametally_web.access.visitors import Visitor, set_visitor
from frametally_web.sockets.talking import NOT_ALLOWED, OVER, TOO_MANY, Judgement, close, hear, send, talk

STREAM_PATH = "/ws/stream"
_MOST_IN_ALL, _MOST_OF_ADDRESS = 500, 50
_CREDIT_FRAMES = 2
_MOST_OPEN = 100
"""Unacknowledged frames that are remembered; a viewer that only listens acknowledges none."""
_TELL_EVERY_S = 5.0
# Created once, before any thread starts: see `records.decode`.
_client_message = msgspec.json.Decoder(Ack | Pause | Resume)


class ViewerSockets:
    """An ASGI application of the viewers' WebSockets."""

    def __init__(self, relay: Relay, settings: Settings, check: Callable[[HTTPConnection], Visitor]) -> None:
        """Show the results from the log; `check` raises `Problem` if the requester may not watch."""
        self._check = check
        self._relay = relay
        self._counts = settings.counted_boxes().rule()
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """Number of open sockets."""
        return self._open.total()

    @property
    def is_watching(self) -> bool:
        """Whether anything is read for viewers."""
        return self._relay.is_at_work

    def close(self) -> None:
        """Stop reading for viewers."""
        self._relay.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket until its viewer leaves or is closed; `messages.CLOSED_BECAUSE` has the codes."""
        socket = WebSocket(scope, receive, send)
        await socket.accept()
        address = counted_as(_address_of(socket))
        code = await self._refusal(socket, address)
        if code is not None:
            await close(socket, code, CLOSED_BECAUSE)
            return
        self._open[address] += 1
        try:
            await self._answer(socket)
        finally:
            self._open[address] -= 1
            self._open += Counter()  # drops addresses without viewers

    async def _refusal(self, socket: WebSocket, address: str) -> int | None:
        try:
            set_visitor(await asyncio.to_thread(self._check, socket))
        except Problem:
            return NOT_ALLOWED
        if self._open[address] >= _MOST_OF_ADDRESS or self.open >= _MOST_IN_ALL:
            return TOO_MANY
        return None

    async def _answer(self, socket: WebSocket) -> None:
        question = _asked_for(socket.scope["query_string"])
        if question is None:
            await close(socket, NOT_ALLOWED, CLOSED_BECAUSE)
            return
        name, as_json = question
        try:
            channel = await self._relay.find(name)
        except LookupError:
            await close(socket, NO_VIDEO, CLOSED_BECAUSE)
        except FrametallyError:
            await close(socket, TOO_MANY, CLOSED_BECAUSE)
        else:
            if channel is None:
                await close(socket, NO_STREAM, CLOSED_BECAUSE)
                return
            wake = Wake()
            channel = self._relay.join(channel, wake)
            viewer = _Viewer(socket, channel, wake, self._encoded, as_json)
            try:
                hearing = hear(socket, _client_message, viewer.take)
                await talk(socket, viewer.tell(), hearing, CLOSED_BECAUSE)
            finally:
                self._relay.leave(channel, wake)

    def _encoded(self, channel: Channel, frame: PicturedResult) -> EncodedFrame:
        """Return a frame as a message, encoded once for all its viewers."""
        if channel.encoded is None or channel.encoded[0] != frame.n:
            header = channel.header(frame, filter(self._counts, frame.result.detections))
            channel.encoded = frame.n, EncodedFrame(header, frame.jpeg)
        return channel.encoded[1]


@dataclass(eq=False)
class _Viewer:
    """One socket: the frames that were sent to it, and its messages."""

    socket: WebSocket
    channel: Channel
    woken: Wake
    encoded: Callable[[Channel, PicturedResult], EncodedFrame]
    as_json: bool

    def __post_init__(self) -> None:
        self._open: deque[int] = deque(maxlen=_MOST_OPEN)
        self._acknowledges = False
        self._is_paused = False
        self._sent: int | None = None
        self._left_out = 0
        newest = self.channel.newest
        self._before = 0 if newest is None else newest.n  # earlier frames do not count as left out

    def take(self, message: Ack | Pause | Resume) -> Judgement:
        """Process a message; it must not acknowledge frames that were never sent."""
        judgement: Judgement = "more"
        if isinstance(message, Ack):
            if self._sent is None or not 0 < message.n <= self._sent:
                return "wrong"
            self._acknowledges = True
            while self._open and self._open[0] <= message.n:
                self._open.popleft()
                judgement = "answer"
        elif isinstance(message, Pause):
            self._is_paused = True
        elif self._is_paused:
            self._is_paused = False
            newest = self.channel.newest
            if newest is not None and self._sent is not None:  # earlier frames were not requested
                self._sent = max(self._sent, newest.n - 1)
        if self._next() is not None:  # usually there is no frame, and an `ack` must wake no task
            self.woken.set()
        return judgement

    async def tell(self) -> int:
        """Send everything new; return the code to close with."""
        last_report: StreamTold | None = None
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None  # for many frames: a timer for each wait is expensive
        try:
            while True:
                self.woken.clear()
                frame = self._next()
                if frame is not None and self.channel.is_over:  # its last frame
                    await self._send(frame)
                    continue
                # Read both before sending: if the stream ends now, the viewer learns it before the close.
                state, is_over = self.channel.told(), self.channel.is_over
                is_due = timer is None or loop.time() >= timer.when()
                if (
                    last_report is None
                    or is_due
                    or (state.state, state.reason) != (last_report.state, last_report.reason)
                ):
                    if timer is not None:
                        timer.cancel()
                    last_report, timer = state, loop.call_later(_TELL_EVERY_S, self.woken.set)
                    await send(self.socket, msgspec.json.encode(state).decode())
                if is_over:
                    return OVER
                if frame is not None:
                    await self._send(frame)
                    continue  # there may be another frame by now
                await self.woken.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _next(self) -> PicturedResult | None:
        """Return the frame that the viewer may get now."""
        frame = self.channel.newest
        if frame is not None and self._sent is not None and not self._acknowledges:
            frame = self.channel.after(self._sent)
        return frame if frame is not None and self._may_have(frame) else None

    def _may_have(self, frame: PicturedResult) -> bool:
        is_new = self._sent is None or frame.n > self._sent
        is_paced = self._acknowledges and not self.channel.is_over
        has_credit = not is_paced or len(self._open) < _CREDIT_FRAMES
        return is_new and not self._is_paused and has_credit

    async def _send(self, frame: PicturedResult) -> None:
        last = self._before if self._sent is None else self._sent
        self._left_out += max(frame.n - last - 1, 0)
        self._sent = frame.n
        self._open.append(frame.n)
        encoded = self.encoded(self.channel, frame)
        encode = encoded.as_text if self.as_json else encoded.as_bytes
        message = encode(sent_at_ms=round(time.time() * 1000), left_out=self._left_out)
        await send(self.socket, message)


def _asked_for(query: bytes) -> tuple[FeedName, bool] | None:
    """Return the requested feed, and whether as JSON; None if the address is not valid."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return None
    fields = dict(pairs)
    name = FeedName(fields.pop("video_id", ""), fields.pop("source", ""))
    shape = fields.pop("format", "")
    if fields or len({key for key, _ in pairs}) < len(pairs) or shape not in ("", "json"):
        return None
    if bool(name.video_id) == bool(name.source):
        return None
    return name, shape == "json"


def _address_of(socket: WebSocket) -> str:
    """Return a viewer's address: as reported by the proxy, if that is on one of our networks."""
    address = socket.client.host if socket.client else ""
    forwarded = socket.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(forwarded)) if ipaddress.ip_address(address).is_private else address
    except ValueError:
        return address
