"""Compares the names in a command with the existing names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.console.output import note
from frametally.errors import Misconfigured
from frametally.media.manifests import ManifestReader
from frametally.media.source_timezones import readable_timezones
from frametally.media.sources import source_names
from frametally.naming import KnownNames
from frametally.ports.count_index import CountIndex
from frametally.settings.data_folder import is_empty
from frametally.settings.loading import Settings


@dataclass(frozen=True)
class NamesHere:
    """The existing names and time zones, and the index, if any, that some names come from."""

    names: KnownNames
    index: CountIndex | None
    timezones: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def open_names(settings: Settings) -> Iterator[NamesHere]:
    """Read the existing names; create nothing in an empty folder.

    Raises `FrametallyError` as the ports do.
    """
    if is_empty(settings):
        yield NamesHere(KnownNames({}, settings=settings), None)
        return
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_count_index(settings.index_url, settings.index_access)) as index,
    ):
        manifests, _ = ManifestReader(store, settings.data_dir).read()
        media = source_names(manifests)
        names = KnownNames(media, settings=settings, store=store, index=index)
        yield NamesHere(names, index, readable_timezones(store))


def check_names(
    settings: Settings, *, sources: Iterable[str] = (), labels: Iterable[str] = (), model: str = ""
) -> None:
    """Refuse unknown names, but accept any if no name exists yet, with a message.

    Raises `Misconfigured` with the nearest names if there is no such name.
    """
    with open_names(settings) as existing:
        unknown = existing.names.unknown(sources=sources, labels=labels, model=model)
    for name in unknown:
        if name.is_certain:
            raise Misconfigured(f"--{name.kind}: {name}")
    if unknown:
        note("; ".join(map(str, unknown)))
