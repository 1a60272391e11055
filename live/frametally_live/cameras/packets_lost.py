"""How many packets of RTP the network lost, by their sequence numbers (RFC 3550, A.1 and A.3)."""

from __future__ import annotations

_MODULUS = 1 << 16
_MOST_AHEAD, _MOST_BEHIND = 3000, 100
_HEAD_BYTES, _VERSION = 12, 2


class LostPackets:
    """Counts the packets of one stream that did not come; those that come late or twice are no loss."""

    def __init__(self) -> None:
        """Wait for the first packet."""
        self._before = 0
        self._base: int | None = None
        self._sender = b""
        self._highest = self._received = 0

    @property
    def count(self) -> int:
        """Packets that are missing by now."""
        return self._before + self._missing()

    def pass_over(self, packet: bytes) -> None:
        """Go on to the next packet, as it came: its header tells its number."""
        if len(packet) < _HEAD_BYTES or packet[0] >> 6 != _VERSION:
            return
        number, sender = int.from_bytes(packet[2:4], "big"), packet[8:12]
        ahead = (number - self._highest) % _MODULUS
        is_near = ahead < _MOST_AHEAD or ahead >= _MODULUS - _MOST_BEHIND
        if self._base is None or sender != self._sender or not is_near:
            # Another sender, or the same one started anew: what it left out is not known.
            self._before += self._missing()
            self._base = self._highest = number
            self._sender, self._received = sender, 0
        elif ahead < _MOST_AHEAD:
            self._highest += ahead
        self._received += 1

    def _missing(self) -> int:
        return 0 if self._base is None else max(0, self._highest - self._base + 1 - self._received)
