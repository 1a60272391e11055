"""The task queue port: workers are told that a job is due, by its id; what is true stands in the job book.

So a queue may tell twice, late, or forget everything: a job is done by whoever claims it in the book, and
what waits there unclaimed is told again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from frametally_videos.ports.job_book import Job, JobKind

QueueName = Literal["metadata-extraction", "video-enhancement", "media", "frames"]
QUEUES: dict[QueueName, tuple[JobKind, ...]] = {
    "metadata-extraction": ("metadata", "checks"),
    "video-enhancement": ("enhance", "playable"),
    "media": ("removal", "previews", "gold"),
    "frames": ("frames",),
}
"""Which kinds of jobs come by which queue; each by one."""


class JobConsumer(Protocol):
    """One worker's end of a queue, at one job at a time; of one thread alone."""

    def take(self, worker: str, *, lease_s: float, wait_s: float) -> Job | None:
        """Claim the next job for `worker`; None: within `wait_s` there was none.

        The same call again where it has failed goes on with the job that it was at.

        Raises:
            Retryable: The queue or the book is away for now.
            Misconfigured: The queue does not let us in.
        """

    def keep(self) -> bool:
        """Say that the job taken is still worked on; at least every few seconds. A queue away is no error.

        Returns:
            Whether the queue knows; else others may be told of the job, and see in the book who is alive.
        """

    def settle(self) -> None:
        """Say that the book knows what became of the job taken, so that nobody needs to be told of it."""

    def close(self) -> None:
        """Leave; what was taken and not settled is told to others."""


class TaskQueue(Protocol):
    """What every adapter does; of one thread alone, as is each consumer.

    Attributes:
        url: Where it is.
        is_told: Whether jobs have to be told to it; else it looks into the book itself.
    """

    url: str
    is_told: bool

    def prepare(self) -> None:
        """Make what is missing of it there, and see that we are let in.

        Raises:
            Retryable: It is away for now.
            Misconfigured: It does not let us in, or is not as it should be.
        """

    def tell(self, jobs: Sequence[Job]) -> None:
        """Tell workers of jobs, one worker of each; when this returns, it is durable.

        Raises:
            Retryable: It is away for now; some may have been told.
            Misconfigured: It does not let us in.
        """

    def consumer(self, queues: Sequence[QueueName], *, settle_after_s: float) -> JobConsumer:
        """Return the end of a worker that does what comes by these queues.

        Brokers wait for no job for ever: a job that takes longer is settled by `keep` after `settle_after_s`,
        and from then on its lease alone guards it.
        """

    def drain(self, handle: Callable[[str], object]) -> None:
        """Call `handle` with the id of each job whose workers died with it too often, then forget it.

        Raises:
            Retryable: It is away for now.
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
