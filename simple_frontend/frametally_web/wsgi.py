"""The dashboard for a production server: `gunicorn --threads 16 'frametally_web.wsgi:create_app()'`.

Settings come from the environment and `.env`, as for `frametally serve`. Each worker process opens ports of
its own, after the fork; one worker with threads is enough for most, as the work is done by the index.
"""

from __future__ import annotations

import atexit
from contextlib import ExitStack, closing

from flask import Flask

from frametally.opening import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.settings.loading import load_settings
from frametally_web import app
from frametally_web.collecting import look_for_garbage_seldom


def create_app() -> Flask:
    """Create the application over the ports that the settings name; they are closed at the process's end.

    Raises:
        FrametallyError: A setting that cannot be, or a port that cannot be opened.
    """
    settings = load_settings("web")
    with ExitStack() as opening:
        store = opening.enter_context(closing(open_object_store(settings.store_url, settings.store_access)))
        log = opening.enter_context(
            closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s))
        )
        index = opening.enter_context(closing(open_count_index(settings.index_url, settings.index_access)))
        ledger = opening.enter_context(closing(open_ledger(settings.ledger_url, settings.ledger_access)))
        made = app.create_app(settings=settings, store=store, index=index, ledger=ledger, log=log)
        opening.callback(app.close_app, made)
        atexit.register(opening.pop_all().close)
    look_for_garbage_seldom()
    return made
