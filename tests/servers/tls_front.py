"""TLS in front of a server without it: data is passed on, byte by byte."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from types import TracebackType

import trustme


class TlsFront:
    """Listens inside the `with` block.

    Attributes:
        port: A free port on 127.0.0.1.
    """

    def __init__(self, certificate: trustme.LeafCert, behind: int) -> None:
        """Accept connections with this certificate; forward them to the port `behind`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    outside = context.wrap_socket(self.request, server_side=True)
                except OSError:
                    return  # the other side does not trust us
                with outside, socket.create_connection(("127.0.0.1", behind)) as inside:
                    answers = threading.Thread(target=_pass_on, args=(inside, outside), daemon=True)
                    answers.start()
                    _pass_on(outside, inside)
                    answers.join()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> TlsFront:
        """Begin."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65_536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        return
