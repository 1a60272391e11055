"""The embedded task queue: nobody is told of a job, workers look into the book."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from frametally.settings.access import ServerAccess
from frametally_videos.ports.job_book import Job, JobBook, JobKind
from frametally_videos.ports.task_queue import QueueName, kinds_of


class BookQueue:
    """A queue that is the job book itself; see `TaskQueue`. Threads may share it."""

    is_told = False

    def __init__(self, url: str, *, book: JobBook, access: ServerAccess | None = None) -> None:
        """Look into `book`, which lies at `url`."""
        self.url = url
        self._book = book

    def prepare(self) -> None:
        """Do nothing: whoever opened the book has made it."""

    def tell(self, jobs: Sequence[Job]) -> None:
        """Do nothing: the book has them."""

    def consumer(self, queues: Sequence[QueueName], *, settle_after_s: float) -> BookConsumer:
        """Return the end of a worker that does what comes by these queues."""
        return BookConsumer(self._book, kinds_of(queues))

    def drain(self, handle: Callable[[str], object]) -> None:
        """Do nothing: whoever takes a job sees in the book how often it was begun."""

    def close(self) -> None:
        """Leave the book open: it is another's."""


class BookConsumer:
    """One worker that looks into the book; see `JobConsumer`."""

    def __init__(self, book: JobBook, kinds: Sequence[JobKind]) -> None:
        """Take jobs of these kinds."""
        self._book = book
        self._kinds = kinds

    def take(self, worker: str, *, lease_s: float, wait_s: float) -> Job | None:
        """Claim the next job for `worker`; see `JobConsumer.take`."""
        job = self._book.claim(worker, self._kinds, lease_s=lease_s)
        if job is None:
            time.sleep(wait_s)
        return job

    def keep(self) -> bool:
        """Do nothing: the lease says it."""
        return True

    def settle(self) -> None:
        """Do nothing: the book says it."""

    def close(self) -> None:
        """Do nothing: what was claimed is others' once its lease is over."""
