"""Workers that lose their broker, or that it would disconnect, keep their jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from broker_queues import waiting_in
from serving.own import OwnServer
from tests.kit.clips import noisy, write_clip
from tests.services.test_queue_chaos import Place, through, until
from tests.videos.test_work_kills import children_of

from frametally_videos.catalogue.catalogue_rows import Job, JobQuestion

pytestmark = [pytest.mark.services, pytest.mark.timeout(3600)]
ACKNOWLEDGED_S = 3.0
"""Longer than a worker waits here before it acknowledges."""


def at_work(place: Place, worker: subprocess.Popen[bytes]) -> Job:
    """A job whose process hangs, so that it takes as long as the test likes."""
    held: list[Job] = []
    while not held:
        until(lambda: bool(children_of(worker.pid)), place)
        for process in children_of(worker.pid):
            os.kill(process, signal.SIGSTOP)
        held = place.catalogue.find_jobs(JobQuestion(states=("running",))).jobs
        if not held or not children_of(worker.pid):
            held = []
            go_on(worker)
    return held[0]


def go_on(worker: subprocess.Popen[bytes]) -> None:
    for process in children_of(worker.pid):
        os.kill(process, signal.SIGCONT)


def test_a_restarted_broker_ends_no_job_in_progress(tmp_path: Path) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(OwnServer("rabbitmq", tmp_path / "broker"))
        clips = [write_clip(tmp_path / "cam.mp4", noisy(5, 1))]
        place = stack.enter_context(closing(Place(tmp_path, clips, lease_s=20.0, **through(broker))))
        busy = place.start("--queue", "metadata-extraction")
        held = at_work(place, busy)
        broker.signal(signal.SIGKILL, "broker")
        broker.up()
        place.start()
        until(lambda: place.catalogue.job_states().keys() == {"running", "done"}, place)
        behind = place.catalogue.queue(held.video_id, "checks")
        until(lambda: place.catalogue.job(behind.id).state == "done", place)
        # So the other worker was offered the first job before, and has found its holder alive.
        go_on(busy)
        until(lambda: place.catalogue.job(held.id).state == "done", place)
        assert place.catalogue.job(held.id).attempts == 1


def test_a_job_longer_than_the_brokers_timeout_is_acknowledged_and_ends_even_if_its_worker_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETTLE_AFTER_S", "0.06")
    with ExitStack() as stack:
        broker = stack.enter_context(OwnServer("rabbitmq", tmp_path / "broker"))
        clips = [write_clip(tmp_path / "cam.mp4", noisy(5, 1))]
        place = stack.enter_context(closing(Place(tmp_path, clips, **through(broker))))
        killed = place.start("--queue", "frames")
        held = at_work(place, killed)
        time.sleep(ACKNOWLEDGED_S)
        killed.kill()
        killed.wait()
        assert waiting_in(broker.values, "frames") == 0, "nobody is told of it again by the broker"
        place.finish()
        assert set(place.catalogue.job_states()) == {"done"}
        assert place.catalogue.job(held.id).attempts == 1  # the lost worker had that one
