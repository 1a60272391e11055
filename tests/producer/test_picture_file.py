"""A picture's header is read before its pixels; it stands upright; bad ones are refused with a reason."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally_producer.reading.picture_file import PictureHeader, read_header, read_pixels
from frametally_producer.reading.pixels import shrink, upright

MAX_PIXELS = 1_000_000
FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif"}


def header_of(path: Path, max_pixels: int = MAX_PIXELS) -> PictureHeader:
    with path.open("rb") as file:
        return read_header(file, max_pixels=max_pixels)


def pixels_of(path: Path, max_pixels: int = MAX_PIXELS) -> Pixels:
    with path.open("rb") as file:
        header = read_header(file, max_pixels=max_pixels)
        return read_pixels(file, header)


def red_corner(pixels: Pixels) -> tuple[int, int]:
    """(row, column) of the quarter that is red, each 0 or 1."""
    height, width = pixels.shape[:2]
    quarters = {
        (row, column): pixels[height // 4 + row * height // 2, width // 4 + column * width // 2]
        for row in (0, 1)
        for column in (0, 1)
    }
    [corner] = [at for at, (blue, green, red) in quarters.items() if red > 200 and blue < 60 and green < 60]
    return corner


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read(make_picture: Callable[..., Path], format: str) -> None:
    path = make_picture(f"a.{FORMATS[format]}", format=format)
    assert header_of(path)[:3] == (64, 48, 1)
    pixels = pixels_of(path)
    assert (pixels.shape, pixels.dtype) == ((48, 64, 3), np.uint8)
    assert red_corner(pixels) == (0, 0)


# Where the first corner of the picture as stored is to be shown (CIPA DC-008, 4.6.4).
SHOWN = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", SHOWN)
def test_every_orientation_is_turned_upright(
    make_picture: Callable[..., Path], format: str, orientation: int
) -> None:
    pixels = pixels_of(make_picture(f"a.{FORMATS[format]}", format=format, orientation=orientation))
    assert red_corner(pixels) == SHOWN[orientation]
    assert pixels.shape == ((64, 48, 3) if orientation >= 5 else (48, 64, 3))


@pytest.mark.parametrize("orientation", SHOWN)
def test_orientations_are_those_that_pillow_undoes(orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    picture = np.random.default_rng(orientation).integers(0, 256, (5, 7, 3), np.uint8)
    image = Image.fromarray(picture)
    expected = image.transpose(undo[orientation]) if orientation in undo else image
    assert np.array_equal(upright(picture, orientation), np.asarray(expected))


@pytest.mark.parametrize("orientation", [0, 9, -1, 65_535])
def test_an_orientation_that_does_not_exist_is_upright(
    make_picture: Callable[..., Path], orientation: int
) -> None:
    picture = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(upright(picture, orientation), picture)


@pytest.mark.parametrize(
    ("exif", "recorded"),
    [
        ({"taken": "2026:05:01 08:09:10"}, "2026-05-01T08:09:10"),
        ({"taken": "2026:05:01 08:09:10", "offset": "+02:00"}, "2026-05-01T08:09:10+02:00"),
        ({"taken": "2026:05:01 08:09:10", "offset": "-03:30"}, "2026-05-01T08:09:10-03:30"),
        ({"taken": "2026:05:01 08:09:10", "offset": "   :  "}, "2026-05-01T08:09:10"),
        ({"taken": "2026:05:01 08:09:10", "fraction": "25"}, "2026-05-01T08:09:10.250000"),
        ({"taken": "2026:05:01 08:09:10", "fraction": "0123456789"}, "2026-05-01T08:09:10.012345"),
        ({"taken": "2026:05:01 08:09:10", "fraction": "x"}, "2026-05-01T08:09:10"),
        (
            {"taken": "2026:05:01 08:09:10", "offset": "+02:00", "fraction": "5"},
            "2026-05-01T08:09:10.500000+02:00",
        ),
        ({"taken": "0000:00:00 00:00:00"}, None),
        ({"taken": "    :  :     :  :  "}, None),
        ({"taken": "2026:02:30 08:09:10"}, None),
        ({"taken": "1 May 2026"}, None),
        ({"offset": "+02:00"}, None),
        ({}, None),
    ],
)
def test_the_time_of_recording_is_read_with_its_offset_and_fraction(
    make_picture: Callable[..., Path], exif: dict[str, str], recorded: str | None
) -> None:
    for format in ("JPEG", "PNG", "WEBP"):
        moment = header_of(make_picture(f"a.{FORMATS[format]}", format=format, **exif)).recorded
        assert (moment.isoformat() if moment else None) == recorded


def test_exif_that_is_damaged_in_part_is_read_without_a_word(tmp_path: Path) -> None:
    """Its orientation says that it is two numbers; Pillow warns, and a warning would be an error here."""
    path = tmp_path / "a.jpg"
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 2, 6, 0, 0)
    Image.new("RGB", (8, 6)).save(path, "JPEG", exif=exif)
    assert header_of(path).orientation == 6


def test_a_png_without_exif_is_not_decoded_to_look_for_it(
    make_picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_picture("a.png", format="PNG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("the pixels were decoded"))
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda self: pytest.fail("decoded"))
    assert header_of(path).recorded is None


def bomb(width_px: int, height_px: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(99)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size_px", [(1001, 1000), (30_000, 30_000), (100_000, 100_000)])
def test_a_picture_with_too_many_pixels_is_refused_by_its_header(
    tmp_path: Path, size_px: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(*size_px))
    monkeypatch.setattr(
        "frametally_producer.reading.picture_file.decode_pixels", lambda data: pytest.fail("decoded")
    )
    with pytest.raises(Poison, match=f"{size_px[0]}x{size_px[1]} pixels, 1 million are allowed") as refused:
        pixels_of(path)
    assert "FRAMETALLY_MAX_IMAGE_MEGAPIXELS" in str(refused.value)


def test_a_file_far_larger_than_its_pixels_can_be_is_not_read_whole(
    make_picture: Callable[..., Path],
) -> None:
    path = make_picture("padded.jpg")
    with path.open("ab") as file:
        file.truncate(64 * 48 * 8 + (32 << 20) + 1)
    with pytest.raises(Poison, match="larger than a picture of 64x48 pixels can be"):
        pixels_of(path, max_pixels=64 * 48)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_picture_that_is_cut_short_is_refused(
    make_picture: Callable[..., Path], format: str, part: float
) -> None:
    path = make_picture(f"a.{FORMATS[format]}", format=format, size_px=(200, 150))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(Poison):
        pixels_of(path)


@pytest.mark.parametrize(
    "content", [b"buy milk", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + bytes(50), bytes(500)]
)
def test_what_is_no_picture_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.jpg"
    path.write_bytes(content)
    with pytest.raises(Poison, match="is no picture"):
        pixels_of(path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_header_of_random_damage_is_read_or_refused_but_nothing_else(
    make_picture: Callable[..., Path], format: str
) -> None:
    path = make_picture(f"a.{FORMATS[format]}", format=format, orientation=6, taken="2026:05:01 08:09:10")
    whole = path.read_bytes()
    chance = random.Random(format)  # noqa: S311
    read = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(min(250, len(data)))] = chance.randrange(256)
        with io.BufferedReader(io.BytesIO(data)) as file:
            try:
                header = read_header(file, max_pixels=MAX_PIXELS)
            except Poison:
                continue
            assert header.width_px * header.height_px <= MAX_PIXELS
            assert isinstance(header.orientation, int)
            read += 1
    assert read


@pytest.mark.parametrize(
    ("size_px", "max_side_px", "shrunk_px"),
    [
        ((640, 480), 0, (640, 480)),
        ((640, 480), 640, (640, 480)),
        ((640, 480), 320, (320, 240)),
        ((480, 640), 320, (240, 320)),
        ((641, 481), 320, (320, 240)),
        ((1000, 3), 10, (10, 1)),
        ((30, 20), 640, (30, 20)),
    ],
)
def test_the_longest_side_is_shrunk_and_proportions_are_kept(
    size_px: tuple[int, int], max_side_px: int, shrunk_px: tuple[int, int]
) -> None:
    picture = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    height_px, width_px = shrink(picture, max_side_px).shape[:2]
    assert (width_px, height_px) == shrunk_px
