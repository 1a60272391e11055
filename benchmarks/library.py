"""What a library of ten thousand videos costs: its pages by HTTP, from the real server, one after the other.

python benchmarks/library.py [--videos 10000] [--times 40]
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import random
import statistics
import tempfile
import threading
import time
import uuid
from contextlib import closing
from pathlib import Path

from results import Goal, Table, save

from frametally import keys
from frametally.settings.loading import load_settings
from frametally_cli.stages.looking import open_to_look
from frametally_videos.catalogue.catalogue_rows import Artifact, VideoBooks, VideoState
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.opening import catalogue_to_look, open_video_catalogue
from frametally_videos.records import VideoFacts, VideoFields, VideoRecord
from frametally_web.app import close_app, create_app
from frametally_web.serving import DashboardServer

MOST_MS = 100.0
DAY_MS = 86_400_000
START_MS = 1_767_225_600_000
SOURCES = 40
QUESTIONS = {
    "first page, newest first": "",
    "by name": "?order=name&direction=asc",
    "by when it was filmed": "?order=filmed",
    "by length": "?order=length",
    "a word that many have": "?q=gate",
    "a word that none has": "?q=nowhere",
    "two words": "?q=gate%20west",
    "one source": "?source=gate-7",
    "a state that few have": "?state=failed",
    "200 in a page": "?limit=200",
}


def fill(catalogue: VideoCatalogue, videos: int) -> None:
    """Note so many videos of some sources, most of them counted."""
    draw = random.Random(1)  # noqa: S311
    for number in range(videos):
        source = f"Gate {draw.randrange(SOURCES)}"
        began_ms = START_MS + draw.randrange(365) * DAY_MS + draw.randrange(DAY_MS)
        record = VideoRecord(
            id=str(uuid.UUID(int=draw.getrandbits(128), version=4)),
            sha256=hashlib.sha256(str(number).encode()).hexdigest(),
            size_bytes=draw.randrange(10**6, 10**9),
            name=f"{source} {draw.choice(('west', 'east', 'north'))} {number}",
            file_name=f"cam_{number:05d}.mp4",
            source=keys.slug(source),
            source_name=source,
            fields=VideoFields(source=source),
            facts=VideoFacts(
                container="mp4",
                content_type="video/mp4",
                codec="h264",
                width_px=1280,
                height_px=720,
                fps=25.0,
                duration_s=draw.uniform(5, 900),
                frames=9000,
                has_sound=False,
                plays_in_browsers=True,
                started_at_ms=began_ms,
                time_source="container",
            ),
            uploaded_at_ms=START_MS + 60_000 * number,
        )
        catalogue.put_video(record, "1")
        books = VideoBooks(900, 900, 900, 0, 900, {"car": draw.randrange(900), "bus": 3, "person": 12})
        state: VideoState = "failed" if number % 500 == 0 else "ready"
        catalogue.set_video(record.id, state=state, range_ms=(began_ms, began_ms + 60_000), books=books)
        folder = keys.video_folder(record.id)
        catalogue.set_artifacts(
            record.id,
            [
                Artifact("poster", f"{folder}/poster-0a1b2c3d.jpg", "image/jpeg", 20_000),
                Artifact("sprite", f"{folder}/sprite-0a1b2c3d.jpg", "image/jpeg", 300_000),
                Artifact("sprite_vtt", f"{folder}/sprite-0a1b2c3d.vtt", "text/vtt", 6_000),
            ],
        )


def ask(connection: http.client.HTTPConnection, query: str) -> float:
    """Ask once; how long the whole answer took, in milliseconds."""
    began_s = time.perf_counter()
    connection.request("GET", f"/api/v1/videos{query}")
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"/api/v1/videos{query}: {answer.status}")
    return (time.perf_counter() - began_s) * 1000


def measure(url: str, times: int) -> list[list[str | int | float | None]]:
    """Ask each question so often, in turn; a row each: median and 95th percentile."""
    host = url.removeprefix("http://")
    took: dict[str, list[float]] = {what: [] for what in QUESTIONS}
    with closing(http.client.HTTPConnection(host, timeout=60)) as connection:
        for query in QUESTIONS.values():
            ask(connection, query)
        for _ in range(times):
            for what, query in QUESTIONS.items():
                took[what].append(ask(connection, query))
    return [
        [what, round(statistics.median(ms), 1), round(statistics.quantiles(ms, n=20)[18], 1)]
        for what, ms in took.items()
    ]


def main() -> None:
    """Fill a catalogue, serve it, ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=40)
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings("web", data_dir=Path(folder))
        with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
            fill(catalogue, asked.videos)
        with open_to_look(settings) as (ports, ledger), catalogue_to_look(ports.settings) as catalogue:
            app = create_app(
                settings=ports.settings,
                store=ports.store,
                index=ports.index,
                ledger=ledger,
                log=ports.log,
                catalogue=catalogue,
            )
            server = DashboardServer(app, host="127.0.0.1", port=0)
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                rows = measure(server.url, asked.times)
            finally:
                server.stop()
                thread.join()
                close_app(app)
    slowest = max(float(row[2] or 0) for row in rows)
    save(
        name="library",
        title="A library of ten thousand videos",
        about=f"{asked.videos} videos of {SOURCES} sources in SQLite, asked by HTTP for one page after the "
        f"other, each question {asked.times} times in turn; client and server share a process.",
        load_before=load_before,
        packages=["SQLAlchemy", "Flask", "uvicorn"],
        tables=[
            Table(
                title="A page of `/api/v1/videos`", columns=["question", "median, ms", "p95, ms"], rows=rows
            )
        ],
        goals=[Goal(what="the slowest question's 95th percentile, ms", measured=slowest, at_most=MOST_MS)],
    )


if __name__ == "__main__":
    main()
