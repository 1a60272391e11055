"""The answers of `/api/sources/{source}/drawing`: what is drawn, and what another drawing makes of it."""

from __future__ import annotations

import re

from frametally.ports.object_store import ObjectStore
from frametally_traffic.drawing_page.answers import SourceDrawing
from frametally_traffic.drawing_page.drawable_sources import DrawnSource
from frametally_traffic.drawings.drawing_checks import DrawingRefused, check_shape
from frametally_traffic.drawings.file_forms import decode_own_form
from frametally_traffic.drawings.picture_sizes import check_size, stored_sizes
from frametally_traffic.drawings.revisions import change_drawing, read_drawing, with_shapes
from frametally_traffic.records import Drawing
from frametally_web.requests.problems import Problem

_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"')
"""A proxy that packs answers makes their tags weak ones."""


def show_drawing(store: ObjectStore, source: DrawnSource) -> SourceDrawing:
    """Return what is drawn over a source now. Raises `Poison` where that is damaged."""
    return _answer(store, source, read_drawing(store, source.slug))


def put_drawing(store: ObjectStore, source: DrawnSource, data: bytes, if_match: str | None) -> SourceDrawing:
    """Draw all of a source anew, if it is still the revision that was changed.

    Args:
        store: Where it is kept.
        source: Whose it is.
        data: The drawing, in the form of `frametally lines export`.
        if_match: The revision as the header `If-Match` has it; None where that was not sent.

    Raises:
        Problem: 400, if it cannot be; 412, if there is another revision by now; 428, without a revision.
        Poison: What is drawn now is damaged.
        Misconfigured: This server may not write there.
    """
    revision = _revision_in(if_match)

    def change(before: Drawing) -> Drawing:
        if before.revision != revision:
            raise Problem(
                412,
                f"What is drawn over {source.slug} was changed since: it is revision {before.revision} now, "
                f"and this is made of {revision}.",
                remedy="Ask for it again, make the change in what it is now, and send that.",
            )
        content = decode_own_form(data, "the drawing")
        if content.source not in (None, source.slug):
            raise DrawingRefused(
                f"the drawing is of source {content.source!r:.100}, not of {source.slug}: send it there, or "
                "take `source` out of it if it is meant for this one"
            )
        known = set(before.shapes)
        for shape in content.shapes:
            check_shape(shape)
            if shape in known:
                continue  # it was drawn when there were pictures of its size
            sizes = stored_sizes(store, source.media, shape.from_ms, shape.to_ms)
            # To which side frames are shrunk is the producer's to know; proportions must fit.
            check_size(shape, sizes, max(map(max, sizes), default=0))
        return with_shapes(before, content.shapes)

    try:
        drawing = change_drawing(store, source.slug, change)
    except DrawingRefused as error:
        raise refused(error) from error
    return _answer(store, source, drawing)


def etag_of(drawing: SourceDrawing) -> str:
    """Return the revision as the header `ETag` has it."""
    return f'"{drawing.revision}"'


def refused(error: DrawingRefused) -> Problem:
    """Return the 400 of what cannot be drawn."""
    return Problem(400, f"{error}.", remedy="Nothing has changed: put it right, and send all of it again.")


def _revision_in(if_match: str | None) -> int:
    if if_match is None:
        raise Problem(
            428,
            "If-Match is missing: without it, what another has drawn meanwhile would be lost unseen.",
            remedy="Ask for the drawing, and send its ETag as If-Match.",
        )
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise Problem(
            412,
            f"If-Match {if_match[:40]!r} is no revision of a drawing.",
            remedy='Send the ETag of the drawing that was changed, such as If-Match: "3".',
        )
    return int(match[1])


def _answer(store: ObjectStore, source: DrawnSource, drawing: Drawing) -> SourceDrawing:
    width_px, height_px = source.size_px(store) or (None, None)
    return SourceDrawing(
        source=source.slug,
        source_name=source.name,
        revision=drawing.revision,
        width_px=width_px,
        height_px=height_px,
        lines=drawing.lines,
        zones=drawing.zones,
        calibrations=drawing.calibrations,
    )
