"""A TCP proxy on the loopback address that refuses, ignores, slows or interrupts the talk with a server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Literal

Fault = Literal["", "refused", "silent", "slow", "cut"]
FAULTS: tuple[Fault, ...] = ("refused", "silent", "slow", "cut")
"""No listener; connections that are accepted and never answered; answers in small pieces; half an answer."""
_PIECE_BYTES, _PAUSE_S, _CUT_BYTES = 512, 0.02, 16


class TcpFaultProxy:
    """Passes connections on to an upstream server; `port` stays the same whatever the fault."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = host, port
        self._fault: Fault = ""
        self._ended = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._listen()

    def become(self, fault: Fault) -> None:
        """Begin a fault, or end it with an empty one; hang up earlier connections unless it is silent."""
        was_refused, self._fault = self._fault == "refused", fault
        if fault == "refused" and not was_refused:
            self._close_listener()
        elif was_refused and fault != "refused":
            self._listener = socket.create_server(("127.0.0.1", self.port))
            self._listen()
        if fault != "silent":
            self._hang_up()

    def close(self) -> None:
        self._ended.set()
        self._close_listener()
        self._hang_up()

    def _close_listener(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _hang_up(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(self._upstream, timeout=30)
            except OSError:
                return
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            for source, target, is_answer in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass_on, args=(source, target, is_answer), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                while self._fault == "silent" and not self._ended.wait(0.05):
                    pass
                if self._fault == "cut" and is_answer:
                    target.sendall(data[:_CUT_BYTES])
                    break
                step = _PIECE_BYTES if self._fault == "slow" and is_answer else len(data)
                for first in range(0, len(data), step):
                    target.sendall(data[first : first + step])
                    if self._fault == "slow" and self._ended.wait(_PAUSE_S):
                        break
        for connection in (source, target):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        with self._lock:
            self._open -= {source, target}
