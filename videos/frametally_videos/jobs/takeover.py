"""What is done about a job whose worker is said to be gone: by a queue that tells of it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from frametally_videos.ports.job_book import SILENT_S, Job, JobBook, JobKind

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
    """Claim a job whose holder is gone; None: it is ended, waits for later, or its holder is alive.

    That a queue tells of it again means that its holder has lost the queue, not that it is gone: it is given
    the time to renew its lease, which it then does several times a second. A broker's restart so ends no job.

    Args:
        book: Whose job it is.
        job_id: Which.
        worker: Who takes it.
        kinds: Only of these.
        lease_s: How long it is kept without a word, as its holder's is.
        meanwhile: Is called several times a second.

    Raises:
        Retryable: The book is away for now.
    """
    there = book.job(job_id)
    if there is None or there.state != "running":
        return None
    from_s = time.monotonic() + SILENT_S
    while (left_s := from_s - time.monotonic()) > 0:
        meanwhile()
        time.sleep(min(_LOOK_EVERY_S, left_s))
    return book.claim(worker, kinds, lease_s=lease_s, job_id=job_id, take_over=True)
