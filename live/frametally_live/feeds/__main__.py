"""Runs one feed: `python -m frametally_live.feeds`, told which on its input, telling on its output.

Settings come by the environment. What it may take is bounded; it needs store and log, so it has the network.
It ends with the worker that started it, when that tells it to, or when that has been silent for a lease.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

import msgspec

from frametally.errors import Misconfigured, Poison
from frametally.opening import open_frame_log, open_object_store
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.retrying import GivenUp, Patience
from frametally.settings.loading import Settings, load_settings
from frametally_live.cameras.capture import CameraCapture
from frametally_live.feed_records import Feed, FeedKind, FeedTold
from frametally_live.feeds.feed_states import Teller, TellingPatience
from frametally_live.feeds.video_stream import VideoStream
from frametally_live.feeds.wishes import Wishes
from frametally_live.settings import LiveSettings
from frametally_producer.child import bound_memory
from frametally_videos.looking.video_sentences import sentence


class FeedCall(NamedTuple):
    """What a feed is run with.

    Attributes:
        feed: As it was claimed.
        settings: Of the worker.
        store: Where frames go.
        log: Where they are announced.
        patience: Waits for what is away, and tells that.
        wishes: What is wanted by now.
        teller: How it stands.
    """

    feed: Feed
    settings: Settings
    store: ObjectStore
    log: FrameLog
    patience: Patience
    wishes: Wishes
    teller: Teller


def _stream(call: FeedCall) -> str:
    return VideoStream(**call._asdict()).run()


def _capture(call: FeedCall) -> str:
    CameraCapture(
        call.feed,
        settings=call.settings,
        store=call.store,
        log=call.log,
        teller=call.teller,
        patience=call.patience,
    ).run()
    raise GivenUp("stopped")


_RUNNING: dict[FeedKind, Callable[[FeedCall], str]] = {"video": _stream, "camera": _capture}
"""By kind: runs it to its end, and returns why it ended; can be called again after any error.

Raises:
    Poison: It can never run.
    Retryable: What it needs is away for now.
    Misconfigured: Something must be set otherwise.
    GivenUp: An end was asked for.
"""


def _run(feed: Feed, settings: Settings, wishes: Wishes, teller: Teller) -> str:
    patience = TellingPatience(teller, _say, lambda: wishes.is_end_wanted)
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log,
    ):
        call = FeedCall(feed, settings, store, log, patience, wishes, teller)
        return patience.until_done("the feed", lambda: _RUNNING[feed.kind](call))


def _end_of(feed: Feed, settings: Settings, wishes: Wishes, teller: Teller) -> FeedTold:
    try:
        failpoints.arm()
        reason = _run(feed, settings, wishes, teller)
        return teller.told._replace(state="ended", reason=reason)
    except GivenUp:
        is_stopped = wishes.wanted == "stop"
        return teller.told._replace(state="ended" if is_stopped else "requested", reason="")
    except (Poison, Misconfigured) as error:
        return teller.told._replace(state="failed", reason=sentence(str(error)))
    except MemoryError:
        most = f"{settings.job_memory_mb} MB of memory"
        reason = f"It takes more than {most}; convert it, or raise FRAMETALLY_JOB_MEMORY_MB."
        return teller.told._replace(state="failed", reason=reason)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write(told: FeedTold) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the worker, which tells us
    settings = load_settings("producer")
    bound_memory(settings)
    said = open(0, "rb", buffering=0)  # noqa: SIM115 - as long as this process; a buffer's lock would be left
    feed = msgspec.json.decode(said.readline(), type=Feed)
    wishes = Wishes(feed, lease_s=settings.part(LiveSettings).stream_lease_s)
    signal.signal(signal.SIGTERM, lambda number, frame: wishes.end())
    wishes.listen(said)
    _write(_end_of(feed, settings, wishes, Teller(feed.told, _write)))


if __name__ == "__main__":
    _main()
