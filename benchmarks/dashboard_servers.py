"""What carries the dashboard: its own server beside others, for short answers and for streams that stay open.

    pip install waitress==3.0.2 gunicorn==23.0.0
    python benchmarks/dashboard_servers.py FOLDER [--answers 300] [--streams 100]

FOLDER is a data folder as `frametally serve --data-dir` takes it. Each server has the same Flask application,
as many threads (16) and a process of its own: uvicorn as frametally starts it (streams are native), uvicorn
with everything by a2wsgi, waitress, and gunicorn's threads. Under the last three a stream is a generator of
WSGI that says something each second, as they know nothing else.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from a2wsgi import WSGIMiddleware
from results import Goal, Table, save

from frametally.settings.loading import load_settings
from frametally_cli.stages.looking import open_to_look
from frametally_videos.opening import catalogue_to_look
from frametally_web.api import answering
from frametally_web.app import create_app
from frametally_web.serving import DashboardServer

OURS = "uvicorn, streams native (frametally serve)"
STREAM = "/api/v1/events"
ANSWER = "/api/v1/counts?interval=3600"
THREADS = 16
PATIENCE_S = 5.0
AGAIN = 8
_TICKS_S = os.sysconf("SC_CLK_TCK")


def serve(name: str, folder: Path, port: int) -> None:
    """Serve the dashboard's Flask application over a data folder until the process is ended."""
    answering.MOST_KEPT_BYTES = 0
    asked = load_settings("web", data_dir=folder)
    with open_to_look(asked) as (ports, ledger), catalogue_to_look(ports.settings) as catalogue:
        app = create_app(
            settings=ports.settings,
            store=ports.store,
            index=ports.index,
            ledger=ledger,
            log=ports.log,
            catalogue=catalogue,
        )
        SERVERS[name](app, port)


def with_streams(app: Any) -> Callable[..., Any]:
    """`app`, and streams as an application of WSGI makes them."""

    def said() -> Iterator[bytes]:
        while True:
            yield b": still here\n\n"
            time.sleep(1)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ["PATH_INFO"] != STREAM:
            return app(environ, start_response)
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return said()

    return application


def serve_own(app: Any, port: int) -> None:
    """As `frametally serve` does."""
    DashboardServer(app, host="127.0.0.1", port=port).run()


def serve_by_a2wsgi(app: Any, port: int) -> None:
    """The same server without native routes."""
    application: Any = WSGIMiddleware(with_streams(app), workers=THREADS)
    uvicorn.run(application, host="127.0.0.1", port=port, log_level="error", lifespan="off")


def serve_by_waitress(app: Any, port: int) -> None:
    """Threads, and a loop that reads and writes."""
    import waitress

    waitress.serve(with_streams(app), host="127.0.0.1", port=port, threads=THREADS)


def serve_by_gunicorn(app: Any, port: int) -> None:
    """One worker of threads."""
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            asked = {"bind": f"127.0.0.1:{port}", "worker_class": "gthread", "threads": THREADS}
            for name, value in asked.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return with_streams(app)

    Server().run()


SERVERS: dict[str, Callable[[Any, int], None]] = {
    OURS: serve_own,
    "uvicorn, all by a2wsgi": serve_by_a2wsgi,
    "waitress": serve_by_waitress,
    "gunicorn gthread": serve_by_gunicorn,
}


@contextmanager
def started(name: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Start a server in a process group of its own; the group and the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, __file__, str(folder), "--serve", name, str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield server.pid, port
        finally:
            os.killpg(server.pid, 9)


def cpu_s(group: int) -> float:
    """CPU seconds that the processes of a group have used."""
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            total += (int(fields[11]) + int(fields[12])) / _TICKS_S
    return total


def answer_ms(group: int, port: int, answers: int) -> float:
    """CPU milliseconds a short answer, one after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(times: int) -> None:
        for _ in range(times):
            connection.request("GET", ANSWER)
            if connection.getresponse().read()[:1] != b"{":
                sys.exit(f"{ANSWER}: no counts")

    ask(20)
    before = cpu_s(group)
    ask(answers)
    connection.close()
    return 1000 * (cpu_s(group) - before) / answers


def open_stream(port: int) -> socket.socket:
    """Ask for a stream."""
    asked = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    asked.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return asked


def is_answered(asked: socket.socket, patience_s: float) -> bool:
    """Whether a 200 has come, waited for as long as that."""
    asked.settimeout(max(patience_s, 0.001))
    try:
        return asked.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def answered(streams: list[socket.socket]) -> int:
    """How many of them begin to come within the time that people wait."""
    deadline = time.monotonic() + PATIENCE_S
    return sum([is_answered(one, deadline - time.monotonic()) for one in streams])


def health_ms(port: int) -> float | None:
    """How long a page is waited for; None: longer than people wait."""
    begun = time.perf_counter()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    except OSError:
        return None
    return 1000 * (time.perf_counter() - begun)


def measure(name: str, folder: Path, answers: int, count: int) -> list[Any]:
    """A row of the table."""
    with started(name, folder) as (group, port):
        cost_ms = answer_ms(group, port, answers)
        streams = [open_stream(port) for _ in range(count)]
        come = answered(streams)
        before = cpu_s(group)
        waits = [health_ms(port) for _ in range(5)]
        time.sleep(5)
        while_open_s = cpu_s(group) - before
        for one in streams:
            one.close()
        time.sleep(PATIENCE_S)
        again = [open_stream(port) for _ in range(AGAIN)]
        places = answered(again)
        for one in again:
            one.close()
    known = [wait for wait in waits if wait is not None]
    wait_ms = round(statistics.median(known), 1) if len(known) == len(waits) else None
    return [name, round(cost_ms, 2), come, wait_ms, round(while_open_s, 2), places]


def main() -> None:
    """Measure, save; or serve, for one that measures."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--answers", type=int, default=300)
    asked.add_argument("--streams", type=int, default=100)
    asked.add_argument("--serve", nargs=2, metavar=("NAME", "PORT"), help=argparse.SUPPRESS)
    chosen = asked.parse_args()
    if chosen.serve:
        name, port = chosen.serve
        serve(name, chosen.folder, int(port))
        return
    load_before = os.getloadavg()[0]
    rows = []
    for name in SERVERS:
        rows.append(measure(name, chosen.folder.resolve(), chosen.answers, chosen.streams))
        print(*rows[-1], sep=" | ", flush=True)
    table = Table(
        title=f"{THREADS} threads each, {chosen.streams} streams",
        columns=[
            "server",
            "CPU an answer (ms)",
            "streams that begin",
            "a page meanwhile (ms)",
            "CPU meanwhile (s)",
            f"of {AGAIN} streams anew, once all were left",
        ],
        rows=rows,
        note=f"An empty cell: not within {PATIENCE_S:g} s. Streams begin within {PATIENCE_S:g} s, or do not.",
    )
    own = rows[0]
    save(
        name="dashboard_servers",
        load_before=load_before,
        title="What carries the dashboard",
        about="The dashboard's server beside others: what a short answer costs, and what open streams do.",
        packages=["uvicorn", "a2wsgi", "starlette", "waitress", "gunicorn"],
        tables=[table],
        goals=[
            Goal(what="streams that begin", measured=own[2], at_least=chosen.streams),
            Goal(what="streams anew, once all were left", measured=own[5], at_least=AGAIN),
            Goal(
                what="CPU an answer, against waitress (times)",
                measured=round(own[1] / rows[2][1], 2),
                at_most=1.5,
            ),
        ],
    )


if __name__ == "__main__":
    main()
