"""Reads pictures in a separate process with limits on time and memory.

A picture that is a decompression bomb or crashes its decoder affects only that process and is reported.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from typing import NamedTuple

import msgspec
import numpy as np
import simplejpeg
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from frametally.errors import Poison
from frametally.files.jpeg_header import START_OF_IMAGE, check_scans
from frametally.files.opencv import Pixels, cv2, decode_pixels, decode_values
from frametally.files.value_ranges import ValueRange
from frametally.process.limits import address_space_bytes, limit
from frametally.process.retrying import GivenUp
from frametally_producer.reading.depth import check_values, eight_bits
from frametally_producer.reading.pixels import UPRIGHT, upright
from frametally_producer.reading.time_statements import (
    TimeStatement,
    exif_statements,
    gps_statements,
    picture_statements,
)

Image.MAX_IMAGE_PIXELS = None  # this module checks sizes against the setting

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
_NEXT_JPEG = b"\xff\xd9\xff\xd8\xff"
"""The end of one JPEG and the beginning of the next one, as in a stream of a camera."""
_ANIMATED = {"PNG", "WEBP"}
_TIFF = (b"II*\0", b"MM\0*")
_BITS_PER_SAMPLE = 258  # TIFF 6.0, section 8
_PNG_BITS_PLACE, _PNG_MOST_BITS = 24, 16  # in the header chunk (PNG 1.2, 11.2.2)
_LEAST_ZEROS, _PIXELS_PER_ZERO_BYTE = 64, 4096
"""A lossy WebP has at most this run of zeros: the largest measured, in plain pictures, were half as long."""
# 4 uncompressed channels of 16 bits, and room for cameras' other data; a larger file is not a picture.
_MOST_FILE_BYTES_PER_PIXEL, _MOST_OTHER_FILE_BYTES = 8, 32 << 20

# EXIF tags (CIPA DC-008, 4.6).
_ORIENTATION = 0x0112
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825


class PictureHeader(NamedTuple):
    """The fields of a picture's header.

    Attributes:
        width_px: Width as stored, before the picture is turned upright.
        orientation: EXIF orientation to apply after decoding, 1 to 8.
        statements: Its statements of when it was recorded, the most trusted first.
        bits: Bits of each value of a pixel, of each channel: 8 if fewer.
        pictures: How many pictures the file holds; only the first is read.
    """

    width_px: int
    height_px: int
    orientation: int
    statements: tuple[TimeStatement, ...]
    bits: int = 8
    pictures: int = 1


def decode_header(file: BufferedReader, *, max_pixels: int) -> PictureHeader:
    """Read the header of the picture in `file` without decoding pixels. Raises `Poison`."""
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about damaged EXIF
        try:
            picture = Image.open(file, formats=_FORMATS)
        except MemoryError:
            raise
        except Exception as error:  # hostile bytes: whatever the parser raises, the picture is bad
            file.seek(0)
            if file.read(4) in _TIFF:
                raise Poison(
                    "is a TIFF of a kind that frametally does not read, or is damaged",
                    "convert it to 8 or 16 bits a channel, or copy it again from the original",
                ) from error
            raise Poison(
                "is not a picture (JPEG, PNG, WebP, BMP and TIFF are read), or is damaged; copy it again "
                "from the original"
            ) from error
        width_px, height_px = picture.size
        if width_px * height_px > max_pixels:
            raise Poison(
                f"has {width_px}x{height_px} pixels, but at most {max_pixels // 1_000_000} million are "
                "allowed; shrink it, or raise FRAMETALLY_MAX_IMAGE_MEGAPIXELS"
            )
        most_bytes = width_px * height_px * _MOST_FILE_BYTES_PER_PIXEL + _MOST_OTHER_FILE_BYTES
        if size_bytes > most_bytes:
            raise Poison(f"is larger than a picture of {width_px}x{height_px} pixels can be; export it again")
        orientation, statements = _read_metadata(picture)
        bits = _bits_of(picture, file)
        pictures = _number_of(picture, file)
    if pictures > 1 and picture.format in _ANIMATED:
        raise Poison(f"is an animation of {pictures} pictures", "convert it to a video, for example to MP4")
    # OpenCV always turns a TIFF upright while decoding it.
    orientation = UPRIGHT if picture.format == "TIFF" else orientation
    return PictureHeader(width_px, height_px, orientation, statements, bits, pictures)


def _bits_of(picture: Image.Image, file: BufferedReader) -> int:
    """Return how many bits a value of a picture has, 8 if fewer."""
    if picture.format == "PNG":
        file.seek(_PNG_BITS_PLACE)
        return min(max(file.read(1)[0], 8), _PNG_MOST_BITS)
    if isinstance(picture, TiffImageFile):
        bits = picture.tag_v2.get(_BITS_PER_SAMPLE, 8)
        samples = bits if isinstance(bits, tuple) else (bits,)
        return max(8, *(sample for sample in samples if isinstance(sample, int)))
    return 8


def _number_of(picture: Image.Image, file: BufferedReader) -> int:
    """Return how many pictures a file holds; 1 if what says so is damaged."""
    if picture.format == "JPEG":  # nothing states how many follow
        file.seek(0)
        return 1 + file.read().count(_NEXT_JPEG)
    try:
        return int(getattr(picture, "n_frames", 1))
    except MemoryError:
        raise
    except Exception:  # as above
        return 1


def decode_picture(
    file: BufferedReader, header: PictureHeader, value_range: ValueRange | None = None
) -> Pixels:
    """Decode the picture upright: shape (height, width, 3), dtype uint8, channels blue, green, red.

    A picture with more than 8 bits has the values of `value_range` from black to white. Without one, it has
    the upper 8 bits.

    Raises `Poison` if it is truncated or damaged, would be dark with 8 bits, or is a JPEG that would take too
    long; and `MemoryError`.
    """
    file.seek(0)
    data = file.read()
    try:
        if data.startswith(START_OF_IMAGE):
            pixels = _whole_jpeg(data)
        else:
            _check_zeros(data, header)
            pixels = _deep(data, header.bits, value_range) if header.bits > 8 else decode_pixels(data)
    except Poison as error:
        cause = error.__cause__
        if isinstance(cause, cv2.error) and cause.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise Poison(error.detail, error.remedy or "copy it again from the original") from error
    return upright(pixels, header.orientation)


def _whole_jpeg(data: bytes) -> Pixels:
    """Decode a JPEG if its decoder has no doubt that it is whole; other decoders make up what is damaged."""
    check_scans(data)
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, "BGR", strict=True), np.uint8)
    except ValueError as error:
        if "memory" in str(error).lower():
            raise MemoryError from error
        raise Poison(
            f"is damaged ({error})", "copy it again from the original, or, if it looks whole, save it again"
        ) from error


def _check_zeros(data: bytes, header: PictureHeader) -> None:
    """Raise `Poison` if a lossy WebP, which has no checksum, was overwritten with zeros."""
    most_zeros = _LEAST_ZEROS + header.width_px * header.height_px // _PIXELS_PER_ZERO_BYTE
    if data[8:12] == b"WEBP" and b"VP8 " in data[12:64] and bytes(most_zeros + 1) in data:
        raise Poison("is damaged (a part of it was overwritten with zeros)")


def _deep(data: bytes, bits: int, value_range: ValueRange | None) -> Pixels:
    """Decode a picture with more than 8 bits: shape (height, width, 3), dtype uint8."""
    values = decode_values(data)
    if value_range is None:
        check_values(values, bits)
        return decode_pixels(data)
    channels = np.atleast_3d(values)[:, :, :3]
    grey_or_bgr = eight_bits(channels, value_range)
    return np.repeat(grey_or_bgr, 3, axis=2) if grey_or_bgr.shape[2] < 3 else grey_or_bgr


def _read_metadata(picture: Image.Image) -> tuple[int, tuple[TimeStatement, ...]]:
    """Return the orientation and the statements of the time of recording; ignore damaged EXIF."""
    orientation: object = UPRIGHT
    statements: list[TimeStatement] = []
    # Pillow would decode all pixels of a PNG to look for EXIF behind them.
    if picture.format != "PNG" or "exif" in picture.info:
        with suppress(Exception):  # as above
            exif = picture.getexif()
            orientation = exif.get(_ORIENTATION, UPRIGHT)
            statements = exif_statements(exif, exif.get_ifd(_EXIF_IFD))
            statements += gps_statements(exif.get_ifd(_GPS_IFD))
    statements = picture_statements(statements, picture.info)
    return (orientation if isinstance(orientation, int) else UPRIGHT), tuple(statements)


_LOOK_UP_S = 0.2
_MOST_REQUEST_BYTES = 1 << 16
_HEAD_BYTES = 12
# Processor time: the slowest good pictures take about 30 ns per pixel, or 1.5 s for the largest allowed.
_MOST_CPU_S, _PIXELS_PER_CPU_S = 5, 10_000_000
# Memory in addition to the file, and per pixel in decoders, which use at most 12 bytes.
_MOST_OTHER_BYTES, _MOST_BYTES_PER_PIXEL = 100 << 20, 16
# Each thread of OpenCV or OpenBLAS would take address space, even if unused.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class _Request(msgspec.Struct):
    """A request for the header of the file sent with it, or for its pixels if a header is given."""

    most_cpu_s: int
    most_bytes: int
    max_pixels: int = 0
    header: PictureHeader | None = None
    value_range: ValueRange | None = None


class _Answer(msgspec.Struct):
    """The answer to a request; if it has a shape, the raw pixels follow."""

    header: PictureHeader | None = None
    shape: tuple[int, int, int] | None = None
    poison: str | None = None


class PictureReader:
    """Reads pictures one by one in a process that starts with the first one and ends at `close`."""

    def __init__(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Start no process yet; once `should_stop()` is true, stop waiting for a picture."""
        self._should_stop = should_stop
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def read_header(self, file: BufferedReader, *, max_pixels: int) -> PictureHeader:
        """Read the header of the picture in `file` without decoding pixels. Raises `Poison`, `GivenUp`."""
        most_bytes = _MOST_OTHER_BYTES
        if file.peek(_HEAD_BYTES)[8:12] == b"WEBP":  # Pillow allocates all pixels without decoding any
            most_bytes += max_pixels * _MOST_BYTES_PER_PIXEL
        header = self._ask(file, _Request(_MOST_CPU_S, most_bytes, max_pixels=max_pixels))
        if not isinstance(header, PictureHeader):
            raise Poison("its header cannot be read; copy it again from the original, or convert it")
        return header

    def read_pixels(
        self, file: BufferedReader, header: PictureHeader, value_range: ValueRange | None = None
    ) -> Pixels:
        """Return the picture as `decode_picture` does.

        Raises `Poison` as it does, or if it takes too much time or memory; and `GivenUp`.
        """
        count = header.width_px * header.height_px
        most_cpu_s = _MOST_CPU_S + count // _PIXELS_PER_CPU_S
        most_bytes = _MOST_OTHER_BYTES + os.fstat(file.fileno()).st_size + count * _MOST_BYTES_PER_PIXEL
        pixels = self._ask(file, _Request(most_cpu_s, most_bytes, header=header, value_range=value_range))
        if isinstance(pixels, PictureHeader):
            raise Poison("its pixels cannot be read; copy it again from the original, or convert it")
        return pixels

    def close(self) -> None:
        """End the process and drop its current work."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _ask(self, file: BufferedReader, request: _Request) -> PictureHeader | Pixels:
        try:
            connection = self._connection()
            socket.send_fds(connection, [msgspec.json.encode(request)], [file.fileno()])
            while not select.select([connection], [], [], _LOOK_UP_S)[0]:
                if self._should_stop():
                    raise GivenUp("stopped")
            with connection.makefile("rb") as stream:
                answer = msgspec.json.decode(stream.readline(), type=_Answer)
                if answer.shape is not None:
                    pixels = np.empty(answer.shape, np.uint8)
                    if stream.readinto(pixels.reshape(-1).data) != pixels.size:
                        raise EOFError
                    return pixels
        except (OSError, EOFError, msgspec.DecodeError) as error:
            raise Poison(self._why_ended(request)) from error
        except BaseException:
            self.close()  # its answer would be taken for the answer to the next request
            raise
        finally:
            file.seek(0, os.SEEK_END)  # both processes share the file position, so this buffer is stale
        if answer.header is None:
            raise Poison(answer.poison or "cannot be read")
        return answer.header

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - ourselves
                    # -P: do not import from a folder of footage.
                    [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env=os.environ | _ENVIRONMENT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # image libraries complain there without naming the file
                )
        return self._socket

    def _why_ended(self, request: _Request) -> str:
        """Return why the process ended during a request; the next picture gets a new one."""
        code = None
        if self._process is not None:
            self._process.kill()
            code = self._process.wait()
        self.close()
        if code == -signal.SIGXCPU:
            return f"takes more than {request.most_cpu_s} s to read; save it again in a plain format"
        return (
            f"crashes the program that reads it (exit code {code}); copy it again from the original, or "
            "convert it"
        )


def _serve(connection: socket.socket) -> None:
    """Answer requests until the other end closes."""
    memory_bytes, memory_limits = address_space_bytes(), resource.getrlimit(resource.RLIMIT_AS)
    while True:
        message, files, _, _ = socket.recv_fds(connection, _MOST_REQUEST_BYTES, 1)
        if not message:
            return
        with os.fdopen(files[0], "rb") as file:
            request = msgspec.json.decode(message, type=_Request)
            used = resource.getrusage(resource.RUSAGE_SELF)
            limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + request.most_cpu_s)
            if memory_bytes is not None:
                limit(resource.RLIMIT_AS, memory_bytes + request.most_bytes)
            pixels = None
            try:
                if request.header is None:
                    answer = _Answer(decode_header(file, max_pixels=request.max_pixels))
                else:
                    pixels = decode_picture(file, request.header, request.value_range)
                    height_px, width_px, channels = pixels.shape
                    answer = _Answer(shape=(height_px, width_px, channels))
            except Poison as error:
                answer = _Answer(poison=str(error))
            except MemoryError:
                answer = _Answer(
                    poison=f"needs more memory to read than its bound of {request.most_bytes >> 20} MiB; "
                    "save it again with fewer pixels, or in a plain format"
                )
            finally:  # read the next request without a picture's limit
                resource.setrlimit(resource.RLIMIT_AS, memory_limits)
        connection.sendall(msgspec.json.encode(answer) + b"\n")
        if pixels is not None:
            connection.sendall(np.ascontiguousarray(pixels).reshape(-1).data)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles a terminal's Ctrl-C
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        _serve(connection)


if __name__ == "__main__":
    _main()
