"""One frame of a video as a picture: the one that is shown then, upright, enhanced as the formula says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from frametally.adapters.files.folder_store import FileStore
from frametally.settings.loading import Settings, load_settings
from frametally_videos.library.frame_preview import frame_picture
from frametally_videos.media_records import Enhancement
from frametally_videos.upload_refusals import FieldRefused, Refused

KEY = "videos/original"
AS_IT_IS = Enhancement()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings("producer", data_dir=tmp_path / "data")


def put(settings: Settings, data: bytes) -> None:
    FileStore(settings.store_url).put(KEY, data)


def picture(settings: Settings, position_s: float, enhancement: Enhancement = AS_IT_IS) -> np.ndarray:
    jpeg = frame_picture(settings, KEY, position_s, enhancement)
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


def luminance(image: np.ndarray) -> np.ndarray:
    """Of the grey part of what `make_video` paints, in parts of its range."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[image.shape[0] // 2 + 8 :].astype(float) / 255


@pytest.mark.thorough
def test_the_frame_is_the_one_that_is_shown_then(settings: Settings, make_video: Callable[..., Path]) -> None:
    # Frame by frame the grey grows: it tells the time.
    put(settings, make_video("a.mkv", 40, codec="ffv1", size_px=(320, 240)).read_bytes())
    first = luminance(picture(settings, 0)).mean() * 255
    for position_s, index in ((0.1, 1), (1.99, 19), (3.9, 39), (1e9, 39)):
        shown = luminance(picture(settings, position_s)).mean() * 255
        assert abs(shown - first - 3 * index) < 1.4, position_s


@pytest.mark.thorough
def test_before_and_after_differ_as_the_formula_says(
    settings: Settings, make_video: Callable[..., Path]
) -> None:
    put(settings, make_video("a.mkv", 20, codec="ffv1", size_px=(320, 240)).read_bytes())
    before = luminance(picture(settings, 1.0)).mean()
    for asked in (
        Enhancement(brightness=0.2),
        Enhancement(contrast=1.5),
        Enhancement(gamma=2.0),
        Enhancement(brightness=-0.05, contrast=0.7, gamma=0.8),
    ):
        meant = np.clip(asked.contrast * (before - 0.5) + 0.5 + asked.brightness, 0, 1) ** (1 / asked.gamma)
        assert luminance(picture(settings, 1.0, asked)).mean() == pytest.approx(meant, rel=0.02, abs=0.008)


@pytest.mark.thorough
def test_a_picture_that_lies_on_its_side_stands(settings: Settings, make_video: Callable[..., Path]) -> None:
    put(settings, make_video("a.mp4", 3, size_px=(320, 240), rotation=90).read_bytes())
    shown = picture(settings, 0.1, Enhancement(local_contrast=1.0, denoise=0.5, sharpen=0.5))
    assert shown.shape == (320, 240, 3)


@pytest.mark.parametrize("position_s", [-0.1, float("nan"), float("inf")])
def test_a_place_that_cannot_be_is_refused(settings: Settings, position_s: float) -> None:
    with pytest.raises(FieldRefused) as refused:
        frame_picture(settings, KEY, position_s, AS_IT_IS)
    assert refused.value.field == "position_s"


@pytest.mark.thorough
def test_what_gives_no_picture_says_so(settings: Settings, make_video: Callable[..., Path]) -> None:
    with pytest.raises(Refused, match="original is gone") as refused:
        frame_picture(settings, KEY, 0, AS_IT_IS)
    assert refused.value.status == 404
    data = bytearray(make_video("a.mp4", 3).read_bytes())
    begin = data.index(b"mdat") + 4
    data[begin : begin + 2000] = bytes(2000)
    put(settings, bytes(data[: begin + 2000]) + b"no moov")
    with pytest.raises(Refused) as unreadable:
        frame_picture(settings, KEY, 0, AS_IT_IS)
    assert unreadable.value.status == 422
