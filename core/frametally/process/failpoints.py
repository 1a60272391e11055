"""Defines failpoints: named places at which a test makes the process die.

`FRAMETALLY_FAILPOINT=<name>[:<n>]` makes the process kill itself with SIGKILL when it passes the named place
for the n-th time (default: the first). As in a power failure, nothing is flushed, closed or reported. If the
variable is unset, a failpoint costs one comparison.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.plugins import plugins

VARIABLE = "FRAMETALLY_FAILPOINT"

FAILPOINTS = {
    "producer.put": "a frame is in the store, and not announced",
    "producer.published": "announcements are on the log, and noted nowhere",
    "producer.noted": "announcements are noted in memory; the manifest is written when it is due",
    "producer.manifest": "a manifest is written",
    "consumer.assigned": "partitions were assigned, and nothing was looked up",
    "consumer.looked-up": "the place in a partition's chain is known, and nothing was read",
    "consumer.polled": "messages were taken from the log",
    "consumer.loaded": "a frame is fetched and decoded",
    "consumer.detected": "some frames' objects are found, and in no batch",
    "chain.encoded": "a segment's bytes are made, and none of them is stored",
    "chain.put": "a segment is stored, and its worker knows nothing of it",
    "chain.race-lost": "another worker's segment was found in the way, and not read",
    "chain.adopted": "another worker's segment is read and checked",
    "consumer.written": "a segment is stored, what it covers is dropped, and its offset is not committed",
    "consumer.committed": "an offset is committed",
    "results.told": "results are sent to those who watch, and no segment has them",
    "aggregate.noted": "notes of new segments are written, and their transaction is not over",
    "aggregate.planned": "the days to count are known, and nothing was counted",
    "aggregate.counted": "all days are counted, and none is published",
    "aggregate.hour": "an hour file is put, and no list names it",
    "aggregate.part": "a part file of a run is put",
    "aggregate.audited": "a run's quality report is put, and the list of its hour files is not",
    "aggregate.listed": "a run is whole, and no pointer names it",
    "aggregate.published": "a day's pointer is put, and those of other days are not",
    "forget.tombstone": "a medium's tombstone is put, and its pictures and its manifest are still there",
    "pack.put": "pictures are in a pack, and single, too",
    "pack.picture": "one of the pictures of a pack is single no more, and others are",
    "forget.picture": "a picture of what is forgotten is deleted, and others are not",
}
"""The core failpoints by name, and the state at each; plug-ins have their own."""


def every_failpoint() -> dict[str, str]:
    """Return `FAILPOINTS` and the failpoints of the installed plug-ins."""
    return FAILPOINTS | {name: how for plugin in plugins() for name, how in plugin.failpoints.items()}


class _Armed(NamedTuple):
    name: str
    passing: int


_armed: _Armed | None = None
_passing_count = 0
_lock = threading.Lock()


def arm(environment: Mapping[str, str] = os.environ) -> None:
    """Arm the failpoint that the environment names; a stage calls this once, at its start.

    Raises:
        Misconfigured: There is no failpoint of that name, or the number is invalid.
    """
    global _armed, _passing_count
    text = environment.get(VARIABLE, "")
    name, colon, number = text.partition(":")
    if not text:
        _armed = None
        return
    if name not in (names := every_failpoint()):
        raise Misconfigured(f"{VARIABLE}={text}: unknown failpoint; choose from {', '.join(names)}")
    if colon and not (number.isascii() and number.isdigit() and int(number)):
        raise Misconfigured(
            f"{VARIABLE}={text}: {number!r} is not a number of 1 or more; use {name} or {name}:2"
        )
    new_failpoint = _Armed(name, int(number or 1))
    if new_failpoint != _armed:
        _armed, _passing_count = new_failpoint, 0


def passing(name: str) -> None:
    """Pass the failpoint `name`, and die here if it is armed and due."""
    global _passing_count
    armed = _armed
    if armed is None or name != armed.name:
        return
    with _lock:
        _passing_count += 1
        if _passing_count == armed.passing:
            os.kill(os.getpid(), signal.SIGKILL)
