"""Browser versions of videos play in a real browser, with every codec and shape, to the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.shapes import FPS, SHAPES, make_shape
from tests.videos.video_records import make_facts, make_video

from frametally import keys
from frametally.process.reports import NoProgress
from frametally.process.retrying import Patience
from frametally.records import decode
from frametally.settings.loading import load_settings
from frametally_producer.reading.video_file import Video, open_video
from frametally_videos.jobs.derivative_jobs import DerivativeMaker
from frametally_videos.jobs.job_call import JobCall
from frametally_videos.media_records import Derivative

pytestmark = pytest.mark.thorough

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLAYS = """
() => new Promise((resolve) => {
  const video = document.querySelector("video");
  const told = (end) => resolve({
    end, length: video.duration, at: video.currentTime, width: video.videoWidth, height: video.videoHeight,
    why: video.error ? video.error.message : "",
  });
  video.addEventListener("ended", () => told("ended"));
  video.addEventListener("error", () => told("error"));
  if (video.error) told("error");
  video.muted = true;
  video.playbackRate = 4;
  video.play().catch((error) => { if (!video.error) told(String(error)); });
})
"""


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "one row"])
def test_every_shape_plays_to_its_end(name: str, tmp_path: Path, browser: Browser) -> None:
    path = make_shape(tmp_path, SHAPES[name])
    derivative, data = _made(path, tmp_path)
    page = browser.new_page()
    try:
        page.route(
            "http://video.test/",
            lambda route: route.fulfill(body="<video></video>", content_type="text/html"),
        )
        page.route(
            "http://video.test/made.mp4", lambda route: route.fulfill(body=data, content_type="video/mp4")
        )
        page.goto("http://video.test/")
        page.eval_on_selector("video", "(video) => { video.src = 'made.mp4'; }")
        told = page.evaluate(PLAYS)
    finally:
        page.close()
    assert (told["end"], told["why"]) == ("ended", "")
    assert told["length"] == pytest.approx(_length_s(path), abs=1.1 / FPS)
    assert (told["width"], told["height"]) == (derivative.width_px, derivative.height_px)


def _length_s(path: Path) -> float:
    """From its first frame to the end of its last."""
    with path.open("rb") as file, open_video(file, max_pixels=10**6) as video:
        return max(float(timed.position_s) for timed in video.frames()) + 1 / FPS


def _made(path: Path, folder: Path) -> tuple[Derivative, bytes]:
    store = MemoryStore()

    @contextmanager
    def opened() -> Iterator[Video]:
        with path.open("rb") as file, open_video(file, max_pixels=10**6) as video:
            yield video

    record = make_video(facts=make_facts(), size_bytes=path.stat().st_size)
    store.put(keys.original_key(record.id), path.read_bytes())
    settings = load_settings("producer", data_dir=folder / "data", min_free_disk_mb=0)
    patience = Patience(lambda line: None, lambda: False)
    call = JobCall(record, "", settings, store, NoProgress(), patience)
    artifact = DerivativeMaker(call, opened).make("playable")
    return decode(store.get(artifact.key.replace(".mp4", ".json")), Derivative), store.get(artifact.key)
