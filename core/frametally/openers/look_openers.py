"""Opens the ports of a data folder without creating anything, even if some are missing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from frametally import keys
from frametally.errors import Retryable
from frametally.files.temporary import temporary_folder
from frametally.openers.port_openers import port_openers, readable
from frametally.ports.frame_log import NoSuchTopic
from frametally.ports.ledger import Ledger
from frametally.ports.opened import Ports
from frametally.settings.access import ServerAccess
from frametally.settings.loading import Settings
from frametally.settings.servers import is_server

_PUTS = ("put", "change", "resumable")


class _OnceThere:
    """Acts as an empty port until another process makes the port's file.

    Calling a method named in `makes` writes, and so makes the port.

    Attributes:
        url: The port's future URL; opening another book in it also makes it.
    """

    def __init__(self, url: str, open_it: Callable[[], Any], empty: Any, makes: Collection[str] = ()) -> None:
        self.url = url
        self._file = Path(unquote(urlsplit(url).path))
        self._open = open_it
        self._now = empty
        self._makes = makes
        self._opening = threading.Lock()
        self._is_there = False

    def __getattr__(self, name: str) -> Any:
        with self._opening:
            if not self._is_there and (name in self._makes or self._file.exists()):
                opened = self._open()
                self._now.close()
                self._now, self._is_there = opened, True
        return getattr(self._now, name)


class _OnceAnswering:
    """Replaces an unavailable index, raising its error until it can be opened.

    One call at a time tries to open it; the others fail in the meantime.
    """

    def __init__(self, url: str, open_it: Callable[[], Any], error: Retryable) -> None:
        self.url = url
        self._open = open_it
        self._error = error
        self._index: Any = None
        self._opening = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        if self._index is None:
            if not self._opening.acquire(blocking=False):
                raise Retryable(str(self._error))
            try:
                self._index = self._index or self._open()
            except Retryable as error:
                self._error = error
                raise
            finally:
                self._opening.release()
        return getattr(self._index, name)

    def close(self) -> None:
        if self._index is not None:
            self._index.close()


@contextmanager
def open_to_look(settings: Settings) -> Iterator[tuple[Ports, Ledger]]:
    """Open the ports and the ledger for reading, without creating anything that does not exist.

    Things created later are found then; the first write into the store, such as an upload, creates it. The
    calls of an unavailable index raise `Retryable` until it answers.
    """
    with readable(settings) as available, temporary_folder() as folder, ExitStack() as opening:
        ports: dict[str, Any] = {}
        for name, (url, open_at) in port_openers(available).items():
            makes = _PUTS if name == "store" else ()
            try:
                port = _look(url, _empty_url(folder, name), open_at, makes)
            except Retryable as error:
                if name != "index":
                    raise
                port = _OnceAnswering(url, partial(open_at, url), error)
            ports[name] = opening.enter_context(closing(port))
        ledger = ports.pop("ledger")
        yield Ports(available, **ports), ledger


class WhatAnswers:
    """The ports and the ledger for repeated reads; empty ones replace an unavailable log or index.

    A part that answers stays open; the next look reopens one that does not.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ask: dict[str, Callable[[Any], object]] = {
            "store": lambda store: store.head(keys.AUTO_DETECTOR),
            "log": lambda log: log.end_offsets(settings.topic),
            "index": lambda index: index.version(),
            "ledger": lambda ledger: ledger.models(),
        }
        self._folders = ExitStack()
        self._available: Settings | None = None
        self._ports: dict[str, Any] = {}

    def look(self) -> tuple[Ports, Ledger, dict[str, str]]:
        """Return the ports, the ledger, and the error line of `log` and `index` if unavailable.

        Raises:
            Retryable: The store or the ledger is unavailable; its notes name other such parts.
            Misconfigured: A part cannot be used.
        """
        if self._available is not self._settings:  # not opened yet, or copies that miss others' changes
            self.close()
            self._available = self._folders.enter_context(readable(self._settings))
            self._empty = self._folders.enter_context(temporary_folder())
        ports: dict[str, Any] = {}
        away: dict[str, Retryable] = {}
        for name, (url, open_at) in port_openers(self._available).items():
            try:
                ports[name] = self._answering(name, lambda: open_at(url))  # noqa: B023 - called at once
            except Retryable as error:
                away[name] = error
                ports[name] = self._open(f"empty {name}", lambda: open_at(_empty_url(self._empty, name)))  # noqa: B023
        for name in ("store", "ledger"):
            if (needed := away.pop(name, None)) is not None:
                for other in away.values():
                    needed.add_note(f"also not responding: {other}")
                raise needed
        ledger = ports.pop("ledger")
        return Ports(self._available, **ports), ledger, {name: str(error) for name, error in away.items()}

    def close(self) -> None:
        """Close everything that is open."""
        while self._ports:
            self._ports.popitem()[1].close()
        self._folders.close()

    def _open(self, name: str, open_it: Callable[[], Any]) -> Any:
        if name not in self._ports:
            self._ports[name] = open_it()
        return self._ports[name]

    def _answering(self, name: str, open_it: Callable[[], Any]) -> Any:
        port = self._open(name, open_it)
        try:
            with suppress(NoSuchTopic):
                self._ask[name](port)
        except Retryable:
            self._ports.pop(name).close()
            raise
        return port


@contextmanager
def database_to_look(
    settings: Settings, open_at: Callable[[str, ServerAccess], Any], *, makes: Collection[str]
) -> Iterator[Any]:
    """Open a book of the catalogue's database, which a call of `makes` creates; close it at the end."""
    with temporary_folder() as folder:
        book = _look(
            settings.catalogue_url,
            f"sqlite:///{folder}/catalogue.sqlite",
            lambda url: open_at(url, settings.catalogue_access),
            makes,
        )
        with closing(book):
            yield book


def _empty_url(folder: str, name: str) -> str:
    """Return the URL in a folder at which to create an empty embedded port of a kind."""
    return Path(folder, name).as_uri() if name == "store" else f"sqlite:///{folder}/{name}.sqlite"


def _look(url: str, empty_url: str, open_at: Callable[[str], Any], makes: Collection[str]) -> Any:
    if is_server(url) or Path(unquote(urlsplit(url).path)).exists():
        return open_at(url)
    return _OnceThere(url, lambda: open_at(url), open_at(empty_url), makes)
