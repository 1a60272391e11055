"""Runs one feed: `python -m frametally_live.feeds` reads its feed from stdin, and reports on stdout.

Settings come from the environment. Its resources are limited; it has the network, because it needs the store
and the log. It ends when its worker ends, asks it to end, or has been silent for a lease. With `--packs`, a
camera's frames are stored in packs.
"""

from __future__ import annotations

import signal
import sys
from contextlib import closing

import msgspec

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.errors import Misconfigured, Poison
from frametally.process import failpoints
from frametally.process.retrying import GivenUp
from frametally.settings.loading import Settings, load_settings
from frametally.work.worker_process import answer, bound_memory, say
from frametally_live.cameras.spool import spool_folder, spool_lock
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.feeds.camera_capture import CameraCapture
from frametally_live.feeds.clip_loop import ClipLoop
from frametally_live.feeds.feed_messages import FeedRun, Teller, TellingPatience, Wishes
from frametally_live.feeds.video_stream import VideoStream
from frametally_videos.upload_refusals import sentence


def _run(feed: Feed, settings: Settings, wishes: Wishes, teller: Teller) -> str:
    """Run the feed to its end, and return why it ended. Raises `Poison`, `Misconfigured`, `GivenUp`."""
    patience = TellingPatience(teller, say, lambda: wishes.is_end_wanted)
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log,
    ):
        run = FeedRun(settings, store, log, patience, teller, packs="--packs" in sys.argv)

        def show() -> str:
            if feed.kind == "video":
                return VideoStream(feed, run, wishes).run()
            if feed.is_simulated:
                ClipLoop(feed, run, wishes).run()

            def wait() -> None:
                if patience.stopping:
                    raise GivenUp("another process sends its frames")
                patience.say_once_a_minute("spool", "another process here still sends its frames")

            with spool_lock(spool_folder(settings.data_dir, feed.source), wait):
                CameraCapture(feed, run).run()
            raise GivenUp("stopped")

        return patience.until_done("the feed", show)


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
        reason = f"It needs more than {most}: convert the video, or raise FRAMETALLY_JOB_MEMORY_MB."
        return teller.told._replace(state="failed", reason=reason)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the worker, which notifies us
    settings = load_settings("producer")
    bound_memory(settings)
    stdin = open(0, "rb", buffering=0)  # noqa: SIM115 - as long as this process; a buffer's lock would be left
    feed = msgspec.json.decode(stdin.readline(), type=Feed)
    wishes = Wishes(feed, lease_s=settings.lease_s)
    signal.signal(signal.SIGTERM, lambda number, frame: wishes.end())
    wishes.listen(stdin)
    answer(_end_of(feed, settings, wishes, Teller(feed.told, answer)))


if __name__ == "__main__":
    _main()
