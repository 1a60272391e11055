"""The store of a process that receives it, for the tests of every store."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack

from frametally.adapters_by_url import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally_videos.jobs.handed_store import HandedStore, Handing


def new_handed_store(stack: ExitStack) -> ObjectStore:
    """A store of files, as another process receives it."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="frametally store "))
    ours, theirs = socket.socketpair()
    handing = Handing(open_object_store(f"file://{folder}/made on opening"), folder="")
    serving = threading.Thread(target=handing.serve, args=(theirs,))
    serving.start()
    stack.callback(serving.join)
    store = HandedStore(ours)
    stack.callback(store.close)
    return store


ADAPTERS: dict[str, Callable[[ExitStack], ObjectStore]] = {"handed": new_handed_store}
