"""A stored frame is decoded within bounds, exactly as in its file, or refused with a reason."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.capabilities import PACKAGES

from frametally.errors import Poison
from frametally.files.opencv import cv2, decode_image, decode_pixels, jpeg_size_px, reduced_px, reduction_for
from frametally.settings.loading import Settings

ROOT = Path(__file__).resolve().parents[2]
PICTURE = np.zeros((48, 64, 3), np.uint8)
PICTURE[:24, :32] = (0, 0, 255)


def jpeg(picture: np.ndarray = PICTURE, *options: int) -> bytes:
    return cv2.imencode(".jpg", picture, list(options))[1].tobytes()


def with_orientation(data: bytes, orientation: int) -> bytes:
    """Return `data` with such an EXIF segment right after the start of the image."""
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00" + orientation.to_bytes(2, "little") + b"\x00\x00"
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00" + entry + bytes(4)
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


def test_pixels_are_height_by_width_in_blue_green_red() -> None:
    pixels = decode_image(jpeg(), 64 * 48)
    assert (pixels.shape, pixels.dtype) == ((48, 64, 3), np.uint8)
    blue, green, red = pixels[10, 10]
    assert red > 240
    assert blue < 15
    assert green < 15


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_an_orientation_in_the_file_is_ignored(orientation: int) -> None:
    turned = with_orientation(jpeg(), orientation)
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (
        (64, 48, 3) if orientation > 4 else (48, 64, 3)
    )
    assert np.array_equal(decode_image(turned, 64 * 48), decode_image(jpeg(), 64 * 48))


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("shape", [(1, 1, 3), (48, 64, 3), (3, 500, 3), (20, 30)])
def test_the_size_is_read_from_the_header(progressive: int, shape: tuple[int, ...]) -> None:
    data = jpeg(np.zeros(shape, np.uint8), cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    assert jpeg_size_px(data) == (shape[1], shape[0])
    assert jpeg_size_px(with_orientation(data, 6)) == (shape[1], shape[0])
    assert jpeg_size_px(data[:2] + b"\xff\xff" + data[3:]) == (shape[1], shape[0])  # a fill byte
    assert decode_image(data, 10_000).shape == (*shape[:2], 3)


def test_a_frame_with_too_many_pixels_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg()
    at = data.index(b"\xff\xc0")
    bomb = data[: at + 5] + b"\xff\xff\xff\xff" + data[at + 9 :]
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(Poison, match="65535x65535"):
        decode_image(bomb, 50_000_000)
    with pytest.raises(Poison, match="64x48"):
        decode_image(data, 64 * 48 - 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\xff", "not a JPEG"),
        (b"buy milk", "not a JPEG"),
        (cv2.imencode(".png", PICTURE)[1].tobytes(), "not a JPEG"),
        (b"\xff\xd8", "header is damaged"),
        (b"\xff\xd8\xff\xd9", "header is damaged"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x00" * 500, "header is damaged"),
        (b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x00\x00\x10\x03", "header is damaged"),
        (jpeg()[: jpeg().index(b"\xff\xc0") + 9], "header is damaged"),
        (jpeg()[:-2], "cut short"),
        (jpeg()[: len(jpeg()) // 2], "cut short|header"),
    ],
)
def test_an_invalid_frame_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        decode_image(data, 10_000)


@given(st.binary(max_size=200), st.integers(0, 600))
def test_any_bytes_either_decode_or_raise_poison(junk: bytes, at: int) -> None:
    for data in (junk, b"\xff\xd8" + junk, jpeg()[:at] + junk):
        with contextlib.suppress(Poison):
            assert decode_image(data, 64 * 48).size <= 64 * 48 * 3


def test_pixels_of_any_format_decode_once_the_size_was_checked() -> None:
    for suffix in (".png", ".webp", ".bmp", ".tif"):
        assert decode_pixels(cv2.imencode(suffix, PICTURE)[1].tobytes()).shape == (48, 64, 3)
    for bad in (b"", b"buy milk"):
        with pytest.raises(Poison):
            decode_pixels(bad)


def test_opencvs_own_limit_is_that_of_the_setting_and_it_prints_nothing() -> None:
    bound = Settings.model_fields["max_image_megapixels"].bounds["le"]
    code = """
import os
from frametally.files.opencv import decode_pixels
print(os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"])
decode_pixels(b"BM")
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert int(finished.stdout) == bound * 1_000_000
    assert "Poison" in finished.stderr
    assert "[ERROR" not in finished.stderr
    assert "[ WARN" not in finished.stderr


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_module_imports_opencv_around_its_limits(package: Path) -> None:
    for path in package.rglob("*.py"):
        if path != ROOT / "core/frametally/files/opencv.py":
            assert not re.search(r"^\s*(import|from) cv2", path.read_text(encoding="utf-8"), re.MULTILINE), (
                path
            )


@given(*[st.integers(1, 5_000)] * 2, st.tuples(st.integers(1, 2_000), st.integers(1, 2_000)))
def test_a_reduction_is_the_largest_that_leaves_both_sides_large_enough(
    width_px: int, height_px: int, least_px: tuple[int, int]
) -> None:
    def suffices(reduction: int) -> bool:
        return width_px >= reduction * least_px[0] and height_px >= reduction * least_px[1]

    chosen = reduction_for(width_px, height_px, least_px)
    assert chosen == max([1, *(each for each in (2, 4, 8) if suffices(each))])
    assert reduction_for(width_px, height_px, None) == 1


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize("size_px", [(64, 48), (65, 49), (1, 1), (203, 117)])
def test_a_reduced_picture_is_the_same_picture_smaller(reduction: int, size_px: tuple[int, int]) -> None:
    columns, rows = np.meshgrid(np.arange(size_px[0]), np.arange(size_px[1]))
    smooth = np.stack([columns % 256, rows % 256, (columns + rows) // 2 % 256], axis=2).astype(np.uint8)
    pixels = decode_pixels(jpeg(smooth), reduction)  # type: ignore[arg-type]
    width_px, height_px = (reduced_px(side, reduction) for side in size_px)  # type: ignore[arg-type]
    assert pixels.shape == (height_px, width_px, 3)
    expected = cv2.resize(smooth, (width_px, height_px), interpolation=cv2.INTER_AREA)
    assert np.abs(pixels.astype(int) - expected).mean() < 4
