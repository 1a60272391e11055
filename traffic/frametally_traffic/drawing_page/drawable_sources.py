"""A source that you can draw on: its media in the store, and the sizes of its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import NamedTuple

from frametally.naming import no_such
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.rules.times import DAY_MS
from frametally_traffic.drawing_page.answers import StoredPicture
from frametally_traffic.drawings.drawn_shapes import picture_from, spans_of, stored_sizes
from frametally_traffic.drawings.revisions import drawn_sources
from frametally_web.access.visitors import visitor
from frametally_web.charts.media_times import MediaTimes
from frametally_web.requests.problems import Problem, as_sentence

_MOST_LOOKS = 10
"""Days and media that are searched for a picture; the oldest may have been deleted."""


class DrawnSource(NamedTuple):
    """An existing source and its media."""

    slug: str
    name: str
    media: Sequence[MediaManifest]

    def size_px(self, store: ObjectStore) -> tuple[int, int] | None:
        """Return width and height of its newest stored picture; None where none is stored."""
        return next(iter(stored_sizes(store, self.media, None, None)), None)


def find_source(store: ObjectStore, media: MediaTimes, source: str) -> DrawnSource:
    """Return a source by its slug.

    Raises:
            Problem: 404, if the source has no footage and no drawing; it has similar names.
    """
    spans = media.manifests_of(source)
    if not spans and source not in (drawing_sources := drawn_sources(store)):
        known_sources = sorted({*media.sources(), *filter(visitor().sees, drawing_sources)})
        missing = no_such("source", source, known_sources)
        raise Problem(
            404,
            f"Source {source[:80]!r} does not exist.",
            parameter="source",
            value=source[:80],
            instead=missing.near,
            remedy=as_sentence(missing.remedy),
        )
    return DrawnSource(source, media.name(source), spans)


def find_picture(
    store: ObjectStore, source: DrawnSource, at_ms: int | None, image_url: Callable[[str], str]
) -> StoredPicture:
    """Return the first stored picture of a source from a time on; or else its last one."""
    spans = spans_of(source.media)
    picture = next(filter(None, (picture_from(store, source.slug, ms) for ms in _looks(spans, at_ms))), None)
    width_px, height_px = picture.size_px if picture else (None, None)
    return StoredPicture(
        source=source.slug,
        captured_at_ms=picture and picture.captured_at_ms,
        image_path=picture and picture.image_path,
        image_url=picture and image_url(picture.image_path),
        width_px=width_px,
        height_px=height_px,
        first_captured_at_ms=spans[0][0] if spans else None,
        last_captured_at_ms=max(last_ms for _, last_ms in spans) if spans else None,
    )


def _looks(spans: Sequence[tuple[int, int]], at_ms: int | None) -> Iterator[int]:
    """Yield from where on to look for a picture, the best first: each look reaches to the end of its day."""
    if at_ms is not None:
        behind = ((max(first_ms, at_ms), last_ms) for first_ms, last_ms in spans if last_ms >= at_ms)
        yield from islice(chain.from_iterable(_days(*span) for span in behind), _MOST_LOOKS)
    for first_ms, last_ms in sorted(spans, key=itemgetter(1), reverse=True)[:_MOST_LOOKS]:
        yield last_ms
        yield max(first_ms, last_ms - last_ms % DAY_MS)


def _days(from_ms: int, last_ms: int) -> Iterator[int]:
    """Yield a time, and the beginnings of the UTC days after it up to another."""
    yield from_ms
    yield from range(from_ms - from_ms % DAY_MS + DAY_MS, last_ms + 1, DAY_MS)
