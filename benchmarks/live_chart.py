"""How long it takes from a camera's frame to its count in the chart, by `frametally up` with its defaults.

    python benchmarks/live_chart.py [--cameras 1 2 4] [--seconds 60]

The cameras are those of the tests: a real RTSP server each, ten frames a second. The benchmark requests the
chart five times a second.
"""

from __future__ import annotations

import bisect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from measuring import FRAMETALLY, listening
from results import ROOT, Cell, Goal, Table, options, save

from frametally.adapters_by_url import open_frame_log
from frametally.records import FrameAnnouncement, decode
from frametally.settings.loading import Settings, load_settings

sys.path.append(str(ROOT))

from tests.live.showing import RtspCamera

LOOK_EVERY_S = 0.2
PATIENCE_S = 300
MOST_S = 10.0
Seen = list[tuple[float, int]]


def main() -> None:
    """Measure, and write benchmarks/results/live_chart.json."""
    asked = options(__doc__, cameras=[1, 2, 4], seconds=60.0)
    rows: list[list[Cell]] = []
    p95_s: dict[int, float] = {}
    for cameras in asked.cameras:
        with tempfile.TemporaryDirectory() as folder:
            late_s = camera_to_chart(Path(folder), cameras, asked.seconds)
        of_all = [
            (statistics.median(late), statistics.quantiles(late, n=20)[-1], max(late)) for late in late_s
        ]
        slowest = [round(max(parts), 1) for parts in zip(*of_all, strict=True)]
        p95_s[cameras] = slowest[1]
        rows.append([cameras, sum(map(len, late_s)), *slowest])
    save(
        name="live_chart",
        title="From a camera to the chart",
        about="`frametally up` with its default settings on an empty folder, all parts embedded. A frame's "
        "time is its event time by the camera's clock, which is this machine's; it is in the chart with the "
        "first answer of `/api/v1/counts` that has as many frames, asked for five times a second. In between "
        "lie the way through the camera's encoder, the spool and the log, detection, the segment (2 s at "
        "most), the wait for the round of counting, counting and indexing. All of them, and the cameras, "
        "share the cores. Of several cameras that run at once, each number is that of the slowest.",
        packages=["av", "mrjob", "openvino"],
        tables=[
            Table(
                "Seconds from a frame's event time to its count",
                ["cameras", "frames", "median, s", "p95, s", "longest, s"],
                rows,
            )
        ],
        goals=[
            Goal(f"seconds from camera to chart, p95, cameras: {cameras}", p95, at_most=MOST_S)
            for cameras, p95 in p95_s.items()
        ],
    )


def camera_to_chart(folder: Path, cameras: int, seconds: float) -> list[list[float]]:
    """Return each frame's delay in the chart, by camera, once every camera is in the chart."""
    os.environ |= {"FRAMETALLY_DATA_DIR": str(folder), "FRAMETALLY_LIVE_ALLOW": "127.0.0.1"}
    sources = [f"gate-{number}" for number in range(1, cameras + 1)]
    seen: dict[str, Seen] = {source: [] for source in sources}
    with ExitStack() as stack:
        _, port = stack.enter_context(listening(*FRAMETALLY, "up", "--port"))
        for source in sources:
            address = stack.enter_context(RtspCamera()).address
            add = [*FRAMETALLY, "live", "add", address, "--source", source]
            subprocess.run(add, check=True, stdout=subprocess.DEVNULL)
        wait_s = time.monotonic() + PATIENCE_S
        while not all(in_chart(port, source) for source in sources):
            if time.monotonic() > wait_s:
                raise SystemExit("no frame came into the chart")
            time.sleep(LOOK_EVERY_S)
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            for source in sources:
                seen[source].append((time.time(), in_chart(port, source)))
            time.sleep(LOOK_EVERY_S)
    announced = announced_in(load_settings())
    return [late_of(announced[source], seen[source]) for source in sources]


def late_of(announced_s: list[float], seen: Seen) -> list[float]:
    """Return the delay of each frame that appeared in the chart while it was watched."""
    counts = [count for _, count in seen]
    return [
        seen[bisect.bisect_left(counts, number)][0] - announced_s[number - 1]
        for number in range(counts[0] + 1, counts[-1] + 1)
    ]


def in_chart(port: int, source: str) -> int:
    """Return the number of the source's frames covered by the chart's answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/counts?source={source}") as answer:
            return int(json.load(answer)["frames"])
    except urllib.error.HTTPError:
        return 0  # nothing of the source is counted yet


def announced_in(settings: Settings) -> dict[str, list[float]]:
    """Return the event times of all live announcements, in their order, by source."""
    times: dict[str, set[int]] = {}
    nothing: Callable[[list[int]], None] = lambda _: None  # noqa: E731
    with (
        closing(open_frame_log(settings.log_url, settings.log_access)) as log,
        closing(
            log.subscribe(settings.live_topic, uuid.uuid4().hex, on_assigned=nothing, on_revoked=nothing)
        ) as group,
    ):
        while records := group.poll(timeout_s=1.0):
            for record in records:
                one = decode(record.value, FrameAnnouncement)
                times.setdefault(one.source, set()).add(one.captured_at_ms)
    return {source: [ms / 1000 for ms in sorted(found)] for source, found in times.items()}


if __name__ == "__main__":
    main()
