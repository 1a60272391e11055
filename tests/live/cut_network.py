"""A network link on this machine that can be cut: open connections break, or fall silent."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType

_LOOK_S = 0.05
_PIECE_BYTES = 1 << 16


class CutNetwork:
    """Forwards TCP to a port, inside the `with` block; `cut` interrupts that, `mend` resumes it."""

    def __init__(self, port: int) -> None:
        """Carry to a port of this machine."""
        self._to = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_LOOK_S)
        self.port = int(self._listener.getsockname()[1])
        self._is_whole = threading.Event()
        self._is_whole.set()
        self._is_silent = self._is_over = False
        self._threads = [threading.Thread(target=self._listen)]

    def cut(self, *, silently: bool) -> None:
        """Break all connections and accept no more; or forward nothing without closing anything."""
        self._is_silent = silently
        self._is_whole.clear()

    def mend(self) -> None:
        """Forward again; broken connections stay broken."""
        self._is_whole.set()

    def __enter__(self) -> CutNetwork:
        """Take connections."""
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Break the remaining connections."""
        self._is_over = True
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while not self._is_over:
            with contextlib.suppress(TimeoutError):
                near = self._listener.accept()[0]
                self._threads = [self._threads[0], *(one for one in self._threads[1:] if one.is_alive())]
                self._threads.append(threading.Thread(target=self._carry, args=(near,)))
                self._threads[-1].start()

    def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if not self._is_whole.is_set() and not self._is_silent:
                return
            with socket.create_connection(self._to, timeout=5) as far:
                self._carry_both(near, far)

    def _carry_both(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        while not self._is_over:
            if not self._is_whole.is_set():
                if not self._is_silent:
                    return
                self._is_whole.wait(_LOOK_S)
                continue
            for one in select.select([near, far], [], [], _LOOK_S)[0]:
                piece = one.recv(_PIECE_BYTES)
                if not piece:
                    return
                other[one].sendall(piece)
