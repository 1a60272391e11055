"""Cameras for tests: a real RTSP server, and servers of HTTP and of garbage."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import pytest

_SCRIPT = Path(__file__).parents[1] / "servers/rtsp_camera.py"
_PYTHON = "/usr/bin/python3"
_SOURCE = (
    "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width=160,height=120,framerate=10/1"
)
_QUICK = "tune=zerolatency speed-preset=ultrafast key-int-max=10"
LAUNCHES = {
    "h264": f"{_SOURCE} ! x264enc {_QUICK} ! rtph264pay name=pay0",
    "hevc": f"{_SOURCE} ! x265enc {_QUICK} ! rtph265pay name=pay0",
    "mjpeg": f"{_SOURCE} ! jpegenc ! rtpjpegpay name=pay0",
    # Of a megabyte each.
    "large": "videotestsrc is-live=true pattern=snow ! video/x-raw,format=I420,width=1280,height=960,"
    "framerate=10/1 ! jpegenc ! rtpjpegpay name=pay0",
}


def require_rtsp() -> None:
    """Skip if GStreamer's server is not installed; CI requires it."""
    found = shutil.which(_PYTHON) and subprocess.run(
        [_PYTHON, "-c", "import gi; gi.require_version('GstRtspServer', '1.0')"],
        capture_output=True,
        check=False,
    )
    if not found or found.returncode:
        why = "GStreamer's RTSP server is not installed (apt install gir1.2-gst-rtsp-server-1.0)"
        if os.environ.get("FRAMETALLY_REQUIRE_SERVICES") == "1":
            pytest.fail(why)
        pytest.skip(why)


class RtspCamera:
    """A camera of a real RTSP server; after a kill and a restart it has the same address."""

    def __init__(
        self, launch: str = LAUNCHES["h264"], *, user: str = "", password: str = "", pem: Path | None = None
    ) -> None:
        """Start nothing yet; with a file of a key and its certificate it only accepts TLS."""
        require_rtsp()
        self._arguments = [launch, user, password, str(pem or "")]
        self._scheme = "rtsps" if pem else "rtsp"
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/gate"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [_PYTHON, str(_SCRIPT), str(self.port), *self._arguments], stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._process.stdout.readline())

    def freeze(self) -> None:
        """Make it fall silent with its connections open."""
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def __enter__(self) -> RtspCamera:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class Speaker:
    """A small server: `speak` writes to each connection, in a separate thread."""

    def __init__(self, speak: Callable[[socket.socket], None]) -> None:
        self._speak = speak
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.visits = 0
        self._open: list[socket.socket] = []

    def __enter__(self) -> Speaker:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _listen(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            self.visits += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._speak(connection)
        except OSError:
            print("the visitor has left", file=sys.stderr)
        connection.close()
