"""Stored videos as players take them: whole, by seeks, and left in the middle; and streams that are left.

All servers run in separate processes over one folder made for this; the client is this process. With
`--before CHECKOUT --counted FOLDER`, the dashboard of an earlier checkout (with its .venv) answers
`/api/v1/counts` over that folder's counts, alternating with this one.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from results import Goal, Table, save

from frametally import keys
from frametally.opening import open_object_store
from frametally.settings.loading import Settings, load_settings
from frametally_cli.stages.looking import open_to_look
from frametally_videos.opening import catalogue_to_look, open_video_catalogue
from frametally_videos.records import VideoFacts, VideoFields, VideoRecord
from frametally_web.app import create_app
from frametally_web.serving import DashboardServer

OURS = "frametally serve"
YARDSTICK = "sendfile by a thread of Python"
VIDEO_ID = "00000000-0000-4000-8000-000000000001"
PLAYED = f"/processed_videos/{VIDEO_ID}"
STREAMS = 200
_READ_BYTES = 2**20


def make(folder: Path, size_bytes: int) -> None:
    """Put one video of so many bytes into the store and the catalogue of a data folder."""
    data = os.urandom(2**20) * (size_bytes // 2**20)
    settings = load_settings("web", data_dir=folder)
    facts = VideoFacts(
        container="mp4",
        content_type="video/mp4",
        codec="h264",
        width_px=640,
        height_px=360,
        fps=25.0,
        duration_s=60.0,
        frames=1500,
        has_sound=False,
        plays_in_browsers=True,
    )
    record = VideoRecord(
        id=VIDEO_ID,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        name="Gate",
        file_name="gate.mp4",
        source="gate",
        source_name="gate",
        fields=VideoFields(),
        facts=facts,
        uploaded_at_ms=0,
    )
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_video_catalogue(settings.catalogue_url)) as catalogue,
    ):
        store.put(keys.original_key(VIDEO_ID), data)
        catalogue.put_video(record, "1")


def serve_own(settings: Settings, port: int) -> None:
    """Serve the video as `frametally serve` does."""
    with open_to_look(settings) as (ports, ledger), catalogue_to_look(ports.settings) as catalogue:
        app = create_app(
            settings=ports.settings,
            store=ports.store,
            index=ports.index,
            ledger=ledger,
            log=ports.log,
            catalogue=catalogue,
        )
        DashboardServer(app, host="127.0.0.1", port=port).run()


def serve_file(settings: Settings, port: int) -> None:
    """Serve the stored file itself, sent by the kernel."""
    file = Path(settings.store_url.removeprefix("file://"), keys.original_key(VIDEO_ID))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            self.wfile.flush()
            with file.open("rb") as data:
                self.connection.sendfile(data)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


SERVERS = {OURS: serve_own, YARDSTICK: serve_file}


@contextmanager
def listening(*command: str) -> Iterator[tuple[int, int]]:
    """Start the server `command` with a free port as its last argument; give its process and the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as server:
        try:
            until_s = time.monotonic() + 60
            while time.monotonic() < until_s:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield server.pid, port
        finally:
            os.killpg(server.pid, 9)


def started(name: str, folder: Path) -> AbstractContextManager[tuple[int, int]]:
    """Start one of `SERVERS`."""
    return listening(sys.executable, __file__, "--serve", name, str(folder))


def whole_mb_s(port: int) -> float:
    """Return the megabytes a second of the whole video."""
    begun = time.perf_counter()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", PLAYED)
        answer = connection.getresponse()
        taken = 0
        while piece := answer.read(_READ_BYTES):
            taken += len(piece)
    return taken / (time.perf_counter() - begun) / 1e6


def p95_ms(values: list[float]) -> float:
    """Return the 95th percentile in milliseconds, from seconds."""
    return round(1000 * statistics.quantiles(values, n=20)[-1], 2)


def seek_ms(port: int, places: list[int]) -> float:
    """Return the time until the first byte of a range, over one connection."""
    took = []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        for place in places:
            begun = time.perf_counter()
            connection.request("GET", PLAYED, headers={"Range": f"bytes={place}-{place + 200_000}"})
            answer = connection.getresponse()
            answer.read(1)
            took.append(time.perf_counter() - begun)
            answer.read()
    return p95_ms(took)


def store_ms(folder: Path, places: list[int]) -> float:
    """Return the time for the same bytes from the store alone."""
    took = []
    with closing(open_object_store(load_settings("web", data_dir=folder).store_url)) as store:
        for place in places:
            begun = time.perf_counter()
            store.get_range(keys.original_key(VIDEO_ID), place, place + 128 * 1024)
            took.append(time.perf_counter() - begun)
    return p95_ms(took)


