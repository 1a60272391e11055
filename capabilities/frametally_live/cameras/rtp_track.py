"""Orders the RTP packets of one track for FFmpeg, and marks missing packets.

After a loss, FFmpeg reads on and shows the rest; only its log reports the loss. The mark is a NAL unit of
filler data (H.264 7.3.2.7, H.265 7.3.2.8), which decoders ignore; `gap_in` finds it in a packet from FFmpeg.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

_MODULUS = 1 << 16
_MOST_AHEAD, _MOST_BEHIND = 3000, 100
_HEAD_BYTES, _VERSION = 12, 2
_MOST_HELD, _HELD_S = 32, 0.1
"""How many later packets are held, and how long, for a missing packet that may only be late."""
_CODE = re.compile(rb"^a=rtpmap:(\d{1,3}) (H264|H265)/", re.IGNORECASE | re.MULTILINE)
_MARKS = {False: b"frametally: packets are missing", True: b"frametally: a beginning is missing"}


class LostPackets:
    """Counts the missing packets of one stream; late or repeated packets are not losses."""

    def __init__(self) -> None:
        """Wait for the first packet."""
        self._before = 0
        self._base: int | None = None
        self._sender = b""
        self._highest = self._received = 0

    @property
    def count(self) -> int:
        """Packets that are missing so far."""
        return self._before + self._missing()

    def pass_over(self, packet: bytes) -> None:
        """Count the next packet as it arrived, by the number in its header."""
        if not is_rtp(packet):
            return
        number, sender = int.from_bytes(packet[2:4], "big"), packet[8:12]
        ahead = (number - self._highest) % _MODULUS
        is_near = ahead < _MOST_AHEAD or ahead >= _MODULUS - _MOST_BEHIND
        if self._base is None or sender != self._sender or not is_near:
            # Another or a restarted sender: its losses are unknown.
            self._before += self._missing()
            self._base = self._highest = number
            self._sender, self._received = sender, 0
        elif ahead < _MOST_AHEAD:
            self._highest += ahead
        self._received += 1

    def _missing(self) -> int:
        return 0 if self._base is None else max(0, self._highest - self._base + 1 - self._received)


class _Code(NamedTuple):
    """How a codec encodes the type of its NAL units, in the first byte (shifted), and packs them into RTP.

    `before`: types that begin a picture; FFmpeg ends the previous picture at such a unit.
    """

    shift: int
    mask: int
    header_bytes: int
    slices: range
    before: frozenset[int]
    filler: int
    together: int
    part: int

    def kind_of(self, unit: bytes | bytearray, offset: int = 0) -> int:
        return unit[offset] >> self.shift & self.mask

    def as_filler(self, packet: bytearray, offset: int) -> None:
        packet[offset] = packet[offset] & ~(self.mask << self.shift) | self.filler << self.shift

    def is_begun_by(self, payload: bytes) -> bool:
        """Return whether a picture begins with this payload, so that nothing is missing before it."""
        kind, offset = self.kind_of(payload), self.header_bytes
        if kind == self.together:
            return self.is_begun_by(payload[offset + 2 :]) if len(payload) > offset + 2 else False
        if kind == self.part:
            if not payload[offset : offset + 1] or not payload[offset] & 0x80:  # not the first part of a unit
                return False
            kind, offset = payload[offset] & self.mask, offset + 1
        return kind in self.before or (
            kind in self.slices and bool(payload[offset : offset + 1]) and payload[offset] >= 0x80
        )


_CODES = {
    b"H264": _Code(0, 0x1F, 1, range(1, 6), frozenset({6, 7, 8, 9}), 12, 24, 28),
    b"H265": _Code(1, 0x3F, 2, range(32), frozenset({32, 33, 34, 35, 39}), 38, 48, 49),
}


def codes_of(description: bytes) -> dict[int, bytes]:
    """Return the codec of each payload type of a session's description (SDP), if it predicts pictures."""
    return {int(kind): code.upper() for kind, code in _CODE.findall(description)}


def gap_in(packet: bytes) -> bool | None:
    """Return whether the gap in or after a packet from FFmpeg may include the start of the next picture.

    Return None if no packet is missing.
    """
    return next((is_beginning for is_beginning, mark in reversed(_MARKS.items()) if mark in packet), None)


def is_rtp(packet: bytes) -> bool:
    """Return whether a packet has an RTP header."""
    return len(packet) >= _HEAD_BYTES and packet[0] >> 6 == _VERSION


