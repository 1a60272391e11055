"""An upload to a dashboard appears in its chart without another command, with the usual counts."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import closing
from pathlib import Path

import pytest
import urllib3
from tests.family.footage import FPS, SETTINGS, make_video
from tests.family.running import Running, of_group
from tests.kit.processes import run_program
from tests.kit.waiting import until
from tests.live.watching import Shown, Watcher, open_socket
from websockets.exceptions import ConnectionClosed

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs

pytestmark = pytest.mark.thorough

START_TIME = "2026-03-01T10:00:00Z"
FRAMES = 100


def part_files(data_dir: Path) -> dict[str, bytes]:
    with closing(open_object_store(f"file://{data_dir}/store")) as store:
        return {
            f"{run.model}/{run.interval_s}/{run.day}/{name}": store.get(f"{run.prefix}/{name}")
            for run in current_runs(store)
            for name in run.parts
        }


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("video") / "gate.mp4", frames=FRAMES)


@pytest.fixture(scope="module")
def run(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of `frametally run` of the same file."""
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-m", "frametally", "run", str(video), "--no-serve"]
    run_program(
        [*command, "--source", "Gate", "--start-time", START_TIME], cwd=folder, env=os.environ | SETTINGS
    )
    return folder / "frametally-data"


def test_a_dashboard_starts_workers_with_the_first_waiting_video_and_ends_them_with_itself(
    video: Path, tmp_path: Path
) -> None:
    with Running(tmp_path, "serve", settings=SETTINGS) as dashboard:
        assert dashboard.ask("/api/v1/videos")["videos"] == []
        assert list(of_group(dashboard.process.pid)) == [dashboard.process.pid]
        dashboard.upload(video, source="Gate", start_time=START_TIME)
        until(lambda: all(dashboard.process_of(member) for member in ("work", "consume", "aggregate")))
        assert dashboard.ends_by(signal.SIGTERM) == 0
        assert of_group(dashboard.process.pid) == {}
    # The rest is taken by the next worker.
    with Running(tmp_path, "serve", settings=SETTINGS) as again:
        [shown] = again.ask("/api/v1/videos")["videos"]
        again.comes_to(shown["id"], "ready")


def test_an_upload_without_a_time_becomes_ready_and_streams_to_its_end(video: Path, tmp_path: Path) -> None:
    calibration = {
        "points": [[20, 220], [300, 220], [200, 60], [120, 60]],
        "metres": [[0, 0], [6, 0], [6, 30], [0, 30]],
    }
    with Running(tmp_path, "serve", settings=SETTINGS) as dashboard:
        accepted = dashboard.upload(
            video,
            name="Gate",
            roi=json.dumps({"points": [[10, 10], [310, 10], [310, 230], [10, 230]]}),
            calibration=json.dumps(calibration),
        )
        dashboard.comes_to(accepted["id"], "ready")
        stream = dashboard.post("/api/stream/start", video_id=accepted["id"], speed=2)
        shown: list[int] = []
        with open_socket(dashboard.url.replace("http", "ws", 1) + stream["websocket"]) as socket:
            watcher = Watcher(socket)
            try:
                while True:
                    if isinstance(one := watcher.next(), Shown):
                        assert one.jpeg.startswith(b"\xff\xd8")
                        shown.append(one.header["n"])
                        watcher.ack(one)
            except ConnectionClosed as closed:
                assert closed.rcvd.code == 1000
        assert len({one.header["image_path"] for one in watcher.frames}) == len(shown)
        # A busy viewer does not get frames that it cannot draw in time; they are counted.
        assert len(shown) + watcher.frames[-1].header["left_out"] == FRAMES