def read_bytes(process: int) -> int:
    """Return the number of bytes that a process has read, by the kernel."""
    lines = Path(f"/proc/{process}/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


def read_on_mb(process: int, port: int) -> float:
    """Return how much of the video is read at most after a viewer who took 1 MB has left."""
    most = 0
    for _ in range(5):
        before = read_bytes(process)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as viewer:
            viewer.sendall(f"GET {PLAYED} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            taken = 0
            while taken < 1_000_000:
                taken += len(viewer.recv(_READ_BYTES))
        time.sleep(1)
        most = max(most, read_bytes(process) - before - taken)
    return round(most / 1e6, 1)


def streams_gone_s(process: int, port: int) -> float:
    """Return the time until a server has closed so many streams that were left at once."""
    open_files = Path(f"/proc/{process}/fd")
    before = len(list(open_files.iterdir()))
    streams = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(STREAMS)]
    for one in streams:
        one.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for one in streams:
        if not one.recv(100).startswith(b"HTTP/1.1 200"):
            sys.exit("a stream is refused")
    for one in streams:
        one.close()
    begun = time.perf_counter()
    while len(list(open_files.iterdir())) > before + 10 and time.perf_counter() - begun < 60:
        time.sleep(0.02)
    return round(time.perf_counter() - begun, 2)


def serving(python: str, folder: Path, *options: str) -> AbstractContextManager[tuple[int, int]]:
    """Start the dashboard of one checkout."""
    return listening(python, "-m", "frametally", "serve", "--data-dir", str(folder), *options, "--port")


def cpu_s(process: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answers(process: int, port: int, number: int) -> tuple[list[float], float]:
    """Return the seconds of each of so many answers of counts, and the CPU seconds of all."""
    took, before = [], cpu_s(process)
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        for _ in range(number):
            begun = time.perf_counter()
            connection.request("GET", "/api/v1/counts?interval=60")
            answer = connection.getresponse()
            if answer.status != 200:
                sys.exit(f"counts: {answer.status} {answer.read()[:300]!r}")
            answer.read()
            took.append(time.perf_counter() - begun)
    return took, cpu_s(process) - before


def beside_before(before: Path, counted: Path, rounds: int) -> tuple[Table, list[Goal]]:
    """Measure answers of counts by this dashboard and an earlier one, in turns."""
    took: dict[str, list[float]] = {"before": [], "now": []}
    cpu = dict.fromkeys(took, 0.0)
    with (
        serving(str(before / ".venv/bin/python"), counted) as earlier,
        serving(sys.executable, counted, "--alone") as ours,
    ):
        answers(*earlier, 20)
        answers(*ours, 20)
        for _ in range(rounds):
            for name, server in (("before", earlier), ("now", ours)):
                times, used_s = answers(*server, 200)
                took[name] += times
                cpu[name] += used_s
    slow_ms = {name: p95_ms(times) for name, times in took.items()}
    used_ms = {name: round(1000 * cpu[name] / len(times), 2) for name, times in took.items()}
    table = Table(
        "Answers of counts",
        ["dashboard", "p95 (ms)", "CPU each (ms)"],
        [[name, slow_ms[name], used_ms[name]] for name in took],
    )
    return table, [
        Goal("counts, p95 against before (times)", round(slow_ms["now"] / slow_ms["before"], 2), at_most=1.5),
        Goal("counts, CPU against before (times)", round(used_ms["now"] / used_ms["before"], 2), at_most=1.5),
    ]


def main() -> None:
    """Measure and save; or serve for a measurement."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--megabytes", type=int, default=300)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--seeks", type=int, default=200)
    asked.add_argument("--before", type=Path, metavar="CHECKOUT", help="an earlier one, with its .venv")
    asked.add_argument("--counted", type=Path, metavar="FOLDER", help="a data folder with counts")
    asked.add_argument("--serve", nargs=3, metavar=("NAME", "FOLDER", "PORT"), help=argparse.SUPPRESS)
    chosen = asked.parse_args()
    if chosen.serve:
        name, folder, port = chosen.serve
        SERVERS[name](load_settings("web", data_dir=Path(folder)), int(port))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "data")
        size_bytes = chosen.megabytes * 2**20
        make(folder, size_bytes)
        places = [number * (size_bytes - 300_000) // chosen.seeks for number in range(chosen.seeks)]
        with started(OURS, folder) as (process, port):
            with started(YARDSTICK, folder) as (_, other_port):
                speeds = [(whole_mb_s(port), whole_mb_s(other_port)) for _ in range(chosen.rounds)]
            own_mb_s, other_mb_s = (round(statistics.median(of), 1) for of in zip(*speeds, strict=True))
            own_ms = seek_ms(port, places)
            on_mb = read_on_mb(process, port)
            gone_s = streams_gone_s(process, port)
        alone_ms = store_ms(folder, places)
    compared: list[Table] = []
    compared_goals: list[Goal] = []
    if chosen.before and chosen.counted:
        table, compared_goals = beside_before(chosen.before, chosen.counted, chosen.rounds)
        compared = [table]
    save(
        name="playback",
        title="Playing stored videos",
        about=f"A video of {chosen.megabytes} MiB in a store of files, over the loopback: whole, beside "
        "the same file sent by the kernel; by seeks, beside the store alone; and left after 1 MB.",
        packages=["uvicorn", "starlette"],
        tables=[
            Table("Whole", ["server", "MB a second"], [[OURS, own_mb_s], [YARDSTICK, other_mb_s]]),
            Table(
                "Seeks",
                ["what", "first byte, p95 (ms)"],
                [[OURS, own_ms], ["get_range of the store alone", alone_ms]],
            ),
            Table(
                "Left",
                ["what", "measured"],
                [["MB read on", on_mb], [f"s until {STREAMS} event streams are gone", gone_s]],
            ),
            *compared,
        ],
        goals=[
            Goal("throughput, against sendfile (times)", round(own_mb_s / other_mb_s, 2), at_least=0.7),
            Goal(
                "first byte of a seek over the store alone, p95 (ms)", round(own_ms - alone_ms, 2), at_most=50
            ),
            Goal("read on after a viewer has gone (MB)", on_mb, at_most=16),
            Goal(f"{STREAMS} streams that were left are gone (s)", gone_s, at_most=5),
            *compared_goals,
        ],
    )


if __name__ == "__main__":
    main()
