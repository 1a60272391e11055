"""What reads pictures is bounded: a bomb, a crash or a stop costs its process, and is one line."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally.process.retrying import GivenUp
from frametally_producer.reading import picture_file, picture_reader
from frametally_producer.reading.media_file import sha256_of
from frametally_producer.reading.picture_reader import PictureReader

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
try:
    from make_corpus import chunk, painted, png, resized_jpeg, saved
finally:
    sys.path.pop(0)

MAX_PIXELS = 50_000_000


@pytest.fixture
def reader() -> Iterator[PictureReader]:
    with PictureReader() as opened:
        yield opened


def read(reader: PictureReader, path: Path) -> Pixels:
    with path.open("rb") as file:
        return reader.read_pixels(file, reader.read_header(file, max_pixels=MAX_PIXELS))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.jpg"
    path.write_bytes(saved(painted(300, 200), "JPEG"))
    return path


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """Its texts unpack to 8 GB, behind the pixels, where a header's reader does not meet them."""
    text = chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"a" * 7_900_000, 9))
    small = png(64, 48, zlib.compress((b"\0" + bytes(64 * 3)) * 48))
    end = chunk(b"IEND", b"")
    path = tmp_path / "bomb.png"
    path.write_bytes(small.removesuffix(end) + text * 1000 + end)
    return path


def test_header_and_pixels_are_those_that_are_read_here(
    reader: PictureReader, make_picture: Callable[..., Path]
) -> None:
    for kind, suffix in {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif"}.items():
        path = make_picture(f"a.{suffix}", format=kind)
        with path.open("rb") as file:
            here = picture_file.read_header(file, max_pixels=MAX_PIXELS)
            assert reader.read_header(file, max_pixels=MAX_PIXELS) == here
            assert np.array_equal(reader.read_pixels(file, here), picture_file.read_pixels(file, here))


def test_a_time_with_or_without_a_zone_comes_through(
    reader: PictureReader, make_picture: Callable[..., Path]
) -> None:
    for offset in (None, "+05:30", "Z"):
        path = make_picture("a.jpg", taken="2026:05:01 12:00:00", **({"offset": offset} if offset else {}))
        with path.open("rb") as file:
            here = picture_file.read_header(file, max_pixels=MAX_PIXELS)
            there = reader.read_header(file, max_pixels=MAX_PIXELS)
        assert there == here
        assert here.recorded is not None
        assert there.recorded is not None
        assert there.recorded.utcoffset() == here.recorded.utcoffset()


def test_the_file_is_read_right_after_its_header_was(reader: PictureReader, good: Path) -> None:
    assert good.stat().st_size > 3 * 8192, "more than is buffered"
    with good.open("rb") as file:
        file.read(10)
        reader.read_header(file, max_pixels=MAX_PIXELS)
        assert sha256_of(file) == hashlib.sha256(good.read_bytes()).hexdigest()


@pytest.mark.thorough
def test_a_bomb_that_takes_too_long_is_one_line_and_the_next_picture_is_read(
    reader: PictureReader, good: Path, bomb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_reader, "_MOST_CPU_S", 1)
    with pytest.raises(Poison, match=r"^takes more than 1 s to read; save it anew in a plain format$"):
        read(reader, bomb)
    assert read(reader, good).shape == (200, 300, 3)


@pytest.mark.thorough
def test_a_picture_that_takes_too_much_memory_is_one_line_and_the_next_picture_is_read(
    reader: PictureReader, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (4000, 3000)).save(large)
    with monkeypatch.context() as patch:
        patch.setattr(picture_reader, "_MOST_OTHER_BYTES", 1 << 20)
        patch.setattr(picture_reader, "_MOST_BYTES_PER_PIXEL", 1)
        with pytest.raises(Poison) as refused:
            read(reader, large)
    assert "\n" not in str(refused.value)
    assert read(reader, large).shape == (3000, 4000, 3)
    assert read(reader, good).shape == (200, 300, 3)


def test_what_crashes_while_it_reads_is_one_line_and_the_next_picture_is_read(
    reader: PictureReader, good: Path
) -> None:
    read(reader, good)
    assert reader._process is not None
    os.kill(reader._process.pid, signal.SIGSEGV)
    with pytest.raises(Poison, match=r"^ends what reads it \(exit code -11\); copy it again"):
        read(reader, good)
    assert read(reader, good).shape == (200, 300, 3)


def test_a_stop_does_not_wait_for_a_picture(good: Path, bomb: Path) -> None:
    with PictureReader(lambda: True) as reader:
        with pytest.raises(GivenUp):
            read(reader, bomb)
        assert reader._process is None


def test_nothing_is_imported_from_the_folder_that_is_read(
    reader: PictureReader, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy.py", "signal.py", "frametally.py"):
        (tmp_path / name).write_text("open('run', 'w')")
    monkeypatch.chdir(tmp_path)
    assert read(reader, good).shape == (200, 300, 3)
    assert not (tmp_path / "run").exists()


def test_its_process_ends_with_it(good: Path) -> None:
    with PictureReader() as reader:
        read(reader, good)
        process = reader._process
        assert process is not None
    assert process.poll() is not None


def test_a_header_that_claims_more_than_its_bytes_can_hold_is_refused(
    reader: PictureReader, tmp_path: Path
) -> None:
    path = tmp_path / "claims.jpg"
    path.write_bytes(resized_jpeg(saved(painted(), "JPEG"), 7000, 7000))
    with pytest.raises(Poison, match=r"cut short: \d+ bytes cannot hold the 7000x7000 pixels of its header"):
        read(reader, path)


def test_image_libraries_print_no_lines_of_their_own(
    reader: PictureReader, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = zlib.compress((b"\0" + bytes(64 * 3)) * 48)
    path = tmp_path / "profile.png"
    path.write_bytes(png(64, 48, rows, more=chunk(b"iCCP", b"a\0\0" + zlib.compress(b"junk"))))
    with path.open("rb") as file:
        header = reader.read_header(file, max_pixels=MAX_PIXELS)
        capfd.readouterr()
        picture_file.read_pixels(file, header)
        assert "libpng" in capfd.readouterr().err, "here it would say something that names no file"
        reader.read_pixels(file, header)
    assert capfd.readouterr() == ("", "")
