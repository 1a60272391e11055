"""Charts of a part of the picture, such as a zone, from plug-ins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol

from werkzeug.datastructures import MultiDict

from frametally.books.evidence import BoxFilter
from frametally.plugins import hooks
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally_web.requests.query import PARTS

BoxFilters = Callable[[str, int], BoxFilter]
"""Of a source returns which boxes are in the part, on the UTC day of an event time."""


class PartIndex(ABC):
    """A `CountIndex` as a part has it: models and sources are the picture's, counts are the part's."""

    def __init__(self, index: CountIndex) -> None:
        """Look through the index of the whole picture, which the caller closes."""
        self.whole = index

    @abstractmethod
    def box_filters(self, model: str, base_interval_s: int) -> BoxFilters:
        """Return which boxes were in the part by the runs of a model and base interval."""

    @abstractmethod
    def why_not(self, store: ObjectStore, source: str, at_ms: int) -> str:
        """Return why footage that is counted is not counted within the part, as a sentence."""


class Narrowing(Protocol):
    """The hook `narrowing` of a plug-in."""

    def narrowed(self, index: CountIndex, store: ObjectStore, args: MultiDict[str, str]) -> CountIndex:
        """Return the index of the part that a query names, the same where it names none.

        Raises:
            Problem: 400, if there is no such part.
        """

    def zones(self, index: CountIndex, model: str) -> Mapping[str, list[str]]:
        """Return by source the names of what counts can be narrowed to."""


def narrowed(index: CountIndex, store: ObjectStore, args: MultiDict[str, str]) -> CountIndex:
    """Return the index that a query reads: of the whole picture, or of a part. Raises `Problem`."""
    if not any(part.name in args for part in PARTS):
        return index
    narrowings: tuple[Narrowing, ...] = hooks("narrowing")
    for narrowing in narrowings:
        index = narrowing.narrowed(index, store, args)
    return index


def zones_by_source(index: CountIndex, model: str) -> Mapping[str, list[str]]:
    """Return the places to which the counts of each source can be narrowed."""
    narrowings: tuple[Narrowing, ...] = hooks("narrowing")
    return {
        source: names for narrowing in narrowings for source, names in narrowing.zones(index, model).items()
    }


def box_filters(index: CountIndex, model: str, base_interval_s: int) -> BoxFilters | None:
    """Return which boxes an index counts; None: those of the whole picture."""
    filters = getattr(index, "box_filters", None)
    return filters(model, base_interval_s) if filters else None
