"""A relay on this machine, which alone speaks to an RTSP camera.

FFmpeg is told the relay's address, and the camera's answers pass only as far as they are RTSP and lead
nowhere else: FFmpeg would follow a redirect to any address, and send to any that an answer names. TLS ends
here, RTP is counted here, and of packets that come by UDP only those from the camera itself are passed on.
"""

from __future__ import annotations

import re
import selectors
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from frametally.errors import FrametallyError
from frametally_live.cameras.failures import CameraAway, told_status
from frametally_live.cameras.packets_lost import LostPackets
from frametally_live.cameras.rtsp_messages import RtspPacket, RtspPieces, RtspText
from frametally_live.cameras.rtsp_udp import UdpTracks

_HERE = "127.0.0.1"
_READ_BYTES = 1 << 16
_STUCK_S = 10.0
_LOOK_S = 0.5
_UNAUTHORIZED, _REDIRECTS, _FAILURES = 401, 300, 400
_AUTHORIZED = re.compile(rb"\r\nauthorization:", re.IGNORECASE)


class RtspRelay:
    """Passes one connection on, in a thread of its own; use it in a `with` statement.

    Attributes:
        port: Where FFmpeg is to connect to, on 127.0.0.1; the first connection is the only one.
    """

    def __init__(self, camera: socket.socket, *, source: str, has_login: bool) -> None:
        """Take over a connection to a camera; nothing is passed on yet."""
        self._camera = camera
        self._source = source
        self._has_login = has_login
        self._listener = socket.create_server((_HERE, 0), backlog=1)
        self._listener.settimeout(_LOOK_S)
        self._client: socket.socket | None = None
        self._ended = threading.Event()
        self._failure: CameraAway | None = None
        self._lost: dict[int, LostPackets] = {}
        self._udp = UdpTracks(str(camera.getpeername()[0]), self._count)
        self._is_authorized = False
        self._thread = threading.Thread(target=self._run, name="rtsp-relay", daemon=True)
        self.port = int(self._listener.getsockname()[1])

    @property
    def failure(self) -> CameraAway | None:
        """Why the camera cannot be read, where its answers say so."""
        return self._failure

    @property
    def packets_lost(self) -> int:
        """Packets of RTP that the network has lost."""
        return sum(lost.count for lost in list(self._lost.values()))

    def cut(self) -> None:
        """End the connection, from any thread: who reads is told that it is over."""
        self._ended.set()
        for connection in (self._camera, self._client):
            if connection is not None:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        """Begin to pass on."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and close all connections."""
        self.cut()
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
            pass  # one side is gone: the other is told by the end of its connection
        finally:
            self.cut()

    def _pass_on(self, client: socket.socket) -> None:
        for connection in (client, self._camera):
            connection.settimeout(_STUCK_S)
        asked, answered = RtspPieces(), RtspPieces()
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(self._camera, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in selector.select(_LOOK_S):
                    if key.fileobj is client:
                        data = client.recv(_READ_BYTES)
                        for piece in asked.feed(data):
                            self._camera.sendall(self._asked(piece, selector))
                    elif key.fileobj is self._camera:
                        data = self._received()
                        for piece in answered.feed(data):
                            client.sendall(self._answered(piece))
                    else:
                        self._udp.pass_on(key.fileobj)
                        continue
                    if not data:
                        return

    def _received(self) -> bytes:
        """Read what is there; by TLS there may be more than what made the connection readable."""
        data = self._camera.recv(_READ_BYTES)
        while (pending := getattr(self._camera, "pending", int)()) > 0:
            data += self._camera.recv(pending)
        return data

    def _asked(self, piece: RtspText | RtspPacket, selector: selectors.BaseSelector) -> bytes:
        if isinstance(piece, RtspPacket):
            return piece.framed
        self._is_authorized = _AUTHORIZED.search(piece.head) is not None
        head, opened = self._udp.asked(piece.head)
        for opened_socket in opened:
            selector.register(opened_socket, selectors.EVENT_READ)
        return head + piece.body

    def _answered(self, piece: RtspText | RtspPacket) -> bytes:
        if isinstance(piece, RtspPacket):
            self._count(piece.channel, piece.data)
            return piece.framed
        is_challenge = piece.status == _UNAUTHORIZED and self._has_login and not self._is_authorized
        if piece.status >= _REDIRECTS and not is_challenge:
            failure = told_status(piece.status, piece.phrase, has_login=self._has_login, source=self._source)
            self._failure = self._failure or failure
            if piece.status < _FAILURES:
                raise failure
        return self._udp.answered(piece.head) + piece.body

    def _count(self, channel: int, packet: bytes) -> None:
        if channel % 2 == 0:
            self._lost.setdefault(channel, LostPackets()).pass_over(packet)
