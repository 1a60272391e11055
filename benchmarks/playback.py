"""Stored videos as players take them: whole, by seeks, and left in the middle; and streams that are left.

    python benchmarks/playback.py

All servers run in separate processes over one folder made for this; the client is this process.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import statistics
import sys
import tempfile
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from measuring import listening, p95_ms, serving
from results import Goal, Table, options, save

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.settings.loading import load_settings
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.records import VideoFacts, VideoFields, VideoRecord

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


def serve_file(folder: Path, port: int) -> None:
    """Serve the stored file itself, sent by the kernel."""
    file = folder / "store" / keys.original_key(VIDEO_ID)

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


def main() -> None:
    """Measure and save; or serve for a measurement."""
    chosen = options(__doc__, megabytes=300, rounds=5, seeks=200, serve=[])
    if chosen.serve:
        folder, port = chosen.serve
        serve_file(Path(folder), int(port))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "data")
        size_bytes = chosen.megabytes * 2**20
        make(folder, size_bytes)
        places = [number * (size_bytes - 300_000) // chosen.seeks for number in range(chosen.seeks)]
        with serving(folder, "--alone") as (process, port):
            with listening(sys.executable, __file__, "--serve", folder) as (_, other_port):
                speeds = [(whole_mb_s(port), whole_mb_s(other_port)) for _ in range(chosen.rounds)]
            own_mb_s, other_mb_s = (round(statistics.median(of), 1) for of in zip(*speeds, strict=True))
            own_ms = seek_ms(port, places)
            on_mb = read_on_mb(process, port)
            gone_s = streams_gone_s(process, port)
        alone_ms = store_ms(folder, places)
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
        ],
        goals=[
            Goal("throughput, against sendfile (times)", round(own_mb_s / other_mb_s, 2), at_least=0.7),
            Goal(
                "first byte of a seek over the store alone, p95 (ms)", round(own_ms - alone_ms, 2), at_most=50
            ),
            Goal("read on after a viewer has gone (MB)", on_mb, at_most=16),
            Goal(f"{STREAMS} streams that were left are gone (s)", gone_s, at_most=5),
        ],
    )


if __name__ == "__main__":
    main()
