"""The task queue, which announces due jobs to workers by ID, while the job book remains the authority.

So a queue may announce jobs twice or late, or lose everything: only a worker that claims a job in the book
does it, and jobs that stay unclaimed there are announced again. All functions raise `Retryable` while the
queue or the book is not available.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from frametally.settings.access import ServerAccess
from frametally_videos.catalogue.catalogue_rows import SILENT_S, Job, JobKind

if TYPE_CHECKING:
    from frametally_videos.catalogue.job_book import JobBook

QueueName = Literal["metadata-extraction", "video-enhancement", "media", "frames"]
QUEUES: dict[QueueName, tuple[JobKind, ...]] = {
    "metadata-extraction": ("metadata", "checks"),
    "video-enhancement": ("enhance", "playable"),
    "media": ("removal", "previews", "gold"),
    "frames": ("frames",),
}
"""The kinds of jobs in each queue; each kind has one queue."""
SHORT_QUEUES: tuple[QueueName, ...] = ("metadata-extraction", "media")
"""The queues whose jobs take seconds; no job of theirs waits behind another video's frames."""


class JobConsumer:
    """A worker's end of a queue, for one job at a time and one thread; this class asks the book."""

    def __init__(self, book: JobBook, queues: Sequence[QueueName]) -> None:
        """Take jobs from these queues."""
        self._book = book
        self._kinds = kinds_of(queues)

    def take(self, worker: str, *, lease_s: float, wait_s: float) -> Job | None:
        """Claim the next job for `worker`; return None if there is none within `wait_s`.

        After a failure, the same call continues with the same job.

        Raises:
            Misconfigured: The queue denies access.
        """
        job = self._book.claim(worker, self._kinds, lease_s=lease_s)
        if job is None:
            time.sleep(wait_s)
        return job

    def keep(self) -> bool:
        """Report that the current job is still running; call this at least every few seconds.

        Returns:
            Whether the queue received the report; if not, others may get the job, and see in the book that
            its worker is alive.
        """
        return True

    def settle(self) -> None:
        """Report that the book has the current job's result, so that no other worker needs the job."""

    def close(self) -> None:
        """Disconnect; other workers get the unfinished jobs."""


class BookQueue:
    """The job book as its own queue, and the base class of other queues; for one thread only.

    Attributes:
        url: The URL of the queue.
        is_told: Whether jobs must be announced to it; otherwise it reads the book itself.
    """

    is_told = False

    def __init__(self, url: str, *, book: JobBook, access: ServerAccess | None = None) -> None:
        """Read the URL without connecting; workers claim jobs in `book`. Raises `Misconfigured`."""
        self.url = url
        self._book = book

    def prepare(self) -> None:
        """Create missing parts, and check that we may use the queue.

        Raises:
            Misconfigured: The queue denies access, or has other settings.
        """

    def tell(self, jobs: Sequence[Job]) -> None:
        """Announce jobs, each once and durably; after an error, some may have been announced.

        Raises:
            Misconfigured: The queue denies access.
        """

    def consumer(self, queues: Sequence[QueueName]) -> JobConsumer:
        """Return a worker's end for jobs of these queues.

        Brokers do not wait for a job forever: `keep` settles it in time, and then only its lease guards it.
        """
        return JobConsumer(self._book, queues)

    def drain(self, handle: Callable[[str], object]) -> None:
        """Call `handle` with the ID of each job that lost its workers too often, then remove it here.

        Raises:
            Misconfigured: The queue denies access.
        """

    def close(self) -> None:
        """Release connections."""


def kinds_of(queues: Sequence[QueueName]) -> tuple[JobKind, ...]:
    """Return the kinds of jobs in these queues."""
    return tuple(kind for queue in queues for kind in QUEUES[queue])


def queue_of(kind: JobKind) -> QueueName:
    """Return the queue for jobs of a kind."""
    return next(queue for queue, kinds in QUEUES.items() if kind in kinds)


_LOOK_EVERY_S = 0.2


def take_over(
    book: JobBook,
    job_id: str,
    *,
    worker: str,
    kinds: Sequence[JobKind],
    lease_s: float,
    meanwhile: Callable[[], object] = lambda: None,
) -> Job | None:
    """Claim a job whose holder is lost; return None if the holder is alive or the job is not running.

    A queue offers a job again if its holder has lost the queue, but the holder may be alive. So give it time
    to renew its lease, which it then does several times a second: a restart of the broker does not end jobs.
    """
    job = book.job(job_id)
    if job is None or job.state != "running":
        return None
    from_s = time.monotonic() + SILENT_S
    while (left_s := from_s - time.monotonic()) > 0:
        meanwhile()
        time.sleep(min(_LOOK_EVERY_S, left_s))
    return book.claim(worker, kinds, lease_s=lease_s, job_id=job_id, take_over=True)
