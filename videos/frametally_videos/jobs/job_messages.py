"""What a worker and the process of one job say to each other: lines of JSON on its input and its output."""

from __future__ import annotations

from typing import Literal

import msgspec

from frametally_videos.ports.job_book import JobKind
from frametally_videos.ports.video_catalogue import Artifact

JobEnd = Literal["done", "failed", "again", "later", "stopped"]
"""It is done; it can never be; it failed for now; what it needs is away; it was told to stop."""

WITH_SERVERS: frozenset[JobKind] = frozenset({"frames", "gold", "removal"})
"""Jobs that need the log or a database, and open these and the store by themselves: where one of them is a
server, with a network. All others get the video's folder from their worker, and have neither log-ins nor a
network."""
STORE_VARIABLE = "FRAMETALLY_JOB_STORE"
"""Names the descriptor by which a job's process asks for the video's folder."""


class JobOrder(msgspec.Struct, frozen=True):
    """What is to be done, and to which video; see `Job`."""

    video_id: str
    kind: JobKind
    options: str = ""


class JobWord(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far it is, or how it ended.

    Attributes:
        progress: 0 to 1; None where it cannot be told.
        end: None while it goes on.
        reason: Why it did not come to its end, or what it waits for.
        artifacts: What it made, and put into the store.
    """

    progress: float | None = None
    end: JobEnd | None = None
    reason: str | None = None
    artifacts: list[Artifact] = []
