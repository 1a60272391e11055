"""A real Prometheus scrapes running processes: its values equal those of the books, and promtool
accepts all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from server_prometheus import scrape
from serving.needs import server
from tests.family.footage import SETTINGS, make_video
from tests.family.running import Running, of_group
from tests.kit.ports import free_port
from tests.kit.waiting import until

from frametally_cli import main as cli

pytestmark = [pytest.mark.services, pytest.mark.timeout(400)]

FRAMES = 40


class Prometheus:
    """Its value for one instance."""

    def __init__(self, address: str) -> None:
        values = server("prometheus")
        self.url = values["URL"]
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self.file = scrape(Path(values["TARGETS"]), self.name, address)

    def value(self, metric: str, **labels: str) -> float | None:
        wanted = ",".join(f'{key}="{value}"' for key, value in ({"instance": self.name} | labels).items())
        query = urllib.parse.urlencode({"query": f"{metric}{{{wanted}}}"})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=30) as answer:  # noqa: S310
            found = json.load(answer)["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    def resets(self, metric: str) -> set[str]:
        """The number of decreases of each series of a counter."""
        query = urllib.parse.urlencode({"query": f'resets({metric}{{instance="{self.name}"}}[1h])'})
        found = json.loads(get(f"{self.url}/api/v1/query?{query}"))["data"]["result"]
        return {one["value"][1] for one in found}


@pytest.fixture
def watched() -> Iterator[Callable[[str], Prometheus]]:
    made: list[Prometheus] = []

    def watch(address: str) -> Prometheus:
        made.append(Prometheus(address))
        return made[-1]

    yield watch
    for one in made:
        one.file.unlink()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
        return bytes(answer.read())


def books(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    cli.main(["status", "--json", "--data-dir", str(data_dir)])
    return dict(json.loads(capsys.readouterr().out))


def checked(body: bytes) -> str:
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode() if done.returncode or done.stderr else ""


def test_metrics_match_the_books_and_grow_across_restarts_and_forgotten_footage(
    tmp_path: Path,
    watched: Callable[[str], Prometheus],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    port = str(free_port())
    monkeypatch.setenv("FRAMETALLY_WEB_PORT", port)
    data_dir = tmp_path / "frametally-data"
    # Of another length: the same bytes would be the same medium.
    first = make_video(tmp_path / "gate.mp4", frames=FRAMES)
    second = make_video(tmp_path / "yard.mp4", frames=FRAMES - 10)
    there = ["--data-dir", str(data_dir)]

    def counted(video: Path, start: str) -> None:
        assert cli.main(["produce", str(video), "--start-time", start, *there]) == 0
        assert cli.main(["consume", "--until-caught-up", *there]) == 0
        assert cli.main(["aggregate", *there]) == 0
        assert cli.main(["index", *there]) == 0

    def serving() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "frametally", "serve", "--alone", *there])

    counted(first, "2026-03-01T10:00:00Z")
    prometheus = watched(f"127.0.0.1:{port}")
    counters = [f"frametally_frames_{name}_total" for name in ("announced", "detected", "counted", "indexed")]
    served = serving()
    try:
        (source,) = books(data_dir, capsys)["sources"]
        for name, counter in zip(("announced", "detected", "counted", "indexed"), counters, strict=True):
            until(lambda counter=counter: prometheus.value(counter) is not None)  # type: ignore[misc]
            assert prometheus.value(counter, source=source["source"]) == source[name] > 0
        before = source["counted"]
        until(lambda: prometheus.value("up") == 1)
        served.send_signal(signal.SIGKILL)
        served.wait()
        until(lambda: prometheus.value("up") == 0)  # on which the alert FrametallyDown looks
        assert cli.main(["forget", str(first), "--yes", *there]) == 0
        assert cli.main(["aggregate", *there]) == 0
        assert cli.main(["index", *there]) == 0
        counted(second, "2026-03-02T10:00:00Z")
        served = serving()
        found = {one["source"]: one["counted"] for one in books(data_dir, capsys)["sources"]}
        assert sum(found.values()) < before + found["yard"]  # what the books have fell
        until(lambda: prometheus.value(counters[2], source="yard") == found["yard"])
        assert prometheus.value(counters[2], source="gate") == before
        assert checked(get(f"http://127.0.0.1:{port}/metrics")) == ""
        for counter in counters:
            assert prometheus.resets(counter) == {"0"}
    finally:
        served.kill()
        served.wait()


def test_commands_report_the_work_of_their_processes_including_killed_ones(
    tmp_path: Path, watched: Callable[[str], Prometheus], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    there = ["--data-dir", str(tmp_path / "frametally-data")]
    video = make_video(tmp_path / "gate.mp4", frames=FRAMES)
    port = free_port()
    command = [sys.executable, "-m", "frametally", "consume", "--workers", "2", *there]
    with subprocess.Popen(
        command, env=os.environ | {"FRAMETALLY_METRICS_ADDRESS": f"127.0.0.1:{port}"}, start_new_session=True
    ) as consumer:
        try:
            prometheus = watched(f"127.0.0.1:{port}")
            assert cli.main(["produce", str(video), "--start-time", "2026-03-01T10:00:00Z", *there]) == 0
            frames = "frametally_stage_frames_total"
            until(lambda: prometheus.value(frames, stage="detect") == FRAMES)
            until(lambda: (prometheus.value("frametally_stage_seconds_count", stage="write") or 0) > 0)
            workers = [
                process
                for process, arguments in of_group(consumer.pid).items()
                if any("spawn_main" in argument for argument in arguments)
            ]
            assert len(workers) == 2
            for process in workers:
                os.kill(process, signal.SIGKILL)
            # They are restarted, and new work is added to that of the killed ones. Frames that these had
            # detected and not written are detected again.
            video = make_video(tmp_path / "yard.mp4", frames=FRAMES + 1)
            assert cli.main(["produce", str(video), "--start-time", "2026-03-02T10:00:00Z", *there]) == 0
            until(lambda: (prometheus.value(frames, stage="detect") or 0) >= 2 * FRAMES + 1)
            assert checked(get(f"http://127.0.0.1:{port}/metrics")) == ""
        finally:
            os.killpg(consumer.pid, signal.SIGKILL)


def test_the_dashboard_reports_the_metrics_of_everything_that_up_runs(
    tmp_path: Path, watched: Callable[[str], Prometheus]
) -> None:
    video = make_video(tmp_path / "gate.mp4", frames=FRAMES)
    with Running(tmp_path, "up", settings=SETTINGS) as up:
        prometheus = watched(up.url.removeprefix("http://"))
        produced = subprocess.run(
            [sys.executable, "-m", "frametally", "produce", video, "--data-dir", up.data_dir],
            env=os.environ | SETTINGS,
            capture_output=True,
            check=False,
        )
        assert produced.returncode == 0, produced.stderr
        until(lambda: prometheus.value("frametally_stage_frames_total", stage="detect") == FRAMES)
        # On a busy machine several rounds count: each counts the frames of the hour that it publishes again.
        until(lambda: (prometheus.value("frametally_stage_frames_total", stage="count") or 0) >= FRAMES)
        until(lambda: prometheus.value("frametally_frames_indexed_total", source="gate") == FRAMES)
        assert checked(get(f"{up.url}/metrics")) == ""
