"""Kill who captures a camera, and the camera: nothing that was announced is lost, and the books settle."""

from __future__ import annotations

import os
import random
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
from tests.live.capturing import (
    Worker,
    all_in_the_books,
    camera_of,
    here,
    live_of,
    manifests_of,
    run_frametally,
    settled,
    until,
)
from tests.live.showing import LAUNCHES, RtspCamera
from tests.videos.test_work_kills import SEED, children_of, is_running

from frametally.live_records import Outage
from frametally.opening import open_object_store
from frametally.settings.loading import Settings

pytestmark = pytest.mark.thorough

KILLS = int(os.environ.get("FAULTS_CAMERA_KILLS", "3"))
SETTINGS = {
    "FRAMETALLY_LIVE_ALLOW": "127.0.0.1",
    "FRAMETALLY_DETECTOR": "pixels",
    "FRAMETALLY_COUNT_OBJECTS": "false",
    "FRAMETALLY_SAMPLE_FPS": "all",
    "FRAMETALLY_STREAM_LEASE_S": "1",
}


@pytest.fixture(autouse=True)
def set_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def until_more(settings: Settings, frames: int) -> None:
    """Wait until that many more are announced."""
    before = camera_of(settings).told.frames_announced
    until(lambda: camera_of(settings).told.frames_announced >= before + frames, str(camera_of(settings)))


def until_ended(processes: list[int]) -> None:
    until(lambda: not any(map(is_running, processes)))


def outages_in(settings: Settings) -> list[Outage]:
    found = manifests_of(open_object_store(settings.store_url))
    return [outage for one in found for outage in live_of(one).outages if outage.to_ms is not None]


@pytest.mark.timeout(600)
def test_whoever_is_killed_nothing_that_was_announced_is_lost_and_each_gap_has_its_times(
    tmp_path: Path,
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311 - no secret
    settings, said = here(tmp_path), tmp_path / "said.txt"
    with RtspCamera(LAUNCHES["mjpeg"]) as camera:
        run_frametally("live", "add", camera.address, "--source", "Gate 1", settings=settings)
        for number in range(KILLS):
            with Worker(settings, said) as worker:
                until_more(settings, 5)
                time.sleep(rng.uniform(0.0, 1.0))
                victims = [worker.process.pid, *children_of(worker.process.pid)]
                os.kill(victims[number % 2], signal.SIGKILL)
                if number % 2:
                    until_more(settings, 1)
                    camera.kill()
                    until(lambda: camera_of(settings).told.away_since_ms is not None)
                    camera.start()
                    until_more(settings, 1)
            until_ended(victims)  # also those whose worker was killed
    announced = [one.captured_at_ms for one in all_in_the_books(settings)]
    missed = [(before, after) for before, after in pairwise(announced) if after - before > 1000]
    told = outages_in(settings)
    for before, after in missed:
        assert any(
            abs(one.from_ms - before) <= 1000 and abs((one.to_ms or 0) - after) <= 1000 for one in told
        ), (before, after, told)
    assert f" {len(announced)} " in settled(settings)
