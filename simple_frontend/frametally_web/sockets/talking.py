"""The shared part of all WebSockets: allowed messages, their number, and closing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal, TypeVar

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from frametally_web.sockets.connections import take_at_once

SaidT = TypeVar("SaidT")
Judgement = Literal["answer", "more", "wrong"]
"""Whether a message is an answer, comes unasked, or does not fit the messages before it."""

_MOST_SAID_BYTES, _MOST_UNASKED_IN_SECOND = 1024, 100
MOST_MESSAGE_BYTES = 4 * _MOST_SAID_BYTES
"""Larger messages are not even read."""
OVER, NOT_TAKEN, NOT_ALLOWED, TOO_MANY = 1000, 1003, 1008, 1013


async def talk(
    socket: WebSocket,
    tell: Coroutine[Any, Any, int | None],
    hear: Coroutine[Any, Any, int | None],
    reasons: Mapping[int, str],
) -> None:
    """Send and receive until either ends, and close with its code; see `close`."""
    telling, hearing = asyncio.ensure_future(tell), asyncio.ensure_future(hear)
    try:
        await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        telling.cancel()
        hearing.cancel()
        ended = await asyncio.gather(telling, hearing, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
            raise result
    code = next((result for result in ended if isinstance(result, int)), None)
    if code is not None:
        await close(socket, code, reasons)


async def send(socket: WebSocket, message: str | bytes) -> None:
    """Send a text, or bytes. Raises `WebSocketDisconnect` if the client has gone."""
    try:
        await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))
    except RuntimeError as error:  # the server has given up a client that answers no ping
        raise WebSocketDisconnect(1011) from error


async def close(socket: WebSocket, code: int, reasons: Mapping[int, str]) -> None:
    """Close with a code and its reason (123 bytes at most), unless the client has already gone."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code, reasons.get(code))


async def hear(
    socket: WebSocket, messages: msgspec.json.Decoder[SaidT], take: Callable[[SaidT], Judgement]
) -> int | None:
    """Pass each client message to `take`, until the client leaves (None) or `take` returns a closing code.

    Answers are limited only by what was sent; the rate of all other messages is limited.

    Args:
        socket: The client's socket.
        messages: Decoder of the allowed messages; create it before any thread starts, see `records.decode`.
        take: Handles an allowed message.
    """
    loop = asyncio.get_running_loop()
    second_s, unasked = loop.time(), 0

    def judged(text: bytes) -> int | None:
        nonlocal second_s, unasked
        try:
            judgement = "wrong" if len(text) > _MOST_SAID_BYTES else take(messages.decode(text))
        except (msgspec.DecodeError, RecursionError):
            judgement = "wrong"
        if judgement == "wrong":
            return NOT_TAKEN
        if loop.time() - second_s >= 1.0:
            second_s, unasked = loop.time(), 0
        unasked += judgement == "more"
        return NOT_ALLOWED if unasked > _MOST_UNASKED_IN_SECOND else None

    take_at_once(socket, lambda text: judged(text) is None)  # a refused message is judged again below
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        code = judged((message.get("text") or "").encode())
        if code is not None:
            return code
    return None
