"""An upload server that is killed and restarted on the same port, and counts the bytes that it receives."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from starlette.types import Message, Receive, Scope, Send
from tests.kit.ports import free_port
from tests.kit.waiting import until

from frametally_web.asgi import Application

ROOT = Path(__file__).resolve().parents[2]

FAKE_LOOK = """
import sys
from pathlib import Path
from tests.fakes.memory import MemoryLog
from tests.videos.video_records import open_parts
from tests.videos.killed_server import count_taken_in
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally_web.app import create_app
from frametally_web.serving import serve
folder = Path(sys.argv[1])
count_taken_in(Path(sys.argv[3]))
ports = open_parts(folder)
app = create_app(
    settings=ports.settings, store=ports.store, catalogue=ports.catalogue, look=ports.look, log=MemoryLog(),
    index=open_count_index(ports.settings.index_url), ledger=open_ledger(ports.settings.ledger_url),
)
serve(app, "127.0.0.1", int(sys.argv[2]))
"""
"""A server that accepts the results of `tests.videos.video_records` as videos."""


def count_taken_in(file: Path) -> None:
    """Add up in a file, which survives a kill, how many bytes of bodies this process receives."""
    answer = Application.__call__
    counter = os.open(file, os.O_RDWR | os.O_CREAT)
    taken_bytes = int.from_bytes(os.pread(counter, 8, 0), "little")

    async def counted(self: Application, scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_counted() -> Message:
            nonlocal taken_bytes
            message = await receive()
            taken_bytes += len(message.get("body", b""))
            os.pwrite(counter, taken_bytes.to_bytes(8, "little"), 0)
            return message

        await answer(self, scope, receive_counted, send)

    Application.__call__ = counted


class KilledServer:
    """A server that is killed and restarted, always on one port."""

    def __init__(self, folder: Path, code: str = FAKE_LOOK) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._code = code
        self._counter = folder.with_name(f"{folder.name}-taken-in")

    def start(self, **environment: str) -> None:
        """Serve; returns once it listens."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", self._code, self.folder, str(self.port), self._counter],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert any(b"Dashboard at" in line for line in self.process.stdout)

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def wait_for_bytes(self, least: int, is_over: Callable[[], bool] = lambda: False) -> None:
        """Return once it has stored this many bytes, or there is nothing more to wait for."""
        until(lambda: self.kept_bytes() >= least or is_over(), within_s=300, every_s=0.002)

    def kept_bytes(self) -> int:
        """Return how much there is of the one upload, under way or over."""
        store = self.folder / "store"
        kept = 0
        for file in [*store.glob("uploads/*.part"), *store.glob("videos/*/original")]:
            with contextlib.suppress(FileNotFoundError):  # it has just become the original
                kept = max(kept, file.stat().st_size)
        return kept

    def taken_in_bytes(self) -> int:
        """Return how many bytes of bodies all that were started have taken in."""
        return int.from_bytes(self._counter.read_bytes(), "little")

    def originals(self) -> list[str]:
        """Return the SHA-256 of each original that is stored."""
        return [sha256_of(file) for file in self.folder.glob("store/videos/*/original")]

    def memory_kb(self, what: str = "VmHWM") -> int:
        """Return the most memory of its process, or by `VmRSS` the present."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(f"{what}:")))


def sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def write_film(file: Path, size_bytes: int, start: bytes) -> Path:
    """Write a file with this beginning and random content."""
    left = size_bytes - len(start)
    with file.open("wb") as written:
        written.write(start)
        while left:
            left -= written.write(os.urandom(min(left, 10_000_000)))
    return file
