"""Serves the dashboard with uvicorn until a signal stops it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import resource
import signal
import socket
import threading
from collections.abc import Iterator

import uvicorn
from flask import Flask

from frametally.errors import Misconfigured
from frametally.process import failpoints, limits
from frametally.process.interruption import raise_on_signal
from frametally_web.app import close_app, parts_of
from frametally_web.asgi import Application
from frametally_web.assets import build_missing
from frametally_web.connections import IDLE_S, MOST_FILES, Connection
from frametally_web.sockets.connections import SocketConnection
from frametally_web.sockets.talking import MOST_MESSAGE_BYTES

THREADS = 16
"""Requests that are handled at once; further ones wait."""

# How long current answers may still take once the server is to end.
_LAST_ANSWERS_S = 10


class DashboardServer:
    """A listening dashboard: its `url` is known before it runs, even if the system chose the port."""

    def __init__(self, app: Flask, *, host: str, port: int) -> None:
        """Listen on `host` and `port` (0 for any free one).

        Raises:
            Misconfigured: The port is taken or may not be used, or this machine has no such address.
        """
        self._listener = _listen(host, port)
        self.host, self.port = self._listener.getsockname()[:2]
        self._app = app
        self._application = Application(app, threads=THREADS)
        self._server = _Server(
            uvicorn.Config(
                self._application,
                http=Connection,
                loop="asyncio",
                ws=SocketConnection,
                ws_max_size=MOST_MESSAGE_BYTES,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=_LAST_ANSWERS_S,
            ),
            app,
        )

    @property
    def url(self) -> str:
        """Return the dashboard's address for a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def run(self) -> None:
        """Serve until `stop` is called, or the main thread gets a signal; then close."""
        parts_of(self._app).resume()
        for part in parts_of(self._app).plugins.values():
            part.start()
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self.close()

    def stop(self) -> None:
        """Make `run`, which is in another thread, return."""
        self._server.should_exit = True

    def close(self) -> None:
        """Stop listening."""
        close_app(self._app)
        self._listener.close()
        self._application.close()


class _Server(uvicorn.Server):
    """uvicorn, which would otherwise wait for streams of events until they end."""

    def __init__(self, config: uvicorn.Config, app: Flask) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.to_thread(close_app, self._app)
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):  # to clients that read no answer
            connection.transport.abort()
        await asyncio.sleep(0)


def serve(app: Flask, host: str, port: int) -> None:
    """Serve `app` until SIGINT or SIGTERM, and print its URL when it listens; see `DashboardServer`.

    Raises:
        Misconfigured: The port is taken or may not be used, or this machine has no such address.
    """
    failpoints.arm()
    limits.allow(resource.RLIMIT_NOFILE, MOST_FILES)
    server = DashboardServer(app, host=host, port=port)
    try:
        with _signals_interrupt():
            look_for_garbage_seldom()
            print(f"Dashboard at {server.url} (press Ctrl-C to stop it)", flush=True)
            build_missing()
            server.run()
    except KeyboardInterrupt:
        server.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server((str(address[0]), int(address[1])), family=family)
        # Its connections inherit it; otherwise a body waits about 40 ms until its head is acknowledged.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, UnicodeError) as error:
        raise Misconfigured(_why_it_cannot_listen(error, host, port)) from error


def _why_it_cannot_listen(error: Exception, host: str, port: int) -> str:
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        return (
            f"another program is using port {port} on {host}: stop that program, or choose another port "
            "with FRAMETALLY_WEB_PORT or --port"
        )
    if isinstance(error, PermissionError):
        return (
            f"this user may not use port {port} on {host}: choose a port of 1024 or above with "
            "FRAMETALLY_WEB_PORT or --port"
        )
    return (
        f"cannot listen on {host}, port {port}: this machine does not have that address; set "
        "FRAMETALLY_WEB_HOST to 127.0.0.1 (this machine only) or 0.0.0.0 (all its networks)"
    )


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGINT and SIGTERM meanwhile; only the main thread can set this up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    interrupt = raise_on_signal(KeyboardInterrupt)
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_NEW_OBJECTS = 50_000


def look_for_garbage_seldom() -> None:
    """Make the process collect garbage rarely, and never among the objects loaded so far."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
