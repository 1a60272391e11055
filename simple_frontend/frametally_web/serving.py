"""Serving the dashboard by waitress, until a signal ends it."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import waitress
from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from frametally.errors import Misconfigured
from frametally_web.app import close_app
from frametally_web.collecting import look_for_garbage_seldom
from frametally_web.security import HEADERS

_THREADS = 16
# Browsers keep connections open, and anybody can: more than the threads, for which only requests wait.
_MOST_CONNECTIONS, _IDLE_S = 800, 30
# The API only reads: no request needs a body.
_MAX_BODY_BYTES = 64 * 1024


class _ErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Waitress' own answer to what it does not take for a request."""

    def execute(self) -> None:
        self.response_headers.extend(HEADERS.items())
        super().execute()


class _Channel(HTTPChannel):  # type: ignore[misc]
    error_task_class = _ErrorTask


class DashboardServer:
    """A dashboard that listens: its `url` is known before it runs, also where the system chose the port."""

    def __init__(self, app: Flask, *, host: str, port: int, threads: int = _THREADS) -> None:
        """Listen on `host` and `port` (0: any free one); a stream of events holds one of the `threads`.

        Raises:
            Misconfigured: The port is taken or may not be used, or this machine has no such address.
        """
        listener = _listen(host, port)
        self.host, self.port = listener.getsockname()[:2]
        self._app = app
        self._sockets: dict[int, Any] = {}
        self._server: Any = waitress.create_server(
            app,
            map=self._sockets,
            sockets=[listener],
            threads=threads,
            ident=None,
            max_request_body_size=_MAX_BODY_BYTES,
            clear_untrusted_proxy_headers=True,
            connection_limit=_MOST_CONNECTIONS,
            channel_timeout=_IDLE_S,
            asyncore_use_poll=True,  # select() takes no more than 1,024 open files
        )
        self._server.channel_class = _Channel

    @property
    def url(self) -> str:
        """Return where a browser on this machine finds the dashboard."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def run(self) -> None:
        """Serve until `stop` is called, or KeyboardInterrupt is raised in this thread; then close."""
        try:
            self._server.run()
        finally:
            self.close()

    def stop(self) -> None:
        """Make `run`, in another thread, return."""
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))

    def close(self) -> None:
        """Stop listening, and let requests that are being answered end."""
        close_app(self._app)  # or streams of events would be waited for
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets)


def serve(app: Flask, host: str, port: int, *, threads: int = _THREADS) -> None:
    """Serve `app` until SIGINT or SIGTERM, and print its URL when it listens; see `DashboardServer`.

    Raises:
        Misconfigured: The port is taken or may not be used, or this machine has no such address.
    """
    server = DashboardServer(app, host=host, port=port, threads=threads)
    try:
        with _signals_interrupt():
            look_for_garbage_seldom()
            print(f"Dashboard on {server.url} (Ctrl-C ends it)", flush=True)
            server.run()
    except KeyboardInterrupt:
        server.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server((str(address[0]), int(address[1])), family=family)
    except (OSError, UnicodeError) as error:
        raise Misconfigured(_why_it_cannot_listen(error, host, port)) from error


def _why_it_cannot_listen(error: Exception, host: str, port: int) -> str:
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is taken by another program: "
            "end that one, or choose another port by FRAMETALLY_WEB_PORT or --port"
        )
    if isinstance(error, PermissionError):
        return (
            f"port {port} on {host} may not be used by this user: "
            "choose one from 1024 on by FRAMETALLY_WEB_PORT or --port"
        )
    return (
        f"cannot listen on {host}, port {port}: this machine has no such address; "
        "set FRAMETALLY_WEB_HOST to 127.0.0.1 (this machine only) or 0.0.0.0 (all its networks)"
    )


@contextlib.contextmanager
def _signals_interrupt() -> Iterator[None]:
    """While it lasts, SIGINT and SIGTERM raise KeyboardInterrupt; only a main thread can see to that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
