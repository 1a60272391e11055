"""The parts of a soak test of cameras: the processes of a deployment, its cameras, and its books."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.kit.ports import free_port
from tests.kit.processes import run_program
from tests.live.capturing import announcements_in
from tests.videos.test_work_kills import children_of

from frametally.adapters_by_url import open_object_store
from frametally.media.manifests import list_manifests
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.loading import Settings, load_settings

PATIENCE_S = 120.0
LONGEST_STEP_MS = 250
"""Two frames, and the tolerance of a camera's clock; more than that is a gap."""
COMMANDS = {
    "consumer": ["consume", "--live"],
    "producer": ["live", "work"],
    "web": ["serve", "--alone", "--port"],
}


class Books(NamedTuple):
    """The numbers of one source, in frames.

    Attributes:
        source: Its slug.
        announced: Noted in the manifests of its minutes.
        on_log: On the log, without repetitions.
        detected: In segments, without repetitions.
        dead_letters: Set aside.
        lost: Named losses.
        counted: In the current runs, by `frametally status`.
        gaps: Gaps in its event time.
        silent: Those of them that no outage, no loss and no lost packet tells of.
    """

    source: str
    announced: int
    on_log: int
    detected: int
    dead_letters: int
    lost: int
    counted: int
    gaps: int
    silent: list[tuple[int, int]]


class LivePlace:
    """A deployment on a separate log; `close` leaves no process behind."""

    def __init__(self, folder: Path, log_url: str) -> None:
        """Start nothing yet."""
        self.data_dir = folder / "data"
        self.environment = {
            "FRAMETALLY_LOG_URL": log_url,
            "FRAMETALLY_LOG_PARTITIONS": "3",
            "FRAMETALLY_DETECTOR": "pixels",
            "FRAMETALLY_LIVE_ALLOW": "127.0.0.1",
            "FRAMETALLY_SAMPLE_FPS": "all",
            "FRAMETALLY_LEASE_S": "2",
            "FRAMETALLY_BATCH_FRAMES": "100",
            "FRAMETALLY_BATCH_S": "1",
            "FRAMETALLY_COUNT_OBJECTS": "false",
        }
        self.settings: Settings = load_settings(
            data_dir=self.data_dir, log_url=log_url, live_allow="127.0.0.1", sample_fps="all"
        )
        self.store: ObjectStore = open_object_store(self.settings.store_url)
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.web_port = free_port()
        self.memory_mb: dict[str, list[float]] = defaultdict(list)

    def start(self, name: str) -> None:
        """Start one of `COMMANDS`."""
        port = [str(self.web_port)] if name == "web" else []
        with (self._folder / f"{name}.txt").open("ab") as output:
            self._running[name] = subprocess.Popen(
                self._command(*COMMANDS[name], *port),
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self, name: str) -> None:
        """Kill one, at any point of its work."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def end(self, name: str) -> None:
        """End one like Ctrl-C."""
        process = self._running.pop(name)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0, self.said(name)

    def run(self, *arguments: str) -> str:
        """Run a command to its end; it must succeed; return its output."""
        return run_program(self._command(*arguments), env=os.environ | self.environment).stdout

    def said(self, name: str) -> str:
        """The last report of this one."""
        return (self._folder / f"{name}.txt").read_text(errors="replace")[-3000:]

    def look(self) -> None:
        """Note the memory of each process; none may have ended by itself."""
        for name, process in self._running.items():
            assert process.poll() is None, f"{name} ended: {self.said(name)}"
            for kind, pid in [(name, process.pid), *((f"{name}'s", pid) for pid in children_of(process.pid))]:
                self.memory_mb[kind].append(_memory_mb(pid))

    def close(self) -> None:
        """Kill all remaining processes."""
        for name in list(self._running):
            self.kill(name)
        self.store.close()

    def books(self) -> list[Books]:
        """The numbers of each source, once everything has settled."""
        status = json.loads(self.run("status", "--json"))
        counted = {one["source"]: one["counted"] for one in status["sources"]}
        dead = {one["source"]: one["dead_lettered"] for one in status["sources"]}
        segments = [read_segment(self.store, key) for key in list_segments(self.store)]
        detected = {frame.image_path: frame.source for segment in segments for frame in segment.frames()}
        announced = self._announced()
        media: dict[str, list[MediaManifest]] = defaultdict(list)
        for one in list_manifests(self.store):
            media[one.source].append(one)
        books = []
        for source, some in sorted(media.items()):
            gaps = [gap for gap in pairwise(sorted(announced[source])) if gap[1] - gap[0] > LONGEST_STEP_MS]
            told = _told(some)
            books.append(
                Books(
                    source=source,
                    announced=sum(one.frames_announced for one in some),
                    on_log=len(announced[source]),
                    detected=sum(one == source for one in detected.values()),
                    dead_letters=dead[source],
                    lost=sum(loss.frames for one in some if one.live for loss in one.live.losses),
                    counted=counted[source],
                    gaps=len(gaps),
                    silent=[gap for gap in gaps if not _is_told(*gap, told)],
                )
            )
        return books

    def _announced(self) -> dict[str, set[int]]:
        """Event times on the log, by source."""
        times: dict[str, set[int]] = defaultdict(set)
        for one in announcements_in(self.settings):
            assert one.captured_at_ms not in times[one.source], "two frames of one moment"
            times[one.source].add(one.captured_at_ms)
        return times

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "frametally", *arguments, "--data-dir", str(self.data_dir)]


def _told(media: Sequence[MediaManifest]) -> list[tuple[int, int]]:
    """Event time that is reported as missing."""
    told: list[tuple[int, int]] = []
    for one in media:
        minute_end_ms = one.live.minute_ms + 60_000
        told += [(out.from_ms, minute_end_ms if out.to_ms is None else out.to_ms) for out in one.live.outages]
        told += [(loss.from_ms - 100, loss.to_ms + 100) for loss in one.live.losses]
        if one.live.packets_lost or one.live.pieces_damaged:
            told.append((one.live.minute_ms, minute_end_ms))
    return sorted(told)


def _is_told(from_ms: int, to_ms: int, told: Sequence[tuple[int, int]]) -> bool:
    """Whether the reported losses leave a gap of at most one step."""
    for begun_ms, ended_ms in told:
        if begun_ms <= from_ms + LONGEST_STEP_MS and ended_ms > from_ms:
            from_ms = ended_ms
    return to_ms - from_ms <= LONGEST_STEP_MS


def _memory_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):  # it has just ended
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
