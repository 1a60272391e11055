"""Runs one job: `python -m frametally_videos.jobs` reads it from its input, and reports on its output.

Settings come from the environment. The process has limited resources, and a network only if the job needs a
server. It ends with its worker or at its request; the next attempt at the job continues from there.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import socket
import sys
import threading
import time
from contextlib import closing

import msgspec

from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.plugins import hooks
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.limits import limit
from frametally.process.no_network import without_network
from frametally.process.retrying import GivenUp, Patience
from frametally.rules.times import HOUR_S
from frametally.settings.loading import Settings, load_settings
from frametally.settings.servers import is_server
from frametally.work.worker_process import answer, bound_memory, say
from frametally_videos.catalogue.catalogue_rows import JobKind
from frametally_videos.jobs.handed_store import HandedStore
from frametally_videos.jobs.job_call import JobCall
from frametally_videos.jobs.job_steps import (
    DOING,
    STORE_VARIABLE,
    WITH_SERVERS,
    JobOrder,
    JobWord,
    plugin_jobs,
)
from frametally_videos.jobs.originals import find_record
from frametally_videos.settings import VideoSettings
from frametally_videos.upload_refusals import sentence

_MEMORY = "FRAMETALLY_JOB_MEMORY_MB"
_NICE = 10
_TELL_EVERY_S = 0.5
_LONGEST_WAIT_S = 10.0
"""The longest wait for a server before the job is queued again, so that its worker can do another. A job that
has worked for longer waits as long as it has worked, since starting again would take that long."""
_MOST_FILE_BYTES = 20_000_000_000
"""The largest file of this process, such as a version of a video before it is stored."""


class _Teller:
    """Reports the job's progress, at most twice a second; threads may share it."""

    def __init__(self) -> None:
        self._told_at_s = float("-inf")
        self._telling = threading.Lock()

    def update(self, done: int, total: int | None, note: str = "") -> None:
        del note
        if time.monotonic() - self._told_at_s >= _TELL_EVERY_S:
            self._told_at_s = time.monotonic()
            self.tell(JobWord(progress=min(1.0, done / total) if total else None))

    def say(self, line: str) -> None:
        say(line)

    def tell(self, word: JobWord) -> None:
        with self._telling:
            answer(word)


def needs_network(kind: JobKind, settings: Settings) -> bool:
    """Return whether a job itself connects to a server."""
    places = [settings.store_url, settings.log_url, settings.ledger_url]
    if kind == "removal" or kind not in DOING:  # jobs of plug-ins read no video
        places += [
            settings.catalogue_url,
            *(url for urls in hooks("servers") for url in urls(settings).values()),
        ]
    return kind in WITH_SERVERS and any(map(is_server, places))


def _open_store(settings: Settings) -> ObjectStore:
    """Open the store, or the part of it that the worker hands over."""
    number = os.environ.get(STORE_VARIABLE)
    if number is None:
        return open_object_store(settings.store_url, settings.store_access)
    return HandedStore(socket.socket(fileno=int(number)))


def _do(order: JobOrder, settings: Settings, teller: _Teller, patience: Patience) -> JobWord:
    failpoints.arm()
    with closing(_open_store(settings)) as store:
        record = find_record(store, order.video_id, patience)
        if record is None or (record.state == "deleting" and order.kind != "removal"):
            return JobWord(end="done", reason="it is being deleted")
        call = JobCall(record, order.options, settings, store, teller, patience)
        do = DOING.get(order.kind) or plugin_jobs()[order.kind].do
        return JobWord(end="done", artifacts=do(call))


def _end_of(order: JobOrder, settings: Settings, teller: _Teller, stop: threading.Event) -> JobWord:
    # The worker reports what a job waits for.
    patience = Patience(lambda line: None, stop.is_set, _LONGEST_WAIT_S)
    try:
        if not needs_network(order.kind, settings):
            without_network(may_keep=settings.job_network)
        return _do(order, settings, teller, patience)
    except GivenUp:
        if (error := patience.gave_up_on) is None:
            return JobWord(end="stopped")
        return JobWord(end="later", reason=sentence(str(error)))
    except Retryable as error:
        return JobWord(end="later", reason=sentence(str(error)))
    except Poison as error:
        return JobWord(end="failed", reason=sentence(str(error)))
    except Misconfigured as error:
        return JobWord(end="again", reason=str(error))
    except MemoryError:
        most = f"{settings.job_memory_mb} MB of memory"
        return JobWord(end="failed", reason=f"It needs more than {most}; convert it, or raise {_MEMORY}.")


def _bound_job(settings: Settings) -> None:
    """Limit the resources of this process; the worker that started it limits its running time."""
    limit(resource.RLIMIT_FSIZE, _MOST_FILE_BYTES)
    limit(
        resource.RLIMIT_CPU,
        math.ceil(settings.part(VideoSettings).job_max_h * HOUR_S) * (os.cpu_count() or 1),
    )
    bound_memory(settings)


def _main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    os.nice(_NICE)
    settings = load_settings("producer")
    _bound_job(settings)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=JobOrder)
    teller = _Teller()
    teller.tell(_end_of(order, settings, teller, stop))


if __name__ == "__main__":
    _main()
