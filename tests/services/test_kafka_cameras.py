"""A camera with a real Kafka that is killed: its frames wait on disk, and lost frames are named."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from serving.own import OwnServer
from tests.kit.waiting import until
from tests.live.capturing import (
    Capturing,
    all_in_the_books,
    count_decoded,
    here,
    lost_of,
    manifests_of,
    overflow_is_named,
    settled,
)
from tests.live.showing import LAUNCHES, RtspCamera
from tests.live.test_camera_packs import send
from tests.live.test_power_cut import cut, minute_is_whole

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]


@pytest.mark.parametrize("shown", ["mjpeg", "large"])
def test_while_kafka_is_down_frames_are_buffered_on_disk_up_to_the_limit_and_all_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str
) -> None:
    decoded = count_decoded(monkeypatch)
    with OwnServer("kafka", tmp_path / "servers") as broker:
        monkeypatch.setenv("FRAMETALLY_LOG_URL", broker.values["URL"])
        monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
        monkeypatch.setenv("FRAMETALLY_COUNT_OBJECTS", "false")
        settings = here(tmp_path, live_buffer_mb=16)
        with RtspCamera(LAUNCHES[shown]) as camera, Capturing(settings, camera.address) as capturing:
            capturing.until_frames(5)
            broker.signal(signal.SIGKILL)
            before = sum(decoded.values())
            until(lambda: lost_of(settings) > 5 if shown == "large" else sum(decoded.values()) > before + 30)
            broker.up()
            capturing.until_frames(20)
        if shown == "large":
            overflow_is_named(capturing, settings, decoded)
        announced = all_in_the_books(settings)
        counted = sum(one.frames_announced for one in manifests_of(capturing.store))
        assert counted == len(announced)
        assert shown == "large" or counted == sum(decoded.values()), "nothing is missing"
        assert f" {counted} " in settled(settings)


def test_after_a_power_cut_a_cameras_minute_is_completed_from_kafka(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OwnServer("kafka", tmp_path / "servers") as broker:
        monkeypatch.setenv("FRAMETALLY_LOG_URL", broker.values["URL"])
        monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
        monkeypatch.setenv("FRAMETALLY_COUNT_OBJECTS", "false")
        settings = here(tmp_path)
        cut(settings, analysed=False)
        assert send(settings, packs=False).failure is None
        assert minute_is_whole(settings)
        assert "settled" in settled(settings)
