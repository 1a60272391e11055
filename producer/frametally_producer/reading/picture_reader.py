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
from PIL import Image

from frametally.errors import Poison
from frametally.files.opencv import Pixels, cv2, decode_pixels
from frametally.process.limits import address_space_bytes, limit
from frametally.process.retrying import GivenUp
from frametally_producer.reading.pixels import UPRIGHT, upright
from frametally_producer.reading.time_statements import TimeStatement, exif_statements, picture_statements

Image.MAX_IMAGE_PIXELS = None  # this module checks sizes against the setting

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
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
    """

    width_px: int
    height_px: int
    orientation: int
    statements: tuple[TimeStatement, ...]


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
    # OpenCV always turns a TIFF upright while decoding it.
    orientation = UPRIGHT if picture.format == "TIFF" else orientation
    return PictureHeader(width_px, height_px, orientation, statements)


def decode_picture(file: BufferedReader, header: PictureHeader) -> Pixels:
    """Decode the picture upright: shape (height, width, 3), dtype uint8, channels blue, green, red.

    Raises `Poison` if it is truncated or damaged, or a JPEG that would take too long; and `MemoryError`.
    """
    file.seek(0)
    try:
        pixels = decode_pixels(file.read())
    except Poison as error:
        cause = error.__cause__
        if isinstance(cause, cv2.error) and cause.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise Poison(f"{error}; copy it again from the original") from error
    return upright(pixels, header.orientation)


def _read_metadata(picture: Image.Image) -> tuple[int, tuple[TimeStatement, ...]]:
    """Return the orientation and the statements of the time of recording; ignore damaged EXIF."""
    orientation: object = UPRIGHT
    statements: list[TimeStatement] = []
    # Pillow would decode all pixels of a PNG to look for EXIF behind them.
    if picture.format != "PNG" or "exif" in picture.info:
        with suppress(Exception):  # as above
            exif = picture.getexif()
            orientation = exif.get(_ORIENTATION, UPRIGHT)
            statements = list(exif_statements(exif, exif.get_ifd(_EXIF_IFD), exif.get_ifd(_GPS_IFD)))
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

    def read_pixels(self, file: BufferedReader, header: PictureHeader) -> Pixels:
        """Decode the picture upright: shape (height, width, 3), dtype uint8, channels blue, green, red.

        Raises `Poison` if it is truncated or damaged, or takes too much time or memory; and `GivenUp`.
        """
        count = header.width_px * header.height_px
        most_cpu_s = _MOST_CPU_S + count // _PIXELS_PER_CPU_S
        most_bytes = _MOST_OTHER_BYTES + os.fstat(file.fileno()).st_size + count * _MOST_BYTES_PER_PIXEL
        pixels = self._ask(file, _Request(most_cpu_s, most_bytes, header=header))
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
                    pixels = decode_picture(file, request.header)
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
