"""The backup that `frametally up` puts into the store once a day."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from frametally.backups.keeping import is_due, make_backup, store_backup
from frametally.errors import FrametallyError
from frametally.opening import open_kept_books, open_object_store
from frametally.process.retrying import OnceAMinute
from frametally.process.threads import in_thread
from frametally.settings.loading import Settings
from frametally_cli.checkup.ports import not_there_yet

FIRST_LOOK_S, LOOK_EVERY_S = 30.0, 600.0


def back_up_if_due(settings: Settings, now_ms: int) -> str | None:
    """Make a backup where the newest in the store is older than a day; return its key, None: none was made.

    Raises:
        FrametallyError: As the store and the catalogue do.
    """
    if not_there_yet(settings.catalogue_url) is not None:
        return None
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        if not is_due(store, now_ms):
            return None
        with closing(open_kept_books(settings.catalogue_url, settings.catalogue_access)) as books:
            data = make_backup(books, made_at_ms=now_ms, key=settings.backup_key.get_secret_value())
        return None if data is None else store_backup(store, data, now_ms)


@contextmanager
def backing_up(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """While it lasts, make a backup whenever one is due, and `say` which, or why there is none."""

    def look(stop: threading.Event) -> None:
        once_a_minute, pause_s = OnceAMinute(say), FIRST_LOOK_S
        while not stop.wait(pause_s):
            pause_s = LOOK_EVERY_S
            try:
                if (key := back_up_if_due(settings, round(time.time() * 1000))) is not None:
                    say(f"backup: {key}")
            except (FrametallyError, OSError) as error:
                once_a_minute(str(error), f"backup: none is made: {error}")

    with in_thread(look, name="backups"):
        yield
