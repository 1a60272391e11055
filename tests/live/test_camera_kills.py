"""Kill the process that captures a camera, and the camera: no announced frame is lost, and the
books settle."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from tests.kit.waiting import until
from tests.live.capturing import (
    PATIENCE_S,
    Capturing,
    Worker,
    all_in_the_books,
    camera_of,
    here,
    live_of,
    manifests_of,
    run_frametally,
    settled,
)
from tests.live.showing import LAUNCHES, RtspCamera
from tests.videos.test_work_kills import SEED, children_of, is_running

from frametally.adapters_by_url import open_object_store
from frametally.live_records import Outage
from frametally.packs.pack_keys import is_part_key
from frametally.packs.packed_store import plain_of
from frametally.settings.loading import Settings
from frametally.work.worker_process import environment_for_child, start_child
from frametally_live.feed_records import Feed, FeedTold

pytestmark = pytest.mark.thorough

KILLS = int(os.environ.get("FAULTS_CAMERA_KILLS", "3"))
SETTINGS = {
    "FRAMETALLY_LIVE_ALLOW": "127.0.0.1",
    "FRAMETALLY_DETECTOR": "pixels",
    "FRAMETALLY_COUNT_OBJECTS": "false",
    "FRAMETALLY_SAMPLE_FPS": "all",
    "FRAMETALLY_LEASE_S": "1",
}


@pytest.fixture(autouse=True)
def set_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def until_more(settings: Settings, frames: int) -> None:
    """Wait for this many more announcements."""
    before = camera_of(settings).told.frames_announced
    until(lambda: camera_of(settings).told.frames_announced >= before + frames, str(camera_of(settings)))


def until_ended(processes: list[int]) -> None:
    until(lambda: not any(map(is_running, processes)))


def reports_of(child: subprocess.Popen[bytes]) -> Iterator[FeedTold]:
    assert child.stdout is not None
    return (msgspec.json.decode(line, type=FeedTold) for line in child.stdout)


def test_a_process_that_loses_its_worker_ends_and_leaves_its_frames_to_the_next_session(
    tmp_path: Path,
) -> None:
    settings = here(tmp_path)
    with RtspCamera(LAUNCHES["mjpeg"]) as camera:
        feed = Feed("1", "camera", "gate-1", "Gate 1", address=camera.address)
        environment = environment_for_child(settings) | {"FRAMETALLY_LEASE_S": "600"}
        with start_child("frametally_live.feeds", environment) as child:
            assert child.stdin and child.stdout and child.stderr
            child.stdin.write(msgspec.json.encode(feed) + b"\n")
            child.stdin.flush()
            next(report for report in reports_of(child) if report.frames_announced)
            child.stdout.close()
            child.stderr.close()
            child.wait(PATIENCE_S)  # or two sessions would share its frames on disk
        with Capturing(settings, camera.address) as capturing:
            capturing.until_frames(1)
    all_in_the_books(settings)
    assert not any(live_of(minute).losses for minute in manifests_of(capturing.store))
    assert not list((settings.data_dir / "live/gate-1").iterdir())


@pytest.mark.parametrize("behind_ms", [1500, 30_000])
def test_an_outage_begins_with_the_last_stored_frame_however_old_the_last_report_is(
    tmp_path: Path, behind_ms: int
) -> None:
    settings = here(tmp_path)
    with RtspCamera(LAUNCHES["mjpeg"]) as camera:
        with Capturing(settings, camera.address) as before:
            before.until_frames(5)
        last_ms = max(frame.captured_at_ms for frame in all_in_the_books(settings))
        report = FeedTold("running", captured_at_ms=last_ms - behind_ms, frames_announced=5)
        with Capturing(settings, camera.address, told=report) as after:
            after.until_frames(1)
    firsts_ms = [frame.captured_at_ms for frame in all_in_the_books(settings)]
    back_ms = min(at_ms for at_ms in firsts_ms if at_ms > last_ms)
    assert {(outage.from_ms, outage.to_ms) for outage in outages_in(settings)} == {(last_ms, back_ms)}


def outages_in(settings: Settings) -> list[Outage]:
    found = manifests_of(open_object_store(settings.store_url))
    return [outage for one in found for outage in live_of(one).outages if outage.to_ms is not None]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", [(), ("--packs",)], ids=["single", "packs"])
def test_after_any_kill_no_announced_frame_is_lost_and_each_gap_has_its_times(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311 - no secret
    settings, said = here(tmp_path), tmp_path / "said.txt"
    with RtspCamera(LAUNCHES["mjpeg"]) as camera:
        run_frametally("live", "add", camera.address, "--source", "Gate 1", settings=settings)
        for number in range(KILLS):
            with Worker(settings, said, *options) as worker:
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
            until_ended(victims)  # including those whose worker was killed
        with Worker(settings, said, *options):  # uses the rest of the last one on disk
            until_more(settings, 1)
            run_frametally("live", "stop", "gate-1", settings=settings)
            until(lambda: camera_of(settings).is_over, str(camera_of(settings)))
    announced = [one.captured_at_ms for one in all_in_the_books(settings)]
    missed = [(before, after) for before, after in pairwise(announced) if after - before > 1000]
    told = outages_in(settings)
    for before, after in missed:
        assert any(
            abs(one.from_ms - before) <= 1000 and abs((one.to_ms or 0) - after) <= 1000 for one in told
        ), (before, after, told)
    assert f" {len(announced)} " in settled(settings)
    with closing(open_object_store(settings.store_url)) as store:
        objects = [info.key for info in plain_of(store).list("images")]
    assert {is_part_key(key) for key in objects} == {bool(options)}
