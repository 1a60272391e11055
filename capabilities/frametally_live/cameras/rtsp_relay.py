"""A relay on this machine, the only part that connects to an RTSP camera.

FFmpeg gets the relay's address. The relay passes on the camera's answers only if they are RTSP and lead
nowhere else, because FFmpeg would follow a redirect to any address, and send to any address in an answer. The
relay ends TLS, marks lost RTP packets, and passes on UDP packets only from the camera itself.
"""

from __future__ import annotations

import re
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

from frametally.errors import FrametallyError
from frametally_live.cameras.camera_access import CameraAway, told_status
from frametally_live.cameras.rtp_track import RtpTrack, codes_of

_MOST_HEAD_BYTES, _MOST_BODY_BYTES = 64 << 10, 1 << 20
_END_OF_HEAD = b"\r\n\r\n"
_FIRST_LINE = re.compile(rb"RTSP/\d\.\d (\d{3})([^\r\n]*)|[A-Z_]{1,30} [^\r\n]{1,4000} RTSP/\d\.\d")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
_DOLLAR, _FRAME_HEAD_BYTES = 0x24, 4


class RtspText(NamedTuple):
    """A request (with status 0) or an answer; `head` is everything before its body."""

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
        """The packet as sent over the connection."""
        return bytes((_DOLLAR, self.channel)) + len(self.data).to_bytes(2, "big") + self.data


class RtspPieces:
    """Splits one direction of a connection into messages; refuses text that is not RTSP or never ends."""

    def __init__(self) -> None:
        """Start without data."""
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[RtspText | RtspPacket]:
        """Yield the pieces that `data` completes.

        Raises:
            CameraAway: The data is not RTSP.
        """
        self._waiting += data
        while (piece := self._next()) is not None:
            yield piece

    def _next(self) -> RtspText | RtspPacket | None:
        buffer = self._waiting
        if not buffer:
            return None
        if buffer[0] == _DOLLAR:
            if len(buffer) < _FRAME_HEAD_BYTES:
                return None
            end = _FRAME_HEAD_BYTES + int.from_bytes(buffer[2:4], "big")
            if len(buffer) < end:
                return None
            packet = RtspPacket(buffer[1], bytes(buffer[_FRAME_HEAD_BYTES:end]))
            del buffer[:end]
            return packet
        return self._next_text()

    def _next_text(self) -> RtspText | None:
        buffer = self._waiting
        head_end = buffer.find(_END_OF_HEAD, 0, _MOST_HEAD_BYTES)
        if head_end < 0:
            if len(buffer) >= _MOST_HEAD_BYTES:
                raise CameraAway("sends a header that never ends")
            if not chr(buffer[0]).isalpha():
                raise CameraAway("does not answer with RTSP: check the port and the scheme")
            return None
        head = bytes(buffer[: head_end + len(_END_OF_HEAD)])
        first = _FIRST_LINE.match(head)
        if first is None:
            raise CameraAway("does not answer with RTSP: check the port and the scheme")
        length = _LENGTH.search(head)
        body_bytes = int(length[1]) if length else 0
        if body_bytes > _MOST_BODY_BYTES:
            raise CameraAway(f"sends a description of {body_bytes} bytes, which is too long")
        if len(buffer) < len(head) + body_bytes:
            return None
        body = bytes(buffer[len(head) : len(head) + body_bytes])
        del buffer[: len(head) + body_bytes]
        return RtspText(int(first[1] or 0), (first[2] or b"").decode("ascii", "replace").strip(), head, body)


_HERE = "127.0.0.1"
_MOST_BYTES = 1 << 16
_BUFFER_BYTES = 1 << 20
_TRIES = 50
_TRANSPORT = re.compile(rb"\r\ntransport:([^\r\n]*)\r\n", re.IGNORECASE)
_CLIENT_PORTS = re.compile(rb"client_port=(\d{1,5})-(\d{1,5})")
_SERVER_PORTS = re.compile(rb"server_port=(\d{1,5})(?:-(\d{1,5}))?")


class _Way:
    """Both sides of one port of a track, for RTP or RTCP."""

    def __init__(self, channel: int, outside: socket.socket, inside: socket.socket, reader_port: int) -> None:
        self.channel = channel
        self.outside = outside
        self.inside = inside
        self.reader_port = reader_port
        self.camera_port = 0


