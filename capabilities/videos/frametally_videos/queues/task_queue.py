"""The task queue: it announces due jobs to workers, by their IDs; the job book has the truth.

So a queue may announce twice, late, or forget everything: a worker that claims a job in the book does it, and
jobs that wait there unclaimed are announced again.
All functions raise `Retryable` while the queue or the book is not available.
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
"""Kinds of jobs by queue; each kind has one."""


class JobConsumer:
    """One worker's end of a queue, at one job at a time; of one thread alone. This one asks the book."""

    def __init__(self, book: JobBook, queues: Sequence[QueueName]) -> None:
        """Take jobs of these queues."""
        self._book = book
        self._kinds = kinds_of(queues)

    def take(self, worker: str, *, lease_s: float, wait_s: float) -> Job | None:
        """Claim the next job for `worker`; None: no job came within `wait_s`.

        The same call again where it has failed goes on with the job that it was at.

        Raises:
            Misconfigured: The queue does not let us in.
        """
        job = self._book.claim(worker, self._kinds, lease_s=lease_s)
        if job is None:
            time.sleep(wait_s)
        return job

    def keep(self) -> bool:
        """Report that the job taken is still running; at least every few seconds. A queue may be away.

        Returns:
            Whether the queue knows; else others may get the job, and see in the book that its worker lives.
        """
        return True

    def settle(self) -> None:
        """Report that the book has the result of the job taken, so that no other worker needs it."""

    def close(self) -> None:
        """Leave; other workers get the unfinished jobs."""


class BookQueue:
    """The job book as its own queue, and the base of queues that are announced to; of one thread alone.

    Attributes:
        url: Where it is.
        is_told: Whether jobs must be announced to it; else it reads the book itself.
    """

    is_told = False

    def __init__(self, url: str, *, book: JobBook, access: ServerAccess | None = None) -> None:
        """Connect to nothing yet; workers claim jobs in `book`. Raises `Misconfigured` for a wrong URL."""
        self.url = url
        self._book = book

    def prepare(self) -> None:
        """Create its missing parts, and check that we may use it.

        Raises:
            Misconfigured: It does not let us in, or is not as it should be.
        """

    def tell(self, jobs: Sequence[Job]) -> None:
        """Announce jobs, each once; when this returns, it is durable, else some may have been announced.

        Raises:
            Misconfigured: It does not let us in.
        """

    def consumer(self, queues: Sequence[QueueName]) -> JobConsumer:
        """Return a worker's end for jobs of these queues.

        Brokers wait for no job for ever: `keep` settles a job before that, and from then on its lease
        alone guards it.
        """
        return JobConsumer(self._book, queues)

    def drain(self, handle: Callable[[str], object]) -> None:
        """Call `handle` with the id of each job whose workers died with it too often, then forget it.

        Raises:
            Misconfigured: It does not let us in.
        """

    def close(self) -> None:
        """Release connections."""


def kinds_of(queues: Sequence[QueueName]) -> tuple[JobKind, ...]:
    """Return the kinds of jobs that come by these queues."""
    return tuple(kind for queue in queues for kind in QUEUES[queue])


def queue_of(kind: JobKind) -> QueueName:
    """Return the queue that jobs of a kind come by."""
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
    """Claim a job whose holder is lost; None: it has ended, waits for later, or its holder is alive.

    If a queue offers it again, its holder has lost the queue, but may still live: it is given
    the time to renew its lease, which it then does several times a second. A broker's restart so ends no job.
    """
    job = book.job(job_id)
    if job is None or job.state != "running":
        return None
    from_s = time.monotonic() + SILENT_S
    while (left_s := from_s - time.monotonic()) > 0:
        meanwhile()
        time.sleep(min(_LOOK_EVERY_S, left_s))
    return book.claim(worker, kinds, lease_s=lease_s, job_id=job_id, take_over=True)
