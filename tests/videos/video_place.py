"""A data folder with videos in it, and workers on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from tests.videos.video_records import upload_file

from frametally.adapters_by_url import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.records import encode
from frametally.settings.loading import Settings, load_settings
from frametally_videos.catalogue.catalogue_rows import Job, JobKind
from frametally_videos.catalogue_by_url import open_task_queue, open_video_catalogue
from frametally_videos.jobs.job_worker import JobWorker, WorkReport
from frametally_videos.queues.task_queue import QUEUES
from frametally_videos.records import VideoRecord


class VideoPlace:
    """A store and a catalogue, opened by the settings of a producer.

    Attributes:
        worker_lines: What the workers of this process say.
    """

    def __init__(self, folder: Path, **values: Any) -> None:
        self.settings: Settings = load_settings("producer", data_dir=folder, **values)
        self.store: ObjectStore = open_object_store(self.settings.store_url, self.settings.store_access)
        self.catalogue = open_video_catalogue(self.settings.catalogue_url, self.settings.catalogue_access)
        self.worker_lines: list[str] = []

    def close(self) -> None:
        self.store.close()
        self.catalogue.close()

    def upload(self, path: Path, **fields: Any) -> VideoRecord:
        """Upload a real video, which gets the usual jobs."""
        return upload_file(path, self.settings, self.store, self.catalogue, **fields)

    def upload_for(self, kind: JobKind, path: Path, **fields: Any) -> VideoRecord:
        """Upload a video with only this job waiting."""
        video = self.upload(path, **fields)
        self.catalogue.cancel_jobs(video.id)
        self.catalogue.queue(video.id, kind)
        return video

    def worker(self, should_stop: Callable[[], bool] = lambda: False) -> JobWorker:
        """Return a worker in this process, for all queues."""
        queue = open_task_queue("", self.catalogue)
        return JobWorker(
            self.settings,
            self.store,
            self.catalogue,
            queue,
            tuple(QUEUES),
            self.worker_lines.append,
            should_stop,
        )

    def work(self, should_stop: Callable[[], bool] = lambda: False) -> WorkReport:
        """Do all jobs that wait."""
        return self.worker(should_stop).work(1, until_done=True)

    def job(self, video: VideoRecord, kind: str) -> Job:
        """Return the last job of a kind."""
        return next(job for job in reversed(self.catalogue.jobs(video.id)) if job.kind == kind)

    def ask_to_remove(self, video: VideoRecord) -> None:
        """Do what the page's button does."""
        gone = msgspec.structs.replace(video, state="deleting")
        self.store.put(gone.key, encode(gone))
        info = self.store.head(gone.key)
        self.catalogue.put_video(gone, info.version)
        self.catalogue.queue(video.id, "removal")
