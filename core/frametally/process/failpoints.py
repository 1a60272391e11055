"""Failpoints: named places at which a test lets the process die.

`FRAMETALLY_FAILPOINT=<name>[:<n>]` makes the process kill itself, by SIGKILL, when it passes the named place
for the n-th time (default: the first). Nothing is flushed, closed or told to anybody, as when the power goes.
Unset, a failpoint costs one comparison.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from typing import NamedTuple

from frametally.errors import Misconfigured

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
    "results.told": "results are told to those who watch, and no segment has them",
    "aggregate.planned": "the days to count are known, and nothing was counted",
    "aggregate.counted": "all days are counted, and none is published",
    "aggregate.part": "a part file of a run is put",
    "aggregate.audited": "a run's quality report is put, and its `_SUCCESS` is not",
    "aggregate.success": "a run is whole, and no pointer names it",
    "aggregate.published": "a day's pointer is put, and those of other days are not",
    "flows.planned": "the days are known whose lines and zones are to be counted, and none was counted",
    "flows.counted": "flows are counted, and none are published",
    "flows.part": "a part file of a run of flows is put",
    "flows.success": "a run of flows is whole, and no pointer names it",
    "flows.published": "the pointer of a day's flows is put, and those of other days are not",
    "upload.created": "an upload's record is put, and its client knows nothing of it",
    "upload.appended": "some of an upload's bytes were taken in, and are not durable",
    "upload.flushed": "an upload's bytes are durable, and its client knows nothing of it",
    "upload.received": "all bytes of an upload are there, and are no object yet",
    "upload.finished": "an upload's bytes are the original, and nobody has looked at them",
    "upload.looked": "a video's bytes were looked at, and are not noted as its",
    "upload.claimed": "an upload's content is noted as its video's, and the video has no record",
    "upload.recorded": "a video's record is put, and the catalogue knows nothing of it",
    "upload.catalogued": "a video is in the catalogue, and nothing is queued for it",
    "upload.queued": "what is to be done to a video is queued, and its upload's record is still there",
    "upload.removed": "an upload's end is noted and its record gone, and its client knows nothing of it",
    "layer.made": "what a function of a layer makes is in the store, and the catalogue knows nothing of it",
    "derivative.made": "a derivative is whole in its scratch folder, and nothing of it is in the store",
    "derivative.sent": "all bytes of a derivative are in the store, and are no object yet",
    "derivative.finished": "a derivative is an object, and has no record",
    "forget.tombstone": "a medium's tombstone is put, and its pictures and its manifest are still there",
    "forget.picture": "a picture of what is forgotten is deleted, and others are not",
    "removal.forgotten": "a video's medium is forgotten, and what lies of the video is still there",
    "removal.object": "the original or a preview is deleted, and others are not",
    "removal.emptied": "nothing of a video is there but its record and the note of its content",
    "removal.unclaimed": "a video's bytes are nobody's any more, and its record is still there",
    "mail.put": "what is told of a video is in the outbox, and the event itself is noted nowhere",
    "mail.claimed": "a mail is to be sent, and nobody else sends it for now",
    "mail.taken": "the mail server has a mail, and the outbox knows nothing of it",
    "mail.noted": "a mail is noted as sent",
    "reports.put": "a report's files are in the store, and nobody is told",
    "reports.told": "that a report is made, and what is to be sent of it, is about to be noted at once",
    "alerts.told": "alerts, what is to be sent of them and what was looked at are about to be noted at once",
    "alerts.claimed": "a message is to be sent, and nobody else sends it for now",
    "alerts.taken": "a channel has a message, and the outbox knows nothing of it",
    "alerts.noted": "a message is noted as sent",
    "removal.removed": "a video's record is gone, and its row is still in the catalogue",
}
"""Every failpoint's name, and how things stand there."""


class _Armed(NamedTuple):
    name: str
    passing: int


_armed: _Armed | None = None
_passed = 0
_lock = threading.Lock()


def arm(environment: Mapping[str, str] = os.environ) -> None:
    """Take the failpoint from the environment; a stage calls this once, at its start.

    Raises:
        Misconfigured: There is no failpoint of that name, or the number is none.
    """
    global _armed, _passed
    text = environment.get(VARIABLE, "")
    name, colon, number = text.partition(":")
    if not text:
        _armed = None
        return
    if name not in FAILPOINTS:
        raise Misconfigured(f"{VARIABLE}={text}: no such failpoint; there are {', '.join(FAILPOINTS)}")
    if colon and not (number.isascii() and number.isdigit() and int(number)):
        raise Misconfigured(f"{VARIABLE}={text}: {number!r} is no number from 1 on; use {name} or {name}:2")
    wanted = _Armed(name, int(number or 1))
    if wanted != _armed:
        _armed, _passed = wanted, 0


def passing(name: str) -> None:
    """Pass the failpoint `name`: the process dies here if it was asked to."""
    global _passed
    armed = _armed
    if armed is None or name != armed.name:
        return
    with _lock:
        _passed += 1
        if _passed == armed.passing:
            os.kill(os.getpid(), signal.SIGKILL)
