"""Pictures, read in a separate process: upright, with their times; bad ones are refused in a line."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.kit.clips import MakeFile

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally.process.retrying import GivenUp
from frametally_producer.reading import picture_reader
from frametally_producer.reading.footage import sha256_of
from frametally_producer.reading.picture_reader import (
    PictureHeader,
    PictureReader,
    decode_header,
    decode_picture,
)
from frametally_producer.reading.pixels import shrink, upright

MAX_PIXELS = 1_000_000
FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif"}


def header_of(path: Path, max_pixels: int = MAX_PIXELS) -> PictureHeader:
    with path.open("rb") as file:
        return decode_header(file, max_pixels=max_pixels)


def pixels_of(path: Path, max_pixels: int = MAX_PIXELS) -> Pixels:
    with path.open("rb") as file:
        header = decode_header(file, max_pixels=max_pixels)
        return decode_picture(file, header)


def red_corner(pixels: Pixels) -> tuple[int, int]:
    """(row, column) of the red quarter, each 0 or 1."""
    height, width = pixels.shape[:2]
    quarters = {
        (row, column): pixels[height // 4 + row * height // 2, width // 4 + column * width // 2]
        for row in (0, 1)
        for column in (0, 1)
    }
    [corner] = [at for at, (blue, green, red) in quarters.items() if red > 200 and blue < 60 and green < 60]
    return corner


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read(make_picture: MakeFile, format: str) -> None:
    path = make_picture(f"a.{FORMATS[format]}", format=format)
    assert header_of(path)[:3] == (64, 48, 1)
    pixels = pixels_of(path)
    assert (pixels.shape, pixels.dtype) == ((48, 64, 3), np.uint8)
    assert red_corner(pixels) == (0, 0)


# The displayed place of the stored picture's first corner (CIPA DC-008, 4.6.4).
SHOWN = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", SHOWN)
def test_every_orientation_is_turned_upright(make_picture: MakeFile, format: str, orientation: int) -> None:
    pixels = pixels_of(make_picture(f"a.{FORMATS[format]}", format=format, orientation=orientation))
    assert red_corner(pixels) == SHOWN[orientation]
    assert pixels.shape == ((64, 48, 3) if orientation >= 5 else (48, 64, 3))


@pytest.mark.parametrize("orientation", SHOWN)
def test_the_orientations_are_those_that_pillow_undoes(orientation: int) -> None:
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
def test_an_unknown_orientation_counts_as_upright(make_picture: MakeFile, orientation: int) -> None:
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
    make_picture: MakeFile, exif: dict[str, str], recorded: str | None
) -> None:
    for format in ("JPEG", "PNG", "WEBP"):
        statements = header_of(make_picture(f"a.{FORMATS[format]}", format=format, **exif)).statements
        moments = [one.moment.isoformat() if one.moment else None for one in statements]
        assert (moments or [None]) == [recorded]


def test_partly_damaged_exif_is_read_without_a_warning(tmp_path: Path) -> None:
    """Its orientation claims to be two numbers; Pillow warns, and a warning would be an error here."""
    path = tmp_path / "a.jpg"
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 2, 6, 0, 0)
    Image.new("RGB", (8, 6)).save(path, "JPEG", exif=exif)
    assert header_of(path).orientation == 6


def test_a_png_without_exif_is_not_decoded_to_search_for_it(
    make_picture: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_picture("a.png", format="PNG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("the pixels were decoded"))
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", lambda self: pytest.fail("decoded"))
    assert header_of(path).statements == ()


def bomb(width_px: int, height_px: int) -> bytes:
    """A PNG of a few bytes that claims to have this many pixels."""

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
        "frametally_producer.reading.picture_reader.decode_pixels", lambda data: pytest.fail("decoded")
    )
    with pytest.raises(
        Poison, match=f"{size_px[0]}x{size_px[1]} pixels, but at most 1 million are allowed"
    ) as refused:
        pixels_of(path)
    assert "FRAMETALLY_MAX_IMAGE_MEGAPIXELS" in str(refused.value)


def test_a_file_far_larger_than_its_pixels_need_is_not_read_whole(make_picture: MakeFile) -> None:
    path = make_picture("padded.jpg")
    with path.open("ab") as file:
        file.truncate(64 * 48 * 8 + (32 << 20) + 1)
    with pytest.raises(Poison, match="larger than a picture of 64x48 pixels can be"):
        pixels_of(path, max_pixels=64 * 48)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_truncated_picture_is_refused(make_picture: MakeFile, format: str, part: float) -> None:
    path = make_picture(f"a.{FORMATS[format]}", format=format, size_px=(200, 150))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(Poison):
        pixels_of(path)


@pytest.mark.parametrize(
    "content", [b"buy milk", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + bytes(50), bytes(500)]
)
def test_a_file_that_is_not_a_picture_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.jpg"
    path.write_bytes(content)
    with pytest.raises(Poison, match="is not a picture"):
        pixels_of(path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_randomly_damaged_header_is_either_read_or_refused(make_picture: MakeFile, format: str) -> None:
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
                header = decode_header(file, max_pixels=MAX_PIXELS)
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
def test_the_longest_side_is_shrunk_and_the_proportions_stay(
    size_px: tuple[int, int], max_side_px: int, shrunk_px: tuple[int, int]
) -> None:
    picture = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    height_px, width_px = shrink(picture, max_side_px).shape[:2]
    assert (width_px, height_px) == shrunk_px


sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
try:
    from make_corpus import chunk, painted, png, resized_jpeg, saved
finally:
    sys.path.pop(0)

MOST_PIXELS = 50_000_000
NO_MEMORY = (
    r"^needs more memory to read than its bound of \d+ MiB; save it again with fewer pixels, or in a plain"
)


@pytest.fixture
def reader() -> Iterator[PictureReader]:
    with closing(PictureReader()) as opened:
        yield opened


def read(reader: PictureReader, path: Path) -> Pixels:
    with path.open("rb") as file:
        return reader.read_pixels(file, reader.read_header(file, max_pixels=MOST_PIXELS))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.jpg"
    path.write_bytes(saved(painted(300, 200), "JPEG"))
    return path


@pytest.fixture
def text_bomb(tmp_path: Path) -> Path:
    """Its texts unpack to 8 GB, after the pixels, where a reader of headers does not look."""
    text = chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"a" * 7_900_000, 9))
    small = png(64, 48, zlib.compress((b"\0" + bytes(64 * 3)) * 48))
    end = chunk(b"IEND", b"")
    path = tmp_path / "text_bomb.png"
    path.write_bytes(small.removesuffix(end) + text * 1000 + end)
    return path


def test_the_reader_process_gives_the_same_header_and_pixels_as_this_one(
    reader: PictureReader, make_picture: MakeFile
) -> None:
    for kind, suffix in {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif"}.items():
        path = make_picture(f"a.{suffix}", format=kind)
        with path.open("rb") as file:
            here = picture_reader.decode_header(file, max_pixels=MOST_PIXELS)
            assert reader.read_header(file, max_pixels=MOST_PIXELS) == here
            assert np.array_equal(reader.read_pixels(file, here), picture_reader.decode_picture(file, here))


def test_a_time_with_or_without_a_zone_is_passed_on_unchanged(
    reader: PictureReader, make_picture: MakeFile
) -> None:
    for offset in (None, "+05:30", "Z"):
        path = make_picture("a.jpg", taken="2026:05:01 12:00:00", **({"offset": offset} if offset else {}))
        with path.open("rb") as file:
            here = picture_reader.decode_header(file, max_pixels=MOST_PIXELS)
            there = reader.read_header(file, max_pixels=MOST_PIXELS)
        assert there == here
        [moment, other] = [header.statements[0].moment for header in (here, there)]
        assert moment is not None
        assert other is not None
        assert moment.utcoffset() == other.utcoffset()


def test_the_file_can_be_read_right_after_its_header(reader: PictureReader, good: Path) -> None:
    assert good.stat().st_size > 3 * 8192, "more than is buffered"
    with good.open("rb") as file:
        file.read(10)
        reader.read_header(file, max_pixels=MOST_PIXELS)
        assert sha256_of(file) == hashlib.sha256(good.read_bytes()).hexdigest()


@pytest.mark.thorough
def test_a_decompression_bomb_that_takes_too_long_is_one_line_and_the_next_picture_is_read(
    reader: PictureReader, good: Path, text_bomb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_reader, "_MOST_CPU_S", 1)
    with pytest.raises(Poison, match=r"^takes more than 1 s to read; save it again in a plain format$"):
        read(reader, text_bomb)
    assert read(reader, good).shape == (200, 300, 3)


@pytest.mark.thorough
def test_a_picture_that_takes_too_much_memory_is_one_line_and_the_next_one_is_read(
    reader: PictureReader, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (4000, 3000)).save(large)
    with monkeypatch.context() as patch:
        patch.setattr(picture_reader, "_MOST_OTHER_BYTES", 1 << 20)
        patch.setattr(picture_reader, "_MOST_BYTES_PER_PIXEL", 1)
        with pytest.raises(Poison, match=NO_MEMORY):
            read(reader, large)
    assert read(reader, large).shape == (3000, 4000, 3)
    assert read(reader, good).shape == (200, 300, 3)


@pytest.mark.thorough
def test_a_memory_limit_for_one_picture_does_not_limit_the_next(
    reader: PictureReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Larger than the memory that earlier pictures may leave in the process: a small one needs no more.
    path = tmp_path / "a.png"
    Image.new("RGB", (4000, 3000)).save(path)
    with monkeypatch.context() as patch:
        patch.setattr(picture_reader, "_MOST_OTHER_BYTES", 0)
        patch.setattr(picture_reader, "_MOST_BYTES_PER_PIXEL", 0)
        with pytest.raises(Poison, match=NO_MEMORY):
            read(reader, path)
    process = reader._process
    assert read(reader, path).shape == (3000, 4000, 3)
    assert reader._process is process, "it went on"


@pytest.mark.thorough
def test_a_crash_of_the_reader_is_one_line_and_the_next_picture_is_read(
    reader: PictureReader, good: Path
) -> None:
    read(reader, good)
    assert reader._process is not None
    os.kill(reader._process.pid, signal.SIGSEGV)
    with pytest.raises(Poison, match=r"^crashes the program that reads it \(exit code -11\); copy it again"):
        read(reader, good)
    assert read(reader, good).shape == (200, 300, 3)


def test_a_stop_does_not_wait_for_a_picture(good: Path, text_bomb: Path) -> None:
    with closing(PictureReader(lambda: True)) as reader:
        with pytest.raises(GivenUp):
            read(reader, text_bomb)
        assert reader._process is None


def test_the_reader_imports_nothing_from_the_current_folder(
    reader: PictureReader, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy.py", "signal.py", "frametally.py"):
        (tmp_path / name).write_text("open('run', 'w')")
    monkeypatch.chdir(tmp_path)
    assert read(reader, good).shape == (200, 300, 3)
    assert not (tmp_path / "run").exists()


def test_the_readers_process_ends_with_it(good: Path) -> None:
    with closing(PictureReader()) as reader:
        read(reader, good)
        process = reader._process
        assert process is not None
    assert process.poll() is not None


def test_a_header_that_claims_more_than_its_bytes_can_hold_is_refused(
    reader: PictureReader, tmp_path: Path
) -> None:
    path = tmp_path / "claims.jpg"
    path.write_bytes(resized_jpeg(saved(painted(), "JPEG"), 7000, 7000))
    with pytest.raises(
        Poison, match=r"cut short: \d+ bytes cannot contain the 7000x7000 pixels that its header"
    ):
        read(reader, path)


def test_image_libraries_print_nothing_of_their_own(
    reader: PictureReader, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = zlib.compress((b"\0" + bytes(64 * 3)) * 48)
    path = tmp_path / "profile.png"
    path.write_bytes(png(64, 48, rows, more=chunk(b"iCCP", b"a\0\0" + zlib.compress(b"junk"))))
    with path.open("rb") as file:
        header = reader.read_header(file, max_pixels=MOST_PIXELS)
        capfd.readouterr()
        picture_reader.decode_picture(file, header)
        assert "libpng" in capfd.readouterr().err, "here it would say something that names no file"
        reader.read_pixels(file, header)
    assert capfd.readouterr() == ("", "")
