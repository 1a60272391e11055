"""What goes over an RTSP connection, piece by piece: texts, and packets between them (RFC 2326, 10.12)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from frametally_live.cameras.failures import CameraAway

_MOST_HEAD_BYTES, _MOST_BODY_BYTES = 64 << 10, 1 << 20
_END_OF_HEAD = b"\r\n\r\n"
_FIRST_LINE = re.compile(rb"RTSP/\d\.\d (\d{3})([^\r\n]*)|[A-Z_]{1,30} [^\r\n]{1,4000} RTSP/\d\.\d")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
_DOLLAR, _FRAME_HEAD_BYTES = 0x24, 4


class RtspText(NamedTuple):
    """A request or an answer.

    Attributes:
        status: Of an answer; 0 of a request.
        phrase: Of an answer: what the status means.
        head: First line and headers, with the empty line after them.
        body: What follows.
    """

    status: int
    phrase: str
    head: bytes
    body: bytes


class RtspPacket(NamedTuple):
    """A packet between texts: RTP on even channels, RTCP on odd ones."""

    channel: int
    data: bytes

    @property
    def framed(self) -> bytes:
        """The packet as it goes over the connection."""
        return bytes((_DOLLAR, self.channel)) + len(self.data).to_bytes(2, "big") + self.data


class RtspPieces:
    """Cuts one direction of a connection into its pieces; what is no RTSP, or never ends, is refused."""

    def __init__(self) -> None:
        """Wait for the first piece."""
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[RtspText | RtspPacket]:
        """Yield the pieces that are whole with `data`.

        Raises:
            CameraAway: It is none of RTSP.
        """
        self._waiting += data
        while (piece := self._next()) is not None:
            yield piece

    def _next(self) -> RtspText | RtspPacket | None:
        waiting = self._waiting
        if not waiting:
            return None
        if waiting[0] == _DOLLAR:
            if len(waiting) < _FRAME_HEAD_BYTES:
                return None
            end = _FRAME_HEAD_BYTES + int.from_bytes(waiting[2:4], "big")
            if len(waiting) < end:
                return None
            packet = RtspPacket(waiting[1], bytes(waiting[_FRAME_HEAD_BYTES:end]))
            del waiting[:end]
            return packet
        return self._next_text()

    def _next_text(self) -> RtspText | None:
        waiting = self._waiting
        head_end = waiting.find(_END_OF_HEAD, 0, _MOST_HEAD_BYTES)
        if head_end < 0:
            if len(waiting) >= _MOST_HEAD_BYTES:
                raise CameraAway("sends a header that never ends")
            if not chr(waiting[0]).isalpha():
                raise CameraAway("answers what is no RTSP: check port and scheme")
            return None
        head = bytes(waiting[: head_end + len(_END_OF_HEAD)])
        first = _FIRST_LINE.match(head)
        if first is None:
            raise CameraAway("answers what is no RTSP: check port and scheme")
        length = _LENGTH.search(head)
        body_bytes = int(length[1]) if length else 0
        if body_bytes > _MOST_BODY_BYTES:
            raise CameraAway(f"describes itself by {body_bytes} bytes, which is too much")
        if len(waiting) < len(head) + body_bytes:
            return None
        body = bytes(waiting[len(head) : len(head) + body_bytes])
        del waiting[: len(head) + body_bytes]
        return RtspText(int(first[1] or 0), (first[2] or b"").decode("ascii", "replace").strip(), head, body)
