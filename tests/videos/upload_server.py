"""A dashboard that takes uploads, over files in a folder; it can be stopped and started where it was."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from tests.fakes.memory import MemoryLog
from tests.videos.fake_uploads import fake_video, open_parts

from frametally import keys
from frametally.opening import open_count_index, open_ledger
from frametally_videos.ports.video_catalogue import VideoQuestion
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.acceptance import read_video
from frametally_web.app import close_app, create_app
from frametally_web.serving import DashboardServer


class UploadServer:
    """The server, and what lies behind it."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.ports = open_parts(folder)
        self._settings = self.ports.settings.model_copy(update={"web_query_timeout_s": 120.0, **settings})
        self._index = open_count_index(f"sqlite:///{folder / 'index.sqlite'}")
        self._ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        self._log = MemoryLog()
        self._port = 0
        self.url = ""
        self.start()

    def start(self) -> None:
        """Serve, at the same address as before."""
        self._app = create_app(
            settings=self._settings,
            store=self.ports.store,
            index=self._index,
            ledger=self._ledger,
            log=self._log,
            catalogue=self.ports.catalogue,
            look=self.ports.look,
        )
        self._server = DashboardServer(self._app, host="127.0.0.1", port=self._port)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        self.url = self._server.url
        self._port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        """End it, with all that is open."""
        self._server.stop()
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        close_app(self._app)

    def close(self) -> None:
        """End it for good."""
        if self._thread.is_alive():
            self.stop()
        for one in (self._index, self._ledger, self._log, self.ports.catalogue, self.ports.store):
            one.close()

    def videos(self) -> list[VideoRecord]:
        """Return the videos that there are, oldest first."""
        question = VideoQuestion(newest_first=False, limit=1000)
        return [row.record for row in self.ports.catalogue.videos(question).rows]

    def uploads(self) -> list[str]:
        """Return what of uploads that are under way lies in the store."""
        return [info.key for info in self.ports.store.list("uploads/")]

    def digest(self, video_id: str) -> str:
        """Return the SHA-256 of a video's bytes as they lie in the store."""
        assert read_video(self.ports.store, video_id) is not None
        return hashlib.sha256(self.ports.store.get(keys.original_key(video_id))).hexdigest()


def write_video(path: Path, number: int = 1, size_bytes: int = 1000) -> str:
    """Write bytes that are taken for a video, and return their SHA-256."""
    pattern = fake_video(number, 1000)
    data = pattern + hashlib.sha256(pattern).digest() * ((size_bytes - len(pattern)) // 32)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