class UdpTracks:
    """The ports of a connection's tracks. Transports other than UDP stay unchanged."""

    def __init__(self, camera: str, pass_on: Callable[[int, bytes], Iterator[bytes]]) -> None:
        """Take packets only from the address `camera`; `pass_on` converts the packets of each channel."""
        self._camera = camera
        self._pass_on = pass_on
        self._ways: list[_Way] = []
        self._by_socket: dict[Any, _Way] = {}

    def request(self, head: bytes) -> tuple[bytes, list[socket.socket]]:
        """Return a request for the camera, and the sockets to listen on for it."""
        transport = _TRANSPORT.search(head)
        ports = _CLIENT_PORTS.search(transport[1]) if transport else None
        if ports is None:
            return head, []
        outside, inside = _pair(_any_of(self._camera)), _pair(_HERE)
        channel = len(self._ways)
        ways = [_Way(channel + i, outside[i], inside[i], int(ports[i + 1])) for i in (0, 1)]
        self._ways += ways
        self._by_socket |= {end: way for way in ways for end in (way.outside, way.inside)}
        ours = b"client_port=%d-%d" % tuple(end.getsockname()[1] for end in outside)
        return head.replace(ports[0], ours), [*outside, *inside]

    def answer(self, head: bytes) -> bytes:
        """Return an answer for FFmpeg: with the relay's ports, and without addresses.

        Raises:
            CameraAway: It sends by multicast, or in a way that was not requested.
        """
        transport = _TRANSPORT.search(head)
        if transport is None:
            return head
        if b"multicast" in transport[1].lower():
            raise CameraAway("sends multicast, which frametally does not read: set it to unicast")
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
        """Pass on one packet that has arrived at one of the sockets."""
        way = self._by_socket[readable]
        from_outside = readable is way.outside
        packet, sender = (way.outside if from_outside else way.inside).recvfrom(_MOST_BYTES)
        with suppress(OSError):  # the receiver is not there yet, or has gone
            if not from_outside:
                if way.camera_port:
                    way.outside.sendto(packet, (self._camera, way.camera_port))
            elif sender[0] == self._camera:
                for passed_on in self._pass_on(way.channel, packet):
                    way.inside.sendto(passed_on, (_HERE, way.reader_port))

    def send_in(self, channel: int, packet: bytes) -> bool:
        """Send FFmpeg a packet; return whether FFmpeg receives that channel over UDP."""
        for way in self._ways:
            if way.channel == channel:
                way.inside.sendto(packet, (_HERE, way.reader_port))
                return True
        return False

    def close(self) -> None:
        """Close all ports."""
        for end in self._by_socket:
            end.close()


def _shut(connection: socket.socket | None) -> None:
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _any_of(camera: str) -> str:
    """Return the wildcard address of this machine in the camera's address family."""
    return "::" if ":" in camera else "0.0.0.0"  # noqa: S104 - packets from others are left out


