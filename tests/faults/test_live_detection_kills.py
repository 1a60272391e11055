"""A live detector that is killed at any failpoint leaves the segments of a quiet run."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest
from tests.fakes.records import make_announcement, make_frame
from tests.faults.conftest import Deployment, assert_chains
from tests.kit.clips import jpeg_of
from tests.kit.messages import records_on

from frametally import keys
from frametally.process import failpoints
from frametally.records import encode
from frametally.segments.contents import list_segments, read_segment

pytestmark = pytest.mark.thorough


LIVE, RESULTS = "video-frames", "processed-frames"
FRAMES = 12
# Failpoints of lost races need two consumers: test_kills.py has them.
POINTS = [
    name
    for name in failpoints.FAILPOINTS
    if name.startswith(("consumer.", "chain.", "results."))
    and name not in ("chain.race-lost", "chain.adopted")
]
SETTINGS = {
    "FRAMETALLY_BATCH_FRAMES": "5",
    "FRAMETALLY_LEASE_S": "1",
    "FRAMETALLY_LOG_PARTITIONS": "2",
    "FAULTS_JITTER_S": "0",
}


def announce(deployment: Deployment) -> None:
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[4:16, 6:20] = 255
    jpeg = jpeg_of(picture)
    with closing(deployment.store()) as store, closing(deployment.log()) as log:
        log.create_topic(LIVE, 2)
        for number in range(FRAMES):
            frame = make_announcement(
                make_frame(1_000 * number, number, source="gate", size_px=(32, 24)), jpeg
            )
            store.put(frame.image_path, jpeg)
            log.publish(LIVE, [(keys.frame_log_key("gate", frame.captured_at_ms), encode(frame))])


def lines(deployment: Deployment) -> list[bytes]:
    with closing(deployment.store()) as store:
        return sorted(line for key in list_segments(store) for line in read_segment(store, key).frame_lines)


def results(deployment: Deployment) -> set[bytes]:
    with closing(deployment.log()) as log:
        return {record.value for record in records_on(log, RESULTS)}


@pytest.fixture
def quiet(deploy: Callable[..., Deployment]) -> list[bytes]:
    deployment = deploy("quiet", **SETTINGS)
    announce(deployment)
    deployment.run("consume", "--live", "--until-caught-up")
    return lines(deployment)


@pytest.mark.timeout(600)
def test_killed_at_every_failpoint_live_detection_has_the_segments_and_results_of_an_undisturbed_run(
    deploy: Callable[..., Deployment], quiet: list[bytes]
) -> None:
    assert len(quiet) == FRAMES
    for point in POINTS:
        shaken = deploy(point, **SETTINGS)
        announce(shaken)
        killed = shaken.start("consume", "--live", "--until-caught-up", FRAMETALLY_FAILPOINT=point)
        assert killed.wait(120) == -signal.SIGKILL, f"{point}: {killed.output.read_text()[-3000:]}"
        stored = lines(shaken)
        shaken.run("consume", "--live", "--until-caught-up")
        assert lines(shaken) == quiet, point
        with closing(shaken.store()) as store, closing(shaken.log()) as log:
            assert_chains(store, log.end_offsets(LIVE))
        assert results(shaken) <= set(quiet), point
        # Frames in a segment are not detected again, even if the kill came before their result was sent.
        assert set(quiet) - set(stored) <= results(shaken), point
