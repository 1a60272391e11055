"""Empty databases for parts that keep their rows in SQLite or PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

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


class Openings:
    """Opens books in databases; the same name is the same database. The stack closes and removes them."""

    def __init__(
        self,
        stack: ExitStack,
        open_at: Callable[..., Any],
        place: Callable[[], AbstractContextManager[Place]] = sqlite,
    ) -> None:
        self._stack, self._open_at, self._place = stack, open_at, place
        self._places: dict[str, Place] = {}

    def __call__(self, name: str = "book", open_at: Callable[..., Any] | None = None) -> Any:
        if name not in self._places:
            self._places[name] = self._stack.enter_context(self._place())
        opened = (open_at or self._open_at)(*self._places[name])
        self._stack.callback(opened.close)
        return opened
