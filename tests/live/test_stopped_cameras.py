"""A camera that is stopped leaves complete books, also when what captures it dies at that moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.live.capturing import announcements_in, here, manifests_of, until
from tests.live.showing import RtspCamera
from tests.videos.test_work_kills import children_of

from frametally.opening import open_object_store
from frametally_live.book import LiveBook
from frametally_live.cameras.camera_form import add_camera


def test_a_camera_whose_process_dies_while_it_is_stopped_has_all_its_frames_in_complete_minutes(
    tmp_path: Path,
) -> None:
    settings = here(tmp_path)
    command = [sys.executable, "-m", "frametally", "live", "work", "--data-dir", str(settings.data_dir)]
    environment = {"FRAMETALLY_LIVE_ALLOW": "127.0.0.1", "FRAMETALLY_SAMPLE_FPS": "all"}
    with (
        RtspCamera() as camera,
        closing(LiveBook(settings.catalogue_url)) as feeds,
        closing(open_object_store(settings.store_url)) as store,
        subprocess.Popen(command, env=os.environ | environment) as worker,
    ):
        try:
            feed, _ = add_camera(feeds, settings, source="gate-1", address=camera.address)

            def now() -> tuple[bool, int]:
                found = feeds.feed(feed.id)
                assert found is not None
                return found.is_over, found.told.frames_announced

            until(lambda: now()[1] > 15)
            (child,) = children_of(worker.pid)
            os.kill(child, signal.SIGSTOP)
            feeds.ask_feed(feed.id, "stop")
            time.sleep(0.5)
            os.kill(child, signal.SIGKILL)
            until(lambda: now()[0])
        finally:
            worker.terminate()
        minutes = manifests_of(store)
    assert {one.state for one in minutes} == {"complete"}
    assert sum(one.frames_announced for one in minutes) == len(announcements_in(settings))