def test_a_dashboard_starts_the_stream_worker_with_the_first_stream_and_restarts_it_if_it_dies(
    video: Path, tmp_path: Path
) -> None:
    with Running(tmp_path, "serve", settings=SETTINGS) as dashboard:
        accepted = dashboard.upload(video, source="Gate", start_time=START_TIME)
        dashboard.comes_to(accepted["id"], "ready")
        assert dashboard.process_of("live") is None
        # Slow enough to be still running when its worker is killed.
        started = dashboard.post("/api/stream/start", video_id=accepted["id"], speed=2)
        stream = f"/api/v1/streams/{started['stream_id']}"
        until(lambda: dashboard.ask(stream)["state"] == "running")
        worker = dashboard.process_of("live")
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        until(lambda: dashboard.ask(stream)["state"] == "ended")
        assert dashboard.ask(stream)["position_s"] == (FRAMES - 1) / FPS
        assert dashboard.process_of("live") not in (None, worker)
        # A second `aggregate` would count the same days.
        assert [of[3] for of in of_group(dashboard.process.pid).values() if "aggregate" in of] == [
            "aggregate"
        ]
        assert dashboard.ends_by(signal.SIGTERM) == 0
        assert of_group(dashboard.process.pid) == {}
    # An unfinished one is resumed, without a waiting video.
    with Running(tmp_path, "serve", settings=SETTINGS) as again:
        stream_id = again.post("/api/stream/start", video_id=accepted["id"], speed=16)["stream_id"]
        until(lambda: again.ask(f"/api/v1/streams/{stream_id}")["state"] == "ended")
        assert again.process_of("work") is None


def test_a_camera_added_to_an_empty_dashboard_is_kept_run_and_in_the_audit_log(tmp_path: Path) -> None:
    settings = SETTINGS | {"FRAMETALLY_LIVE_ALLOW": "127.0.0.0/8"}
    with Running(tmp_path, "serve", settings=settings) as dashboard:
        assert dashboard.ask("/api/v1/alerts")["rules"] == []
        camera = {"source": "gate", "address": "http://127.0.0.1:9/"}
        answer = urllib3.request("POST", f"{dashboard.url}/api/v1/cameras", json=camera, timeout=60)
        assert answer.status == 201, answer.data
        until(lambda: dashboard.ask("/api/v1/cameras")["cameras"][0]["state"] == "waiting")
        assert dashboard.process_of("live") is not None
        assert [one["what"] for one in dashboard.ask("/api/v1/audit")["changes"]] == ["POST /api/cameras"]
    with Running(tmp_path, "serve", "--alone", settings=settings) as again:
        assert [one["source"] for one in again.ask("/api/v1/cameras")["cameras"]] == ["gate"]


@pytest.mark.parametrize(
    ("arguments", "settings"), [(["--alone"], {}), ([], {"FRAMETALLY_VIDEO_WORKERS": "0"})]
)
def test_a_dashboard_set_to_run_alone_starts_nothing(
    arguments: list[str], settings: dict[str, str], video: Path, tmp_path: Path
) -> None:
    with Running(tmp_path, "serve", *arguments, settings=SETTINGS | settings) as dashboard:
        accepted = dashboard.upload(video, source="Gate", start_time=START_TIME)
        [shown] = dashboard.ask("/api/v1/videos")["videos"]
        assert (shown["id"], shown["state"]) == (accepted["id"], "received")
        dashboard.post("/api/stream/start", video_id=accepted["id"])
        [stream] = dashboard.ask("/api/streams")["streams"]
        assert stream["state"] == "requested"
        assert "run `frametally live work`" in stream["reason"]
        assert list(of_group(dashboard.process.pid)) == [dashboard.process.pid]


def test_a_killed_dashboard_leaves_nothing_running_and_the_next_one_ends_its_workers(
    video: Path, run: Path, tmp_path: Path
) -> None:
    with Running(tmp_path, "serve", settings=SETTINGS) as dashboard:
        accepted = dashboard.upload(video, source="Gate", start_time=START_TIME)
        until(lambda: dashboard.process_of("work") is not None)
        dashboard.process.kill()
        dashboard.process.wait()
        until(lambda: of_group(dashboard.process.pid) == {})
    with Running(tmp_path, "serve", settings=SETTINGS) as again:
        again.comes_to(accepted["id"], "ready")
        assert part_files(again.data_dir) == part_files(run)
