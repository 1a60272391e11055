"""The API over a data folder, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask.testing import FlaskClient

from frametally.openers.port_openers import open_books
from frametally.settings.loading import load_settings
from frametally.work.family_members import MemberOptions
from frametally_web.app import close_app, opened_app


@contextmanager
def dashboard(data_dir: Path, *, reading: bool = False) -> Iterator[FlaskClient]:
    """Yield a client of the API."""
    settings = load_settings("web", data_dir=data_dir, web_query_timeout_s=120)
    with (
        open_books(settings, reading=reading) as (ports, ledger),
        opened_app(ports, ledger, MemberOptions(alone=True)) as app,
    ):
        yield app.test_client()
        close_app(app)
