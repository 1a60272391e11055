"""Does one job: `python -m frametally_producer.jobs`, told which on its input, telling on its output.

Settings come by the environment. Its memory and its processor time are bounded; it ends with the worker that
started it, or when that tells it to, and the same job goes on from there.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from contextlib import closing

import msgspec

from frametally.errors import Misconfigured, Poison, Retryable
from frametally.opening import open_frame_log, open_object_store
from frametally.process import failpoints
from frametally.process.limits import address_space_bytes, limit
from frametally.process.retrying import GivenUp, Patience
from frametally.rules.times import HOUR_S
from frametally.settings.loading import load_settings
from frametally_producer.jobs.frames import make_frames
from frametally_producer.jobs.messages import JobOrder, JobWord
from frametally_producer.jobs.originals import find_record, note_damage
from frametally_producer.jobs.previews import make_previews
from frametally_producer.jobs.removal import remove_video
from frametally_producer.looking.facts import sentence

MOST_CPU_H = 24
_MOST_BYTES = 4 << 30
_TOO_LARGE = "It takes more than 4 GB of memory; convert it."
_NICE = 10
_TELL_EVERY_S = 0.5


class _Teller:
    """Says how far the job is, twice a second at most; threads may share it."""

    def __init__(self) -> None:
        self._told_at_s = float("-inf")
        self._telling = threading.Lock()

    def update(self, done: int, total: int | None, note: str = "") -> None:
        del note
        if time.monotonic() - self._told_at_s >= _TELL_EVERY_S:
            self._told_at_s = time.monotonic()
            self.tell(JobWord(progress=min(1.0, done / total) if total else None))

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def tell(self, word: JobWord) -> None:
        with self._telling:
            sys.stdout.buffer.write(msgspec.json.encode(word) + b"\n")
            sys.stdout.buffer.flush()


def _do(order: JobOrder, teller: _Teller, stop: threading.Event) -> JobWord:
    settings = load_settings("producer")
    failpoints.arm()
    patience = Patience(teller.say, stop.is_set)
    max_pixels = settings.max_image_megapixels * 1_000_000
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log,
    ):
        record = find_record(store, order.video_id, patience)
        if order.kind == "removal":
            if record is not None:
                remove_video(record, settings=settings, store=store, log=log, progress=teller)
        elif record is None or record.state == "deleting":
            return JobWord(end="done", reason="it is being removed")
        elif order.kind == "previews":
            made = make_previews(
                record, store=store, progress=teller, patience=patience, max_pixels=max_pixels
            )
            return JobWord(end="done", previews=made)
        else:
            damage = make_frames(
                record, settings=settings, store=store, log=log, progress=teller, should_stop=stop.is_set
            )
            if damage:
                patience.until_done("the object store", lambda: note_damage(store, order.video_id, damage))
    return JobWord(end="done")


def _end_of(order: JobOrder, teller: _Teller, stop: threading.Event) -> JobWord:
    try:
        return _do(order, teller, stop)
    except GivenUp:
        return JobWord(end="stopped")
    except Retryable as error:
        return JobWord(end="later", reason=str(error))
    except Poison as error:
        return JobWord(end="failed", reason=sentence(str(error)))
    except Misconfigured as error:
        return JobWord(end="again", reason=str(error))
    except MemoryError:
        return JobWord(end="failed", reason=_TOO_LARGE)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the worker, which tells us
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    os.nice(_NICE)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, MOST_CPU_H * HOUR_S)
    memory_bytes = address_space_bytes()
    if memory_bytes is not None:
        limit(resource.RLIMIT_AS, memory_bytes + _MOST_BYTES)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=JobOrder)
    teller = _Teller()
    teller.tell(_end_of(order, teller, stop))


if __name__ == "__main__":
    _main()
