"""Parts that the upload benchmarks share: a separate dashboard, large videos, and a client that counts."""

from __future__ import annotations

import base64
import http.client
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np

PIECE_BYTES = 16 * 2**20
_READ_BYTES = 2**18
_TUS = {"Tus-Resumable": "1.0.0"}


def large_video(path: Path, size_bytes: int, seed: int) -> Path:
    """Write a second of pictures, and random bytes that players skip."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            picture = np.full((48, 64, 3), (seed + number * 20) % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    left = size_bytes - path.stat().st_size
    chance = random.Random(seed)  # noqa: S311 - no secret
    with path.open("ab") as file:
        file.write((1).to_bytes(4, "big") + b"free" + left.to_bytes(8, "big"))
        left -= 16
        while left > 0:
            left -= file.write(chance.randbytes(min(left, 2**24)))
    return path


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def dashboard(data: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a dashboard over this data until the block ends; yield it once it listens."""
    with subprocess.Popen(
        [sys.executable, "-m", "frametally", "serve", "--alone", "--port", str(port)],
        env=os.environ | {"FRAMETALLY_DATA_DIR": str(data)},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None  # noqa: S101 - for the type checker
            if not any("Dashboard at" in line for line in server.stdout):
                raise SystemExit("the dashboard did not start")
            yield server
        finally:
            server.kill()


def memory_mb(server: subprocess.Popen[str], what: str = "VmHWM") -> float:
    """Return a process's peak memory (or, with `VmRSS`, its present memory) in MB."""
    lines = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) * 1024 / 1e6


class TusClient:
    """Uploads one file by tus in pieces of 16 MiB, and counts the bytes that it sends."""

    def __init__(self, port: int, path: Path) -> None:
        """Begin the upload."""
        self._port = port
        self._file = path
        self._size_bytes = path.stat().st_size
        self.sent_bytes = 0
        name = base64.b64encode(path.name.encode()).decode()
        began = {"Upload-Length": str(self._size_bytes), "Upload-Metadata": f"filename {name}"}
        headers = self._ask("POST", "/api/v1/uploads", began)
        self._place = headers["location"]

    def offset(self) -> int:
        """Return the current offset of the upload."""
        return int(self._ask("HEAD", self._place, {})["upload-offset"])

    def send(self) -> str | None:
        """Send the missing bytes; return the video's id, or None if the server stopped meanwhile."""
        try:
            at = self.offset()
            while True:
                headers = self._patch(at)
                if "frametally-video" in headers:
                    return headers["frametally-video"]
                at = int(headers["upload-offset"])
        except (OSError, http.client.HTTPException):
            return None

    def _patch(self, at: int) -> dict[str, str]:
        length = min(PIECE_BYTES, self._size_bytes - at)
        stands = {"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}

        def piece() -> Iterator[bytes]:
            with self._file.open("rb") as file:
                file.seek(at)
                left = length
                while data := file.read(min(_READ_BYTES, left)):
                    self.sent_bytes += len(data)
                    left -= len(data)
                    yield data

        return self._ask("PATCH", self._place, stands | {"Content-Length": str(length)}, piece())

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: Iterator[bytes] | None = None
    ) -> dict[str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120, blocksize=_READ_BYTES)
        try:
            connection.request(method, path, body, _TUS | headers)
            response = connection.getresponse()
            said = response.read()
            if response.status >= 300:
                raise SystemExit(f"{method} {path}: {response.status} {said[:300]!r}")
            return {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()
