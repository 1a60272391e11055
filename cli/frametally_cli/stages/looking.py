"""What looks and never makes: the ports of a data folder in which some or all may not be there yet."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from frametally import keys
from frametally.access.book import AccessBook
from frametally.errors import Retryable
from frametally.opening import open_access_book, open_video_catalogue
from frametally.ports.frame_log import NoSuchTopic
from frametally.ports.ledger import Ledger
from frametally.ports.video_catalogue import VideoCatalogue
from frametally.settings.loading import Settings
from frametally_cli.options.ports import Ports, port_openers, readable

_FILES = ("file", "sqlite")
_PUTS = ("put", "change", "resumable")
_NOTES = ("put_video", "put_upload", "queue", "on_queued")


class _OnceThere:
    """Stands for a port whose file somebody will make: an empty one of our own until then.

    What is asked for by one of the names in `makes` writes: with that, it is made.
    """

    def __init__(
        self, file: Path, open_it: Callable[[], Any], empty: Any, makes: Collection[str] = ()
    ) -> None:
        self._file = file
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


@contextmanager
def open_to_look(settings: Settings) -> Iterator[tuple[Ports, Ledger]]:
    """Open the ports and the ledger to read them, and make nothing where there is nothing yet.

    What is made later is found then; the store is made by what is first put into it, such as an upload.
    """
    with readable(settings) as found, tempfile.TemporaryDirectory() as made, ExitStack() as opening:
        ports = {
            name: opening.enter_context(
                closing(_look(url, _empty_url(made, name), open_at, _PUTS if name == "store" else ()))
            )
            for name, (url, open_at) in port_openers(found).items()
        }
        ledger = ports.pop("ledger")
        yield Ports(found, **ports), ledger


@contextmanager
def open_what_answers(settings: Settings) -> Iterator[tuple[Ports, Ledger, dict[str, str]]]:
    """Open the ports and the ledger to read them; an empty log and an empty index stand for those away.

    Yields:
        Those too, and which of the two are away (`log`, `index`), each with its error's line.

    Raises:
        Retryable: The store or the ledger is away; its notes name what else is.
        Misconfigured: A part cannot be used.
    """
    ask: dict[str, Callable[[Any], object]] = {
        "store": lambda store: store.head(keys.AUTO_DETECTOR),
        "log": lambda log: log.end_offsets(settings.topic),
        "index": lambda index: index.version(),
        "ledger": lambda ledger: ledger.models(),
    }
    ports: dict[str, Any] = {}
    away: dict[str, Retryable] = {}
    with readable(settings) as found, tempfile.TemporaryDirectory() as made, ExitStack() as opening:
        for name, (url, open_at) in port_openers(found).items():
            try:
                ports[name] = opening.enter_context(closing(open_at(url)))
                with suppress(NoSuchTopic):
                    ask[name](ports[name])
            except Retryable as error:
                away[name] = error
                ports[name] = opening.enter_context(closing(open_at(_empty_url(made, name))))
        for name in ("store", "ledger"):
            if (error := away.pop(name, None)) is not None:
                for other in away.values():
                    error.add_note(f"away, too: {other}")
                raise error
        ledger = ports.pop("ledger")
        yield Ports(found, **ports), ledger, {name: str(error) for name, error in away.items()}


@contextmanager
def catalogue_to_look(settings: Settings) -> Iterator[VideoCatalogue]:
    """Open the catalogue of videos, which is made by what is first noted in it; close it at the end."""
    with tempfile.TemporaryDirectory() as made:
        catalogue = _look(
            settings.catalogue_url,
            f"sqlite:///{made}/catalogue.sqlite",
            lambda url: open_video_catalogue(url, settings.catalogue_access),
            _NOTES,
        )
        with closing(catalogue):
            yield cast(VideoCatalogue, catalogue)


@contextmanager
def access_to_look(settings: Settings) -> Iterator[AccessBook]:
    """Open the access book, which is made by the first account; close it at the end."""
    with tempfile.TemporaryDirectory() as made:
        book = _look(
            settings.catalogue_url,
            f"sqlite:///{made}/catalogue.sqlite",
            lambda url: open_access_book(url, settings.catalogue_access),
            ("add_account",),
        )
        with closing(book):
            yield cast(AccessBook, book)


def _empty_url(folder: str, name: str) -> str:
    """Return where in a folder an embedded port of a kind is made that holds nothing."""
    return Path(folder, name).as_uri() if name == "store" else f"sqlite:///{folder}/{name}.sqlite"


def _look(url: str, empty_url: str, open_at: Callable[[str], Any], makes: Collection[str]) -> Any:
    parts = urlsplit(url)
    file = Path(unquote(parts.path))
    if parts.scheme not in _FILES or file.exists():
        return open_at(url)
    return _OnceThere(file, lambda: open_at(url), open_at(empty_url), makes)
