"""Cameras of this machine, as far as one without any can tell: what is none is one line, with its remedy.

No test sees frames of a real device here: they come through the reader that all cameras share.
"""

from __future__ import annotations

import os
from pathlib import Path

import av
import pytest
from tests.live.test_opening import failure_of, to_open

from frametally.process.allowed_addresses import CameraAddress
from frametally_live.cameras.failures import CameraAway


def told_of(path: str) -> str:
    camera = to_open("rtsp://127.0.0.1/")._replace(address=CameraAddress("", "", 0, path))
    told = failure_of(camera)
    assert isinstance(told, CameraAway)
    return str(told)


def test_ffmpeg_has_its_reader_of_such_devices() -> None:
    assert "video4linux2,v4l2" in av.formats_available


def test_a_camera_that_is_not_plugged_in_is_one_line() -> None:
    assert told_of("/dev/video987") == "/dev/video987 is not there: plug the camera in"


def test_a_file_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "video0").write_bytes(b"no device")
    assert told_of(str(tmp_path / "video0")).endswith(
        "video0 is no device: give that of a camera, /dev/videoN"
    )


def test_a_device_that_is_no_camera_is_one_line() -> None:
    assert told_of("/dev/null") == "cannot be opened (Inappropriate ioctl for device)"


def test_a_camera_that_we_may_not_read_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert told_of("/dev/null").startswith(
        "/dev/null cannot be read: add who runs this to the device's group"
    )
