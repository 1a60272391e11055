"""Checks names of sources, labels, models, lines and zones by one rule for all their uses."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from frametally import keys
from frametally.files.names import as_text
from frametally.plugins import hooks
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.rules.places import FLOWS, ZONES, parse_place, series_model
from frametally.settings.loading import Settings

_DRAW = "none is drawn yet: draw one at /lines, or use `frametally lines import`"


class NamesPart(NamedTuple):
    """The names that a plug-in knows.

    Attributes:
        sources: The display name of each source, by slug.
        is_source: Returns whether it knows a slug that is not in `sources`, for plug-ins that look up one by
            one.
        places: Returns the names of the lines or zones (`line`, `zone`) of some sources, or of all if none
            are given.
    """

    sources: Mapping[str, str] = MappingProxyType({})
    is_source: Callable[[str], bool] = lambda _: False
    places: Callable[[str, Sequence[str]], Iterable[str]] = lambda _, __: ()


class KnownNames:
    """The existing names in a store, an index and plug-ins.

    A source exists if it has media, counts or an entry in a plug-in, such as a camera; a label if any model
    has counts of it; a line or a zone if it is drawn or an earlier drawing has counts.
    """

    def __init__(
        self,
        media: Mapping[str, str],
        *,
        settings: Settings,
        store: ObjectStore | None = None,
        index: CountIndex | None = None,
    ) -> None:
        """Read the names that every check needs.

        Args:
            media: The display name of each source with media, by slug.
            settings: Say where plug-ins keep their data.
            store: Where plug-ins keep more data, or None if there is none yet.
            index: The count index, or None if there are no counts.

        Raises:
            FrametallyError: A port failed.
        """
        self._index = index
        self._parts: list[NamesPart] = [know(settings, store) for know in hooks("known_names")]
        self._models = list(dict.fromkeys(entry.model for entry in index.series())) if index else []
        self.sources: dict[str, str] = {}
        """The display name of each source, by slug."""
        for model in self._models:
            self.sources |= (
                {summary.source: summary.source for summary in index.sources(model)} if index else {}
            )
        for part in self._parts:
            self.sources |= part.sources
        self.sources |= media

    def unknown(
        self,
        *,
        sources: Iterable[str] = (),
        labels: Iterable[str] = (),
        line: str = "",
        zone: str = "",
        model: str = "",
    ) -> list[NoSuchName]:
        """Return the unknown names among those given.

        Args:
            sources: Names or slugs.
            labels: Names of classes.
            line: A line of these sources, or of any if none are given; empty for no line.
            zone: The same for a zone.
            model: Id of a model; empty for no model.

        Raises:
            FrametallyError: A port failed.
        """
        slugs = {keys.slug(source): source for source in sources}
        unknown_names = [
            no_such("source", source_name, sorted(self.sources.values()))
            for slug, source_name in slugs.items()
            if slug not in self.sources and not any(part.is_source(slug) for part in self._parts)
        ]
        counted_labels = self._labels() if labels else []
        unknown_names += [
            no_such("label", label, counted_labels) for label in labels if label not in counted_labels
        ]
        if model and model not in self._models:
            unknown_names.append(no_such("model", model, self._models))
        for kind, name, series in (("line", line, FLOWS), ("zone", zone, ZONES)):
            if (
                name
                and not unknown_names
                and name not in (place_names := self._places(kind, series, [*slugs]))
            ):
                missing = no_such(kind, name, sorted(place_names))
                if self.sources:
                    remedy = missing.remedy if place_names else _DRAW
                    missing = missing._replace(remedy=remedy, is_certain=True)
                unknown_names.append(missing)
        return unknown_names

    def _labels(self) -> list[str]:
        """Return the labels that any model counted or was set to count."""
        if self._index is None:
            return []
        labels: dict[str, None] = {}
        for model in self._models:
            labels |= dict.fromkeys(label for label, _ in self._index.labels(model))
        for model in self._models:
            labels |= dict.fromkeys(sorted(labels_to_count(self._index, model)))
        return [*labels]

    def _places(self, kind: str, series: str, sources: list[str]) -> set[str]:
        """Return the names of lines or zones that some sources (all if empty) have, or had when counted."""
        names = {name for part in self._parts for name in part.places(kind, sources)}
        for model in self._models:
            for summary in self._index.sources(series_model(model, series)) if self._index else []:
                place = parse_place(summary.source)
                if place.kind == kind and (not sources or place.source in sources):
                    names.add(place.names[0])
        return names


def labels_to_count(index: CountIndex, model: str) -> set[str]:
    """Return the labels that days of a model were limited to."""
    settings = {day.settings for day in index.counted_days(model) if day.settings}
    return {label for text in settings for label in msgspec.json.decode(text).get("labels", ())}


_MOST_NAMED = 10
_LONGEST = 80


class NoSuchName(NamedTuple):
    """An unknown name.

    Attributes:
        kind: The kind of thing that it should name, such as `source`.
        near: Names with a similar spelling, the nearest first.
        remedy: What to do, as a clause without a full stop.
        is_certain: Whether there are names of this kind; if not, this name may still appear.
    """

    kind: str
    name: str
    near: list[str]
    remedy: str
    is_certain: bool

    @property
    def fault(self) -> str:
        """The problem, as a clause."""
        short = f"{self.name[:_LONGEST]}…" if len(self.name) > _LONGEST else self.name
        return f"there is no {self.kind} named {as_text(short)!r}{'' if self.is_certain else ' yet'}"

    def __str__(self) -> str:
        return f"{self.fault}; {self.remedy}" if self.is_certain else f"{self.fault}, and there are no others"


def no_such(kind: str, name: str, names: Sequence[str]) -> NoSuchName:
    """Return the message about a name that is not in `names`, which it lists in their order."""
    alike = difflib.get_close_matches(name.lower(), [candidate.lower() for candidate in names], n=3)
    near = sorted(
        (candidate for candidate in names if candidate.lower() in alike),
        key=lambda candidate: alike.index(candidate.lower()),
    )
    if near:
        remedy = f"did you mean {' or '.join(near)}?"
    else:
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        remedy = f"choose from: {', '.join(names[:_MOST_NAMED])}{more}" if names else "there are none yet"
    return NoSuchName(kind, name, near, remedy, bool(names))
