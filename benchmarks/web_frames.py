"""What a short answer and a large file cost in Flask beside Starlette, as today, and in Quart.

    pip install quart hypercorn
    python benchmarks/web_frames.py

Each server has the same two routes: a JSON answer that a handler makes in a thread, as every handler of
frametally does because it asks a database, and a file. CPU is that of the server's process.
"""

from __future__ import annotations

import http.client
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from measuring import in_turns, listening, median_ratio, memory_mb
from results import Cell, Table, options, save

_BOTH = """
import json, sys
ROWS = [{"label": "car", "objects": number, "start_ms": number * 1000} for number in range(200)]
BODY = json.dumps({"rows": ROWS})
FILE, PORT = sys.argv[1], int(sys.argv[2])
"""
_TODAY = f"""{_BOTH}
import uvicorn
from a2wsgi import WSGIMiddleware
from flask import Flask, Response
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Mount, Route

flask = Flask("short")


@flask.get("/counts")
def counts():
    return Response(BODY, mimetype="application/json")


async def film(request):
    return FileResponse(FILE)


app = Starlette(routes=[Route("/film", film), Mount("/", WSGIMiddleware(flask))])
uvicorn.run(app, port=PORT, log_level="error")
"""
_QUART = f"""{_BOTH}
from quart import Quart, Response, send_file

app = Quart("all")


@app.get("/counts")
def counts():
    return Response(BODY, mimetype="application/json")


@app.get("/film")
async def film():
    return await send_file(FILE)
"""
_UVICORN = "\nimport uvicorn\nuvicorn.run(app, port=PORT, log_level='error')\n"
_HYPERCORN = """
import asyncio
from hypercorn.asyncio import serve
from hypercorn.config import Config
config = Config()
config.bind = [f"127.0.0.1:{PORT}"]
asyncio.run(serve(app, config))
"""
TODAY = "Flask and Starlette, uvicorn"
SERVERS = {TODAY: _TODAY, "Quart, uvicorn": _QUART + _UVICORN, "Quart, Hypercorn": _QUART + _HYPERCORN}
_FILE_BYTES = 50_000_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Server(NamedTuple):
    """A running server."""

    process: int
    port: int

    def cpu_s(self) -> float:
        """Return the CPU time that the server has taken."""
        fields = Path(f"/proc/{self.process}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def ask(self, path: str, times: int) -> None:
        """Ask for a path several times over one connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for _ in range(times):
            connection.request("GET", path)
            answer = connection.getresponse()
            while answer.read(1 << 20):
                pass
        connection.close()


def main() -> None:
    """Measure the servers in turns, and save the results."""
    asked = options(__doc__, requests=250, clients=4, files=3, rounds=5)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        film = folder / "film.mp4"
        film.write_bytes(os.urandom(_FILE_BYTES))
        servers = {
            name: Server(*stack.enter_context(listening(sys.executable, "-c", script, film)))
            for name, script in SERVERS.items()
        }
        rows = [
            *_compare(servers, "/counts", asked.requests, asked.clients, asked.rounds),
            *_compare(servers, "/film", asked.files, 1, asked.rounds),
        ]
        memory = {name: round(memory_mb(server.process)) for name, server in servers.items()}
    save(
        name="web_frames",
        title="Web frames",
        about="The dashboard's routes are Flask's, and Starlette's where bodies stream. Quart would be both.",
        packages=["flask", "starlette", "a2wsgi", "uvicorn", "quart", "hypercorn"],
        tables=[
            Table(
                "The same two routes",
                ["route", "server", "CPU ms per request", "CPU, to today's", "time, to today's"],
                rows,
                f"Medians of {asked.rounds} rounds in turns. A file has {_FILE_BYTES // 1_000_000} MB. "
                f"Peak memory, MiB: {', '.join(f'{name} {mib}' for name, mib in memory.items())}.",
            )
        ],
        goals=[],
    )


def _compare(
    servers: dict[str, Server], path: str, requests: int, clients: int, rounds: int
) -> list[list[Cell]]:
    cpu_s: dict[str, list[float]] = {name: [] for name in servers}

    def work_of(name: str, server: Server) -> Callable[[], None]:
        def work() -> None:
            began_s = server.cpu_s()
            with ThreadPoolExecutor(clients) as pool:
                for _ in pool.map(lambda _: server.ask(path, requests), range(clients)):
                    pass
            cpu_s[name].append(server.cpu_s() - began_s)

        return work

    took = in_turns({name: work_of(name, server) for name, server in servers.items()}, rounds)
    measured = {name: seconds[1:] for name, seconds in cpu_s.items()}
    return [
        [
            path,
            name,
            round(statistics.median(measured[name]) * 1000 / (requests * clients), 2),
            median_ratio(measured[name], measured[TODAY]),
            median_ratio(took[name], took[TODAY]),
        ]
        for name in servers
    ]


if __name__ == "__main__":
    main()
