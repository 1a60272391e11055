"""Decoding a JPEG takes bounded time: its markers show how much work it needs, whoever made it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_announcement, make_frame

from frametally.errors import Poison
from frametally.files import jpeg_header
from frametally.files.jpeg_header import check_scans, jpeg_size_px
from frametally.files.opencv import decode_image, decode_pixels
from frametally.segments.stored_frame import BadFrame, read_frame

START_OF_SCAN, END = b"\xff\xda", b"\xff\xd9"


# Pillow gives up if one write is larger than its buffer.
ImageFile.MAXBLOCK = 1 << 22


def jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def with_scans(scans: int, size_px: tuple[int, int] = (64, 48)) -> bytes:
    """A progressive JPEG with this many scans; the last is repeated."""
    data = jpeg(Image.new("RGB", size_px, (90, 120, 30)), progressive=True).removesuffix(END)
    return data + data[data.rindex(START_OF_SCAN) :] * (scans - data.count(START_OF_SCAN)) + END


def test_a_picture_may_have_at_most_100_scans() -> None:
    assert decode_pixels(with_scans(100)).shape == (48, 64, 3)
    with pytest.raises(Poison, match=r"^it has more than 100 scans"):
        decode_pixels(with_scans(101))
    with pytest.raises(Poison, match="scans"):
        decode_image(with_scans(101), 10_000)


@pytest.mark.thorough
def test_larger_pictures_may_have_fewer_scans_but_never_fewer_than_cameras_make(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_scans(with_scans(40, (7000, 7000)))
    with pytest.raises(Poison, match="more than 40 scans"):
        check_scans(with_scans(41, (7000, 7000)))
    monkeypatch.setattr(jpeg_header, "_MOST_SCANNED_PIXELS", 1)  # as if it had a billion pixels
    check_scans(with_scans(20))
    with pytest.raises(Poison, match="more than 20 scans"):
        check_scans(with_scans(21))


def test_bytes_that_only_look_like_a_scan_are_not_counted() -> None:
    plain = jpeg(Image.new("RGB", (64, 48)))
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 2000) + START_OF_SCAN * 1000
    check_scans(plain[:2] + comment + plain[2:] + START_OF_SCAN * 1000)
    restarts = jpeg(Image.new("RGB", (640, 480)), restart_marker_blocks=1)
    assert restarts.count(b"\xff\xd0") > 100
    check_scans(restarts)


@pytest.mark.parametrize("filler", [b"\xff\xfe\0\2", b"\xff", b"\xff\x01"])
def test_a_picture_made_only_of_markers_is_refused(filler: bytes) -> None:
    plain = jpeg(Image.new("RGB", (64, 48)))
    hostile = plain[:2] + filler * 1_000_000 + plain[2:]
    for read in (jpeg_size_px, check_scans, decode_pixels):
        with pytest.raises(Poison, match=r"^the JPEG has more than 10000 markers$"):
            read(hostile)


@pytest.mark.parametrize("progressive", [True, False])
def test_fewer_bytes_than_any_picture_of_that_size_needs_are_refused(progressive: bool) -> None:
    data = jpeg(Image.new("RGB", (64, 48)), progressive=progressive)
    at = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    claims = data[: at + 5] + struct.pack(">HH", 7000, 7000) + data[at + 9 :]
    with pytest.raises(
        Poison, match=r"^it is cut short: \d+ bytes cannot contain the 7000x7000 pixels that its"
    ):
        decode_pixels(claims)


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from(["L", "RGB", "CMYK"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    st.booleans(),
    st.integers(1, 100),
)
def test_an_intact_picture_is_never_refused_however_plain_it_is(
    width_px: int,
    height_px: int,
    mode: str,
    progressive: bool,
    optimize: bool,
    subsampling: str,
    is_noise: bool,
    quality: int,
) -> None:
    image = Image.new(mode, (width_px, height_px))
    if is_noise:
        noise = np.random.default_rng(width_px).integers(0, 255, (height_px, width_px, 3), np.uint8)
        image = Image.fromarray(noise).convert(mode)
    options: dict[str, object] = {"subsampling": subsampling} if mode == "RGB" else {}
    data = jpeg(image, quality=quality, progressive=progressive, optimize=optimize, **options)
    check_scans(data)


def test_a_stored_frame_that_would_take_too_long_is_a_dead_letter() -> None:
    data = with_scans(500)
    frame = make_announcement(make_frame(0), data)
    store = MemoryStore()
    store.put(frame.image_path, data)
    with pytest.raises(BadFrame, match="it has more than 100 scans") as refused:
        read_frame(store, frame, max_pixels=10_000)
    assert (refused.value.stage, refused.value.cause) == ("decode", "undecodable")
