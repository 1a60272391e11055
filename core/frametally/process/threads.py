"""Work in a thread of its own, for as long as a `with` block lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def in_thread(work: Callable[[threading.Event], None], *, name: str) -> Iterator[None]:
    """Run `work` in a thread; at the end set the event that it was given, and wait for it."""
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,), name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
