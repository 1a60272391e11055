"""Empty databases for parts that keep their rows in SQLite or PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from frametally.settings.access import ServerAccess

Place = tuple[str, ServerAccess | None]


@contextmanager
def sqlite() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/database.sqlite", None


@contextmanager
def postgres() -> Iterator[Place]:
    from postgres_schemas import fresh_schema

    with fresh_schema() as place:
        yield place


DATABASES = [
    pytest.param(sqlite, id="sqlite"),
    pytest.param(postgres, id="postgres", marks=pytest.mark.services),
]
