"""Shows and replaces drawings, tries calibrations, and finds pictures to draw over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import NamedTuple

from frametally.actions.answers import answer_of
from frametally.actions.problems import Problem, as_sentence
from frametally.errors import Misconfigured
from frametally.naming import no_such
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.rules.times import DAY_MS
from frametally_traffic.calibration.fitting import GroundCalibration
from frametally_traffic.drawing_page.answers import CalibrationTry, SourceDrawing, StoredPicture, Verdict
from frametally_traffic.drawings.drawing_checks import DrawingRefused, calibration_of, check_shape
from frametally_traffic.drawings.drawn_shapes import check_size, picture_from, spans_of, stored_sizes
from frametally_traffic.drawings.file_forms import decode_calibration, decode_own_form
from frametally_traffic.drawings.revisions import change_drawing, drawn_sources, read_drawing, with_shapes
from frametally_traffic.records import FEWEST_REFERENCES, Drawing, DrawnCalibration
from frametally_web.access.visitors import visitor
from frametally_web.charts.media_times import MediaTimes

_MOST_LOOKS = 10
"""How many days and media are searched for a picture; the oldest ones may have been deleted."""


class DrawnSource(NamedTuple):
    """An existing source and its media."""

    slug: str
    name: str
    media: Sequence[MediaManifest]

    def size_px(self, store: ObjectStore) -> tuple[int, int] | None:
        """Return width and height of its newest stored picture; None if none is stored."""
        return next(iter(stored_sizes(store, self.media, None, None)), None)


def find_source(store: ObjectStore, media: MediaTimes, source: str) -> DrawnSource:
    """Return a source by its slug.

    Raises:
        Problem: 404 with similar names, if the source has neither footage nor a drawing.
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
    """Return the first stored picture of a source from a time on, or else its last one."""
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
    """Yield the times to search from, the best first; each search covers the rest of its UTC day."""
    if at_ms is not None:
        behind = ((max(first_ms, at_ms), last_ms) for first_ms, last_ms in spans if last_ms >= at_ms)
        yield from islice(chain.from_iterable(_days(*span) for span in behind), _MOST_LOOKS)
    for first_ms, last_ms in sorted(spans, key=itemgetter(1), reverse=True)[:_MOST_LOOKS]:
        yield last_ms
        yield max(first_ms, last_ms - last_ms % DAY_MS)


def _days(from_ms: int, last_ms: int) -> Iterator[int]:
    """Yield `from_ms` and the start of each later UTC day up to `last_ms`."""
    yield from_ms
    yield from range(from_ms - from_ms % DAY_MS + DAY_MS, last_ms + 1, DAY_MS)


_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"')
"""Also matches weak tags: a proxy that compresses answers makes them weak."""


def show_drawing(store: ObjectStore, source: DrawnSource) -> SourceDrawing:
    """Return the current drawing of a source. Raises `Poison` if it is damaged."""
    return _drawing_answer(store, source, read_drawing(store, source.slug))


def put_drawing(store: ObjectStore, source: DrawnSource, data: bytes, if_match: str | None) -> SourceDrawing:
    """Replace the drawing of a source, if its revision is still the one that the change is based on.

    `data`: the drawing, in the form of `frametally lines export`. `if_match`: value of the header `If-Match`;
    None if it was not sent.

    Raises:
        Problem: 400, if the drawing is not valid; 412, if its revision has changed; 428, without `if_match`.
        Poison: The current drawing is damaged.
        Misconfigured: This server may not write to the store.
    """
    revision = _revision_in(if_match)

    def change(before: Drawing) -> Drawing:
        if before.revision != revision:
            raise Problem(
                412,
                f"Someone else has changed the drawing of {source.slug}: it is now at revision "
                f"{before.revision}, but your change is based on revision {revision}.",
                remedy="Reload it, repeat your change, and send it again.",
            )
        content = decode_own_form(data, "the drawing")
        if content.source not in (None, source.slug):
            raise DrawingRefused(
                f"the drawing belongs to source {content.source!r:.100}, not to {source.slug}: send it "
                "there, or remove `source` from it"
            )
        shapes_before = set(before.shapes)
        for shape in content.shapes:
            check_shape(shape)
            if shape in shapes_before:
                continue  # its size was checked when it was drawn
            check_size(shape, stored_sizes(store, source.media, shape.from_ms, shape.to_ms))
        return with_shapes(before, content.shapes)

    try:
        drawing, _ = change_drawing(store, source.slug, change)
    except DrawingRefused as error:
        raise refusal(error) from error
    return _drawing_answer(store, source, drawing)