def _pair(address: str) -> tuple[socket.socket, socket.socket]:
    """Open two UDP ports, an even one and the next, as RTP requires (RFC 3550, 11)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(_TRIES):
        first, second = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        try:
            first.bind((address, 0))
            port = int(first.getsockname()[1])
            second.bind((address, port + 1))
            if port % 2 == 0:
                for end in (first, second):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
                return first, second
        except (OSError, OverflowError):
            pass
        first.close()
        second.close()
    raise CameraAway("cannot send over UDP: this machine does not have two free ports")


_READ_BYTES = 1 << 16
_STUCK_S = 10.0
_LOOK_S = 0.5
_UNAUTHORIZED, _REDIRECTS, _FAILURES = 401, 300, 400
_AUTHORIZED = re.compile(rb"\r\nauthorization:", re.IGNORECASE)


class RtspRelay:
    """Passes one connection on, in its own thread; use it in a `with` statement.

    Attributes:
        port: The port on 127.0.0.1 for FFmpeg; only the first connection is accepted.
    """

    def __init__(self, camera: socket.socket, *, source: str, has_login: bool) -> None:
        """Take over a connection to a camera without passing anything on yet."""
        self._camera = camera
        self._source = source
        self._has_login = has_login
        self._listener = socket.create_server((_HERE, 0), backlog=1)
        self._listener.settimeout(_LOOK_S)
        self._client: socket.socket | None = None
        self._ended = threading.Event()
        self._failure: CameraAway | None = None
        self._tracks: dict[int, RtpTrack] = {}
        self._codes: dict[int, bytes] = {}
        self._udp = UdpTracks(str(camera.getpeername()[0]), self._passed_on)
        self._is_authorized = False
        self._thread = threading.Thread(target=self._run, name="rtsp-relay", daemon=True)
        self.port = int(self._listener.getsockname()[1])

    @property
    def failure(self) -> CameraAway | None:
        """Why the camera cannot be read, according to its answers."""
        return self._failure

    @property
    def packets_lost(self) -> int:
        """RTP packets that the network has lost."""
        return sum(track.lost for track in list(self._tracks.values()))

    def cut(self) -> None:
        """End the connection, from any thread; readers notice the end."""
        self._ended.set()
        _shut(self._camera)

    def __enter__(self) -> Self:
        """Start passing on."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and close all connections."""
        self.cut()
        _shut(self._client)  # it may be blocked in sending
        self._thread.join()
        self._udp.close()
        for connection in (self._camera, self._client, self._listener):
            if connection is not None:
                connection.close()

    def _run(self) -> None:
        try:
            while self._client is None and not self._ended.is_set():
                with suppress(TimeoutError):
                    self._client = self._listener.accept()[0]
            if self._client is not None:
                self._pass_on(self._client)
        except CameraAway as error:
            self._failure = error
        except (OSError, FrametallyError):
            pass  # one side has gone: the end of the connection informs the other
        finally:
            self.cut()
            self._end_tracks()
            _shut(self._client)

    def _end_tracks(self) -> None:
        """Mark the last pictures of the connection, which may be incomplete."""
        for channel, track in self._tracks.items():
            for packet in track.end():
                with suppress(OSError):
                    if not self._udp.send_in(channel, packet) and self._client is not None:
                        self._client.sendall(RtspPacket(channel, packet).framed)

    def _pass_on(self, client: socket.socket) -> None:
        for connection in (client, self._camera):
            connection.settimeout(_STUCK_S)
        requests, answers = RtspPieces(), RtspPieces()
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(self._camera, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in selector.select(_LOOK_S):
                    if key.fileobj is client:
                        data = client.recv(_READ_BYTES)
                        for piece in requests.feed(data):
                            self._camera.sendall(self._request_bytes(piece, selector))
                    elif key.fileobj is self._camera:
                        data = self._received()
                        for piece in answers.feed(data):
                            client.sendall(self._answer_bytes(piece))
                    else:
                        self._udp.pass_on(key.fileobj)
                        continue
                    if not data:
                        return

    def _received(self) -> bytes:
        """Read the available data; TLS may hold more than what made the connection readable."""
        data = self._camera.recv(_READ_BYTES)
        while (pending := getattr(self._camera, "pending", int)()) > 0:
            data += self._camera.recv(pending)
        return data

    def _request_bytes(self, piece: RtspText | RtspPacket, selector: selectors.BaseSelector) -> bytes:
        if isinstance(piece, RtspPacket):
            return piece.framed
        self._is_authorized = _AUTHORIZED.search(piece.head) is not None
        head, sockets = self._udp.request(piece.head)
        for opened_socket in sockets:
            selector.register(opened_socket, selectors.EVENT_READ)
        return head + piece.body

    def _answer_bytes(self, piece: RtspText | RtspPacket) -> bytes:
        if isinstance(piece, RtspPacket):
            packets = self._passed_on(piece.channel, piece.data, is_ordered=True)
            return b"".join(RtspPacket(piece.channel, packet).framed for packet in packets)
        self._codes |= codes_of(piece.body)
        is_challenge = piece.status == _UNAUTHORIZED and self._has_login and not self._is_authorized
        if piece.status >= _REDIRECTS and not is_challenge:
            failure = told_status(piece.status, piece.phrase, has_login=self._has_login, source=self._source)
            self._failure = self._failure or failure
            if piece.status < _FAILURES:
                raise failure
        return self._udp.answer(piece.head) + piece.body

    def _passed_on(self, channel: int, packet: bytes, *, is_ordered: bool = False) -> Iterator[bytes]:
        """Yield the packets for FFmpeg from a packet of the camera."""
        if channel % 2:
            yield packet
            return
        if channel not in self._tracks:
            self._tracks[channel] = RtpTrack(self._codes, is_ordered=is_ordered)
        yield from self._tracks[channel].pass_on(packet)
