"""Uploads the demo's clip, with everything that a video's page shows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from frametally.adapters_by_url import open_ledger
from frametally.console import output as console
from frametally.files.demo_clip import DemoClip
from frametally.ports.opened import Ports
from frametally.process.retrying import Patience
from frametally_videos.catalogue_by_url import catalogue_of, queue_of
from frametally_videos.commands.local_upload import StoreUploader
from frametally_videos.commands.upload_clip import UploadNotes, look_at
from frametally_videos.jobs.job_worker import JobWorker
from frametally_videos.jobs.video_states import StateSettler
from frametally_videos.library.video_looks import inspect
from frametally_videos.queues.task_queue import QUEUES
from frametally_videos.records import VideoFields
from frametally_videos.uploads.receiving import UploadPorts

_WORKERS = 2


@contextmanager
def uploaded(ports: Ports, clip: DemoClip, should_stop: Callable[[], bool]) -> Iterator[None]:
    """Upload the clip, run its video's jobs during detection, and note that it is ready."""
    settings, is_over = ports.settings, threading.Event()

    def is_ending() -> bool:
        return is_over.is_set() or should_stop()

    with (
        catalogue_of(settings) as catalogue,
        closing(queue_of(settings, catalogue)) as queue,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
        ThreadPoolExecutor(1) as pool,
    ):
        uploader = StoreUploader(
            UploadPorts(settings, ports.store, catalogue, inspect),
            UploadNotes(settings.data_dir),
            Patience(console.say_error, is_ending),
            is_ending,
        )
        fields = VideoFields(source=clip.source, start_time=clip.start_time)
        uploader.upload(look_at(clip.path, fields), lambda _: None)
        worker = JobWorker(settings, ports.store, catalogue, queue, tuple(QUEUES), lambda _: None, is_ending)
        jobs = pool.submit(worker.work, _WORKERS, until_done=True)
        try:
            yield
            for failure in jobs.result().failed:
                console.say_error(failure)
        finally:
            is_over.set()
        StateSettler(
            settings=settings, store=ports.store, index=ports.index, ledger=ledger, catalogue=catalogue
        ).settle_all()
