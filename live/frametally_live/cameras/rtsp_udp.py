"""Packets of RTP that come by UDP: passed on from the camera's own address to FFmpeg, and the other way."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from frametally_live.cameras.failures import CameraAway

_HERE = "127.0.0.1"
_MOST_BYTES = 1 << 16
_BUFFER_BYTES = 1 << 20
_TRIES = 50
_TRANSPORT = re.compile(rb"\r\ntransport:([^\r\n]*)\r\n", re.IGNORECASE)
_CLIENT_PORTS = re.compile(rb"client_port=(\d{1,5})-(\d{1,5})")
_SERVER_PORTS = re.compile(rb"server_port=(\d{1,5})(?:-(\d{1,5}))?")


class _Way:
    """One port of a track, both of its sides: RTP, or RTCP."""

    def __init__(self, channel: int, outside: socket.socket, inside: socket.socket, reader_port: int) -> None:
        self.channel = channel
        self.outside = outside
        self.inside = inside
        self.reader_port = reader_port
        self.camera_port = 0


class UdpTracks:
    """The ports of a connection's tracks. Transports that are no UDP are left as they are."""

    def __init__(self, camera: str, count: Callable[[int, bytes], None]) -> None:
        """Take packets from the address `camera` alone; each is told to `count` with its channel."""
        self._camera = camera
        self._count = count
        self._ways: list[_Way] = []
        self._by_socket: dict[Any, _Way] = {}

    def asked(self, head: bytes) -> tuple[bytes, list[socket.socket]]:
        """Return a request as it goes to the camera, and the sockets that are to be listened to for it."""
        transport = _TRANSPORT.search(head)
        wanted = _CLIENT_PORTS.search(transport[1]) if transport else None
        if wanted is None:
            return head, []
        outside, inside = _pair(_any_of(self._camera)), _pair(_HERE)
        channel = len(self._ways)
        ways = [_Way(channel + i, outside[i], inside[i], int(wanted[i + 1])) for i in (0, 1)]
        self._ways += ways
        self._by_socket |= {one: way for way in ways for one in (way.outside, way.inside)}
        ours = b"client_port=%d-%d" % tuple(one.getsockname()[1] for one in outside)
        return head.replace(wanted[0], ours), [*outside, *inside]

    def answered(self, head: bytes) -> bytes:
        """Return an answer as it goes to FFmpeg: with the relay's ports, and no address in it.

        Raises:
            CameraAway: It sends to everybody (multicast), or in a way that was not asked for.
        """
        transport = _TRANSPORT.search(head)
        if transport is None:
            return head
        if b"multicast" in transport[1].lower():
            raise CameraAway("sends by multicast, which is not read: have it send by unicast")
        theirs = _SERVER_PORTS.search(transport[1])
        if not self._ways or theirs is None:
            return head
        ways = self._ways[-2:]
        first = int(theirs[1])
        for way, port in zip(ways, (first, int(theirs[2] or first + 1)), strict=True):
            way.camera_port = port
        ours = b"RTP/AVP/UDP;unicast;client_port=%d-%d;server_port=%d-%d" % (
            *(way.reader_port for way in ways),
            *(way.inside.getsockname()[1] for way in ways),
        )
        return head.replace(transport[1], b" " + ours)

    def pass_on(self, readable: object) -> None:
        """Pass on one packet that has come at one of the sockets."""
        way = self._by_socket[readable]
        from_outside = readable is way.outside
        packet, sender = (way.outside if from_outside else way.inside).recvfrom(_MOST_BYTES)
        with suppress(OSError):  # nobody listens there yet, or any more
            if not from_outside:
                if way.camera_port:
                    way.outside.sendto(packet, (self._camera, way.camera_port))
            elif sender[0] == self._camera:
                self._count(way.channel, packet)
                way.inside.sendto(packet, (_HERE, way.reader_port))

    def close(self) -> None:
        """Close all ports."""
        for one in self._by_socket:
            one.close()


def _any_of(camera: str) -> str:
    """Return the address that stands for all of this machine's of the camera's kind."""
    return "::" if ":" in camera else "0.0.0.0"  # noqa: S104 - packets from others are left out


def _pair(address: str) -> tuple[socket.socket, socket.socket]:
    """Open two ports of UDP, an even one and the next, as RTP has it (RFC 3550, 11)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(_TRIES):
        first, second = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        try:
            first.bind((address, 0))
            port = int(first.getsockname()[1])
            second.bind((address, port + 1))
            if port % 2 == 0:
                for one in (first, second):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
                return first, second
        except (OSError, OverflowError):
            pass
        first.close()
        second.close()
    raise CameraAway("cannot be heard by UDP: no two ports are free on this machine")
