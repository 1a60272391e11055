"""Reading pictures in a process of its own, which may take a bounded time and memory.

Whatever a picture does to what decodes it, a bomb or a crash, befalls that process and becomes one line.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from io import BufferedReader
from types import TracebackType
from typing import Self

import msgspec
import numpy as np

from frametally.errors import Poison
from frametally.files.opencv import Pixels, cv2
from frametally.process.limits import address_space_bytes, limit
from frametally.process.retrying import GivenUp
from frametally_producer.reading.picture_file import PictureHeader, read_header, read_pixels

_LOOK_UP_S = 0.2
_MOST_REQUEST_BYTES = 1 << 16
_HEAD_BYTES = 12
# Of processor time: the slowest good pictures take some 30 ns for each pixel, 1.5 s for the largest allowed.
_MOST_CPU_S, _PIXELS_PER_CPU_S = 5, 10_000_000
# Beside the file and, for its pixels, what decoders hold: the slowest of them 12 bytes for each.
_MOST_OTHER_BYTES, _MOST_BYTES_PER_PIXEL = 100 << 20, 16
# Each thread of OpenCV or OpenBLAS would take address space, used or not.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class _Request(msgspec.Struct):
    """What is asked about the file that comes with it: its header, or by that header its pixels."""

    most_cpu_s: int
    most_bytes: int
    max_pixels: int = 0
    header: PictureHeader | None = None


class _Answer(msgspec.Struct):
    """What became of it; behind one with a shape come the pixels, bare."""

    header: PictureHeader | None = None
    shape: tuple[int, int, int] | None = None
    poison: str | None = None


class PictureReader:
    """Reads pictures one by one; its process starts with the first, and ends at `close`, until the next."""

    def __init__(self, should_stop: Callable[[], bool] = lambda: False) -> None:
        """Start nothing yet; once `should_stop()`, no picture is waited for."""
        self._should_stop = should_stop
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def read_header(self, file: BufferedReader, *, max_pixels: int) -> PictureHeader:
        """Read the header of the picture in `file`; no pixel is decoded.

        Raises:
            Poison: No picture, one with more than `max_pixels`, or one whose header takes too long.
            GivenUp: A stop was asked for.
        """
        most_bytes = _MOST_OTHER_BYTES
        if file.peek(_HEAD_BYTES)[8:12] == b"WEBP":  # Pillow makes room for all of it, though it decodes none
            most_bytes += max_pixels * _MOST_BYTES_PER_PIXEL
        header = self._ask(file, _Request(_MOST_CPU_S, most_bytes, max_pixels=max_pixels))
        if not isinstance(header, PictureHeader):
            raise Poison("its header cannot be read; copy it again from its origin, or convert it")
        return header

    def read_pixels(self, file: BufferedReader, header: PictureHeader) -> Pixels:
        """Decode the picture, upright: shape (height, width, 3), dtype uint8, channels blue, green, red.

        Raises:
            Poison: It is cut short or damaged, or takes too much time or memory.
            GivenUp: A stop was asked for.
        """
        count = header.width_px * header.height_px
        most_cpu_s = _MOST_CPU_S + count // _PIXELS_PER_CPU_S
        most_bytes = _MOST_OTHER_BYTES + os.fstat(file.fileno()).st_size + count * _MOST_BYTES_PER_PIXEL
        pixels = self._ask(file, _Request(most_cpu_s, most_bytes, header=header))
        if isinstance(pixels, PictureHeader):
            raise Poison("its pixels cannot be read; copy it again from its origin, or convert it")
        return pixels

    def close(self) -> None:
        """End its process; what it was at is forgotten."""
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
            self.close()  # its answer would be taken for that to the next question
            raise
        finally:
            file.seek(0, os.SEEK_END)  # both have one place in the file: what was buffered here is stale
        if answer.header is None:
            raise Poison(answer.poison or "cannot be read")
        return answer.header

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - ourselves
                    # -P: a folder of footage is no place to import from.
                    [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env=os.environ | _ENVIRONMENT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,  # where image libraries complain without naming the file
                )
        return self._socket

    def _why_ended(self, request: _Request) -> str:
        """Return why its process ended while it was asked; the next picture gets another one."""
        code = None
        if self._process is not None:
            self._process.kill()
            code = self._process.wait()
        self.close()
        if code == -signal.SIGXCPU:
            return f"takes more than {request.most_cpu_s} s to read; save it anew in a plain format"
        return f"ends what reads it (exit code {code}); copy it again from its origin, or convert it"


def _serve(connection: socket.socket) -> None:
    """Answer requests until the other end closes."""
    memory_bytes = address_space_bytes()
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
                    answer = _Answer(read_header(file, max_pixels=request.max_pixels))
                else:
                    pixels = read_pixels(file, request.header)
                    height_px, width_px, channels = pixels.shape
                    answer = _Answer(shape=(height_px, width_px, channels))
            except Poison as error:
                answer = _Answer(poison=str(error))
            except MemoryError:
                answer = _Answer(poison="takes too much memory to read; save it anew in a plain format")
        connection.sendall(msgspec.json.encode(answer) + b"\n")
        if pixels is not None:
            connection.sendall(np.ascontiguousarray(pixels).reshape(-1).data)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for who asks
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        _serve(connection)


if __name__ == "__main__":
    _main()
