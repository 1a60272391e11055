"""A worker says that a part is back only after that part has answered."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.kit.waiting import until
from tests.videos.video_place import VideoPlace

from frametally.adapters.files.folder_store import FileStore
from frametally.errors import Retryable
from frametally.ports.object_store import ObjectInfo
from frametally.process.meters import METERS
from frametally_videos.catalogue_by_url import open_task_queue
from frametally_videos.jobs import job_worker

BACK = "no longer waiting: the frame store is responding again"


class SwitchedStore(FileStore):
    """A store that can be away, and counts how often it was asked for a list while it was."""

    is_away = False
    refusals = 0

    def list(self, prefix: str, after: str | None = None) -> Iterator[ObjectInfo]:
        if self.is_away:
            self.refusals += 1
            raise Retryable("the store refuses", part="frame store")
        return super().list(prefix, after)


def is_away(part: str) -> bool:
    absence = METERS.absence(part)
    return absence is not None and absence.back_since_ms is None


def test_a_worker_reports_that_the_store_is_back_once_it_responds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_worker, "_ROUND_EVERY_S", 0.02)
    with closing(VideoPlace(tmp_path)) as shop:
        store = shop.store = SwitchedStore(shop.settings.store_url)
        ended = threading.Event()
        worker = shop.worker(ended.is_set)
        store.is_away = True
        thread = threading.Thread(target=worker.work, args=(1,), kwargs={"until_done": False})
        thread.start()
        try:
            until(lambda: store.refusals > 3 or BACK in shop.worker_lines)
            assert shop.worker_lines == ["waiting, then trying again: the store refuses"]
            assert is_away("frame store")
            store.is_away = False
            until(lambda: BACK in shop.worker_lines)
        finally:
            ended.set()
            thread.join()
    assert shop.worker_lines[1:] == [BACK]
    assert not is_away("frame store")


def test_a_stopped_broker_is_reported_as_not_responding(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with closing(VideoPlace(tmp_path)) as shop:
        queue = open_task_queue(f"amqp://me@127.0.0.1:{port}", shop.catalogue)
        with closing(queue), pytest.raises(Retryable, match=r"is not responding \(.*refused"):
            queue.prepare()
