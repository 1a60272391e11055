"""Consumer, cameras and uploads agree on which of a camera's coded pictures show nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from tests.fakes import scenes
from tests.fakes.footage import Picture, make_file
from tests.fakes.records import make_announcement, make_frame
from tests.videos.video_records import make_facts, make_video

from frametally.files.blank_pictures import blank_reason
from frametally.files.opencv import decode_pixels
from frametally.rules.blank_stretches import BlankStretch, blank_stretches
from frametally.segments.stored_frame import picture_digest
from frametally.settings.loading import load_settings
from frametally_live.cameras.picture_doubts import PictureDoubts
from frametally_producer.reading.video_file import open_video
from frametally_producer.writing.frames import stored_jpeg
from frametally_videos.describing.packets import found_times
from frametally_videos.describing.picture_pass import looks
from frametally_videos.describing.video_checks import check_video

CODECS = {
    "libx264": ("yuv420p", {"qp": "34", "g": "25", "preset": "veryfast"}),
    "mjpeg": ("yuvj420p", {"b": "9M"}),
}
FPS = 5
STEP_MS = 1000 // FPS


class Frame(NamedTuple):
    captured_at_ms: int
    shows: str | None
    picture_digest: str


NOISE = [np.random.default_rng(seed).normal(0, 1, (240, 320, 1)).astype(np.float32) for seed in range(5)]


def seen(picture: Picture, noise: float, frames: int) -> Iterator[Picture]:
    """A still picture with a sensor's noise."""
    for number in range(frames):
        of_frame = np.roll(NOISE[number % 5], 7 * number, axis=0)
        yield np.clip(picture + noise * of_frame, 0, 255).astype(np.uint8)


STREET, NIGHT = (next(iter(make(1))) for make in (scenes.street, scenes.night))
STARS = next(scenes.dark(1))
LENS, SIGNAL = (np.full((240, 320, 3), level, np.uint8) for level in (4, 128))


FOOTAGE: dict[str, tuple[Callable[[], Iterator[Picture]], str | None]] = {
    "a street without traffic": (lambda: seen(STREET, 2, 310), None),
    "a night street": (lambda: seen(NIGHT, 2, 310), None),
    "a night with one lamp": (lambda: seen(STARS, 2, 310), None),
    "a covered lens for 20 s": (
        lambda: chain(seen(STREET, 2, 50), seen(LENS, 8, 100), seen(STREET, 2, 50)),
        "black",
    ),
    "no signal": (lambda: seen(SIGNAL, 3, 60), "one_colour"),
    "a frozen camera": (lambda: scenes.frozen(seen(STREET, 2, 30), moving=30, still=400), "frozen"),
    "a pause of 4 s": (lambda: chain(seen(STREET, 2, 50), seen(LENS, 8, 20), seen(STREET, 2, 50)), None),
}


def check(path: Path) -> dict[str, list[tuple[float, float]]]:
    """When an upload's checks say that it shows nothing, in seconds, by the check."""
    with path.open("rb") as file, open_video(file, max_pixels=10**6) as video:
        times, size = found_times(video), video.size_px
    with path.open("rb") as file, open_video(file, max_pixels=10**6) as video:
        facts = make_facts(width_px=size[0], height_px=size[1])
        quality = check_video(make_video(facts=facts), times, list(looks(video, frames=times.frames)))
    return {c.name: [*c.spans_s] for c in quality.checks if c.name in ("black", "frozen") and not c.passed}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        *((name, "libx264") for name in FOOTAGE),
        ("a frozen camera", "mjpeg"),
        ("a street without traffic", "mjpeg"),
    ],
)
def test_consumer_cameras_and_uploads_agree_on_which_pictures_show_nothing(
    tmp_path: Path, name: str, codec: str
) -> None:
    make, reason = FOOTAGE[name]
    pix_fmt, options = CODECS[codec]
    path = make_file(tmp_path / "a.mkv", make(), codec=codec, fps=FPS, pix_fmt=pix_fmt, codec_options=options)
    camera, frames, doubts, settings = PictureDoubts(), [], {}, load_settings(None)
    with path.open("rb") as file, open_video(file, max_pixels=10**6) as video:
        for number, timed in enumerate(video.frames()):
            pixels: Any = timed.frame.to_ndarray(format="bgr24")
            jpeg, at_ms = stored_jpeg(pixels, settings), number * STEP_MS
            announced: Any = make_announcement(make_frame(at_ms, number), jpeg)
            frames.append(Frame(at_ms, blank_reason(decode_pixels(jpeg)), picture_digest(announced.sha256)))
            camera.look(pixels, jpeg, at_ms)
            if doubt := camera.lasting:
                doubts[doubt.what] = doubt
    stretches: list[BlankStretch] = blank_stretches(frames) or []
    assert [of_stretch for _, _, of_stretch in stretches] == ([reason] if reason else [])
    assert [*doubts] == ([reason] if reason else [])
    checked = check(path)
    assert [*checked] == ([{"one_colour": "black"}.get(reason, reason)] if reason else [])
    for from_ms, to_ms, _ in stretches:
        doubt = doubts[reason]
        assert doubt.from_ms == from_ms
        assert to_ms - 1000 < doubt.to_ms <= to_ms
        [(from_s, until_s)] = checked["frozen" if reason == "frozen" else "black"]
        assert (from_s * 1000, until_s * 1000) == pytest.approx((from_ms, to_ms), abs=STEP_MS)
