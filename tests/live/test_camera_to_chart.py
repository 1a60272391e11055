"""A camera's footage is in the chart while it runs: nothing waits for it to end."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.family.running import Running, of_group
from tests.kit.waiting import until
from tests.live.capturing import camera_of, run_frametally
from tests.live.showing import RtspCamera

from frametally.settings.loading import load_settings
from frametally_live.cameras import camera_frames


def charted(family: Running) -> Any:
    """The chart's answer for the camera; before its first count, one without frames."""
    try:
        with urllib.request.urlopen(f"{family.url}/api/v1/counts?source=gate-1", timeout=30) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError:
        return {"frames": 0}


@pytest.mark.timeout(300)
def test_frames_of_a_running_camera_keep_arriving_in_the_chart(tmp_path: Path) -> None:
    settings = {
        "FRAMETALLY_DETECTOR": "pixels",
        "FRAMETALLY_LIVE_ALLOW": "127.0.0.1",
        "FRAMETALLY_BATCH_S": "0.5",
    }
    with (
        RtspCamera() as camera,
        pytest.MonkeyPatch.context() as patch,
        Running(tmp_path, "up", "--every", "1s", settings=settings) as family,
    ):
        patch.setenv("FRAMETALLY_LIVE_ALLOW", "127.0.0.1")
        patch.setattr(camera_frames, "_SPAN_S", 0.2)
        patch.setattr(camera_frames, "_HOLD_S", 0.0)
        here = load_settings(data_dir=family.data_dir)
        run_frametally("live", "add", camera.address, "--source", "gate-1", settings=here)
        until(lambda: charted(family)["frames"] > 0)
        first = charted(family)["frames"]
        until(lambda: charted(family)["frames"] > first)
        assert camera_of(here).told.state == "running"
        assert family.ends_by(signal.SIGTERM) == 0
        assert of_group(family.process.pid) == {}