class RtpTrack:
    """The packets of one track; see `pass_on`."""

    def __init__(
        self, codes: Mapping[int, bytes], *, is_ordered: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start without packets; `codes` as from `codes_of`. Over TCP packets are already ordered."""
        self._lost = LostPackets()
        self._codes = codes
        self._most_held = 0 if is_ordered else _MOST_HELD
        self._clock = clock
        self._waiting: dict[int, tuple[bytes, float]] = {}
        self._last: bytes | None = None
        self._has_slice = False

    @property
    def lost(self) -> int:
        """Packets that are missing so far."""
        return self._lost.count

    def pass_on(self, packet: bytes) -> Iterator[bytes]:
        """Yield the packets for FFmpeg after this one has arrived, in order and with marks."""
        if not is_rtp(packet):
            yield packet
            return
        self._lost.pass_over(packet)
        ahead = self._ahead(packet)
        if ahead is None:  # another or a restarted sender
            yield from self._release(most=0)
            self._waiting[1] = packet, 0.0
            yield from self._release(most=0)
        elif ahead < _MOST_AHEAD:  # otherwise it is late, and was given up
            self._waiting[ahead] = packet, self._clock()
            yield from self._release(most=self._most_held)

    def end(self) -> Iterator[bytes]:
        """Yield the packets for FFmpeg at the end of the connection: the last picture may be truncated."""
        last = self._last
        code = None if last is None else _CODES.get(self._codes.get(last[1] & 0x7F, b""))
        if last is not None and code is not None and not last[1] & 0x80:
            following = (int.from_bytes(last[2:4], "big") + 2) % _MODULUS
            yield _mark(code, last[:2] + following.to_bytes(2, "big") + last[4:], last, False)

    def _ahead(self, packet: bytes) -> int | None:
        """Return how many packets are missing between the last passed-on packet and this one, if known."""
        last = self._last
        if last is None or last[8:12] != packet[8:12]:
            return None
        ahead = (int.from_bytes(packet[2:4], "big") - int.from_bytes(last[2:4], "big") - 1) % _MODULUS
        return ahead if ahead < _MOST_AHEAD or ahead >= _MODULUS - _MOST_BEHIND else None

    def _release(self, *, most: int) -> Iterator[bytes]:
        """Yield the held packets that do not wait for a missing one, or have waited long enough."""
        while self._waiting:
            missing = min(self._waiting)
            is_over = self._clock() - min(came_s for _, came_s in self._waiting.values()) > _HELD_S
            if missing and len(self._waiting) <= most and not is_over:
                return
            packet, _ = self._waiting.pop(missing)
            self._waiting = {ahead - missing - 1: waiting for ahead, waiting in self._waiting.items()}
            yield from self._next(packet, missing)

    def _next(self, packet: bytes, missing: int) -> Iterator[bytes]:
        last, self._last = self._last, packet
        code = _CODES.get(self._codes.get(packet[1] & 0x7F, b""))
        offset = _payload_offset(packet)
        if code is None or offset >= len(packet):
            yield packet
            return
        is_other = last is None or last[4:8] != packet[4:8]
        if missing and last is not None:
            is_beginning = is_other and not code.is_begun_by(packet[offset:])
            yield _mark(code, packet, last, is_beginning)
        self._has_slice = self._has_slice and not is_other
        passed_on = bytearray(packet)
        for unit_offset in _units(code, packet, offset):
            kind = code.kind_of(packet, unit_offset)
            if self._has_slice and kind in code.before:
                code.as_filler(
                    passed_on, unit_offset
                )  # repeated within a picture, which FFmpeg would split in two
            self._has_slice = self._has_slice or kind in code.slices or kind == code.part
        yield bytes(passed_on)


def _payload_offset(packet: bytes) -> int:
    offset = _HEAD_BYTES + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        offset += 4 + 4 * int.from_bytes(packet[offset + 2 : offset + 4], "big")
    return offset


def _units(code: _Code, packet: bytes, offset: int) -> Iterator[int]:
    """Yield where NAL units begin in a packet."""
    if code.kind_of(packet, offset) != code.together:
        yield offset
        return
    offset += code.header_bytes
    while offset + 2 < len(packet):
        yield offset + 2
        offset += 2 + int.from_bytes(packet[offset : offset + 2], "big")


def _mark(code: _Code, packet: bytes, last: bytes, is_beginning: bool) -> bytes:
    """Return a packet to replace the last missing one, with the time of the previous picture."""
    number = (int.from_bytes(packet[2:4], "big") - 1) % _MODULUS
    head = bytes((_VERSION << 6, packet[1] & 0x7F)) + number.to_bytes(2, "big") + last[4:8] + packet[8:12]
    unit = bytes((code.filler << code.shift, 1)[: code.header_bytes])
    return head + unit + _MARKS[is_beginning] + b"\x80"
