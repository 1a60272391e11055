"""The API over a data folder, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flask.testing import FlaskClient

from frametally.openers.port_openers import open_books
from frametally.settings.loading import load_settings
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_web.app import close_app, create_app


@contextmanager
def dashboard(data_dir: Path) -> Iterator[FlaskClient]:
    """Yield a client of the API."""
    settings = load_settings("web", data_dir=data_dir, web_query_timeout_s=120)
    with (
        open_books(settings) as (ports, ledger),
        closing(open_video_catalogue(ports.settings.catalogue_url)) as catalogue,
    ):
        app = create_app(
            settings=settings,
            store=ports.store,
            index=ports.index,
            ledger=ledger,
            log=ports.log,
            catalogue=catalogue,
        )
        yield app.test_client()
        close_app(app)
