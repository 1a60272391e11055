"""The names that there are: sources, labels, models, lines and zones; one rule for whoever is given some."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

import msgspec

from frametally import keys
from frametally.naming.nearest import NoSuchName, no_such
from frametally.plugins import hooks
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.rules.places import FLOWS, ZONES, parse_place, series_model
from frametally.settings.loading import Settings
from frametally_videos.ports.video_catalogue import VideoCatalogue, VideoQuestion

_DRAW = "none is drawn yet: draw it at /lines, or by `frametally lines import`"


class NamesPart(Protocol):
    """The names that a plug-in knows, by its hook `known_names`."""

    @property
    def sources(self) -> Mapping[str, str]:
        """How each source is written, by slug."""

    def places(self, kind: str, sources: Collection[str]) -> set[str]:
        """Return the names of the places of a kind, such as `line`, of some sources; none: of all."""


class KnownNames:
    """The names that there are in a store, an index and a catalogue.

    A source is known by its media, its counts, its camera, an upload, or what is drawn over it; a label by
    counts of any model; a line or a zone by a drawing, or by counts of an earlier one.
    """

    def __init__(
        self,
        media: Mapping[str, str],
        *,
        settings: Settings,
        store: ObjectStore | None = None,
        index: CountIndex | None = None,
        catalogue: VideoCatalogue | None = None,
    ) -> None:
        """Read what all questions need.

        Args:
            media: How each source that has media is written, by slug.
            settings: Those of the deployment.
            store: Where all lies; None: there is nothing yet.
            index: Of the counts; None: there are none.
            catalogue: Of cameras and uploads; None: there are none.

        Raises:
            FrametallyError: As the ports do.
        """
        self._index, self._catalogue = index, catalogue
        self._models = list(dict.fromkeys(one.model for one in index.series())) if index else []
        self.sources: dict[str, str] = {}
        """How each source is written, by slug."""
        for model in self._models:
            self.sources |= {one.source: one.source for one in index.sources(model)} if index else {}
        self._parts: list[NamesPart] = [part(settings, store) for part in hooks("known_names")]
        for known in self._parts:
            self.sources |= known.sources
        feeds = catalogue.feeds("camera") if catalogue else []
        self.sources |= {feed.source: feed.name or feed.source for feed in feeds}
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
        """Return those of some names that are none of those that there are.

        Args:
            sources: Names or slugs.
            labels: Classes.
            line: Of these sources, or of any where there are none; empty: none.
            zone: Likewise.
            model: Id; empty: none.

        Raises:
            FrametallyError: As the ports do.
        """
        slugs = {keys.slug(source): source for source in sources}
        found = [
            no_such("source", given, sorted(self.sources.values()))
            for slug, given in slugs.items()
            if slug not in self.sources and not self._is_uploaded(slug)
        ]
        counted = self._labels() if labels else []
        found += [no_such("label", label, counted) for label in labels if label not in counted]
        if model and model not in self._models:
            found.append(no_such("model", model, self._models))
        for kind, name, series in (("line", line, FLOWS), ("zone", zone, ZONES)):
            if name and not found and name not in (there := self._places(kind, series, [*slugs])):
                missing = no_such(kind, name, sorted(there))
                if self.sources:
                    remedy = missing.remedy if there else _DRAW
                    missing = missing._replace(remedy=remedy, is_certain=True)
                found.append(missing)
        return found

    def _is_uploaded(self, source: str) -> bool:
        return bool(
            self._catalogue and self._catalogue.videos(VideoQuestion(sources=(source,), limit=1)).total
        )

    def _labels(self) -> list[str]:
        """Return the labels that were counted with any model, or were to be."""
        if self._index is None:
            return []
        found: dict[str, None] = {}
        for model in self._models:
            found |= dict.fromkeys(label for label, _ in self._index.labels(model))
        for model in self._models:
            found |= dict.fromkeys(sorted(labels_to_count(self._index, model)))
        return [*found]

    def _places(self, kind: str, series: str, sources: list[str]) -> set[str]:
        """Return the names of the lines or zones that some sources (none: all) have, or had when counted."""
        names: set[str] = set()
        for model in self._models:
            for summary in self._index.sources(series_model(model, series)) if self._index else []:
                place = parse_place(summary.source)
                if place.kind == kind and (not sources or place.source in sources):
                    names.add(place.names[0])
        return names.union(*(part.places(kind, sources) for part in self._parts))


def labels_to_count(index: CountIndex, model: str) -> set[str]:
    """Return the labels that days of a model were counted for, where not all were."""
    settings = {day.settings for day in index.counted_days(model) if day.settings}
    return {label for text in settings for label in msgspec.json.decode(text).get("labels", ())}