def etag_of(drawing: SourceDrawing) -> str:
    """Return the revision as a value of the header `ETag`."""
    return f'"{drawing.revision}"'


def refusal(error: DrawingRefused) -> Problem:
    """Return the 400 for a drawing that is not valid."""
    return Problem(400, f"{error}.", remedy="Nothing was changed. Correct it, and send all of it again.")


def _revision_in(if_match: str | None) -> int:
    if if_match is None:
        raise Problem(
            428,
            "If-Match is missing; it protects other people's changes.",
            remedy="Load the drawing, and send its ETag as If-Match.",
        )
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise Problem(
            412,
            f"If-Match {if_match[:40]!r} is not a revision of a drawing.",
            remedy='Send the ETag of the drawing that you changed, such as If-Match: "3".',
        )
    return int(match[1])


def _drawing_answer(store: ObjectStore, source: DrawnSource, drawing: Drawing) -> SourceDrawing:
    width_px, height_px = source.size_px(store) or (None, None)
    return answer_of(
        SourceDrawing,
        (drawing,),
        source=source.slug,
        source_name=source.name,
        width_px=width_px,
        height_px=height_px,
    )


_WORDS: dict[Verdict, str] = {
    "good": "The points agree with each other, apart from the errors shown.",
    "unchecked": "Four points always match, so their errors say nothing. Set a fifth to see how good the "
    "calibration is.",
    "rough": "A scale ignores perspective: it is right only near its two points, and across the view.",
}


def try_calibration(data: bytes) -> CalibrationTry:
    """Return the result of a calibration; an unusable one gets a verdict, because it may be unfinished.

    Raises:
        Problem: 400, if the body is not a calibration at all.
    """
    try:
        calibration = decode_calibration(data, "the calibration")
    except DrawingRefused as error:
        raise refusal(error) from error
    lack = _lack(calibration)
    if lack:
        return _answer("incomplete", lack, None)
    try:
        check_shape(calibration)
        ground = calibration_of(calibration)
    except (DrawingRefused, Misconfigured) as error:
        return _answer("refused", f"{error}.", None)
    if ground is None:
        return _answer("incomplete", "It has no coordinates or lengths in metres yet.", None)
    verdict: Verdict = "rough" if ground.is_rough else "good" if ground.is_checked else "unchecked"
    return _answer(verdict, _WORDS[verdict], ground)


def _answer(verdict: Verdict, words: str, ground: GroundCalibration | None) -> CalibrationTry:
    names = ("matrix", "reach_px", "errors_px", "error_px", "error_m", "scale_error")
    return CalibrationTry(
        verdict=verdict, words=words, **{name: getattr(ground, name) if ground else None for name in names}
    )


def _lack(calibration: DrawnCalibration) -> str:
    """Return what is still missing; empty if the calibration can be tried."""
    number = len(calibration.points)
    if calibration.rectangles:
        return ""
    if calibration.distance_m is not None:
        return "" if number >= 2 else f"{number} of 2 points set: set the other one."
    if not calibration.metres:
        return (
            f"{number} points, none with coordinates in metres: enter the place of each on the ground, or "
            "set two points and a distance."
        )
    if number < FEWEST_REFERENCES:
        return f"{number} of at least {FEWEST_REFERENCES} points with coordinates in metres: set more."
    return ""
