"""`frametally live work`: runs the cameras and streams that are wanted, each in a process of its own.

Each is claimed by a lease that this worker keeps, several times a second. A worker that dies takes its
processes with it; once the leases are over, others go on from where they were.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from frametally.errors import Retryable
from frametally.process.retrying import Patience
from frametally.settings.loading import Settings
from frametally_live.feeds.feed_messages import KINDS
from frametally_live.feeds.held_feed import HeldFeed
from frametally_live.settings import LiveSettings

if TYPE_CHECKING:
    from frametally_live.book import LiveBook

_LOOK_EVERY_S = 0.2


def work(
    *, settings: Settings, book: LiveBook, say: Callable[[str], None], should_stop: Callable[[], bool]
) -> None:
    """Run what is wanted until `should_stop`; what runs then is left to another worker.

    A catalogue, a store or a log that is away is waited for.

    Args:
        settings: Of this process; each feed's process has the same.
        book: Whose feeds are run; threads share it.
        say: Is told what is waited for, and what failed.
        should_stop: Once true, all is left.
    """
    name = f"{socket.gethostname()}-{os.getpid()}"
    patience = Patience(say, should_stop)
    threads: list[threading.Thread] = []
    while not patience.stopping:
        threads = [thread for thread in threads if thread.is_alive()]
        try:
            feed = book.claim_feed(name, KINDS, lease_s=settings.part(LiveSettings).stream_lease_s)
        except Retryable as error:
            patience.tell("feeds", error)
            feed = None
        if feed is None:
            patience.pause(_LOOK_EVERY_S)
            continue
        held = HeldFeed(feed, settings=settings, book=book, say=say)
        thread = threading.Thread(target=held.run, args=(should_stop,), name=f"feed-{feed.id}")
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
