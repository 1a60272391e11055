"""Handles requests for drawings, from the page and from programs."""

from __future__ import annotations

from dataclasses import dataclass

from frametally.actions.calls import current_call, read_json
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import MOMENT, Args, header, in_path, page_limit, text
from frametally.actions.problems import bad_parameter
from frametally.keys import slug
from frametally_traffic.drawing_page import answers, drawing_changes
from frametally_traffic.drawing_page import path_layer as paths
from frametally_traffic.drawings.file_forms import DrawingFile
from frametally_traffic.records import DrawnCalibration
from frametally_web.books.context import ActionContext
from frametally_web.charts.question import check_names
from frametally_web.requests.addresses import image_url
from frametally_web.requests.query import (
    FROM,
    LABEL,
    MODEL,
    TIMEZONE,
    TO,
    read_moment,
    read_selection,
    read_zone,
)

DRAWINGS = Routes("Lines and zones", by_source=True)

_SOURCE = in_path("source", "Slug of the source.", "gate")
_REVISION = header(
    "If-Match",
    "`ETag` of the drawing that you changed; 412 if there is a newer revision.",
    {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
    '"0"',
    required=True,
)
_AT = text(
    "at",
    "Return the first frame from this time on; without it, or if there is none, the last frame.",
    "2024-05-01T08:00:00Z",
    MOMENT,
)
_LIMIT = page_limit(200, paths.MOST_PATHS, "Maximum number of paths in the answer")


@dataclass(frozen=True)
class DrawingRoutes:
    """The handlers of one application."""

    context: ActionContext

    @DRAWINGS.route("GET sources/{source}/drawing", "Show a source's drawing.", _SOURCE)
    def sources_drawing(self, args: Args) -> answers.SourceDrawing:
        return _with_etag(drawing_changes.show_drawing(self.context.ports.store, self._source(args)))

    @DRAWINGS.route(
        "PUT sources/{source}/drawing",
        "Replace a source's drawing. Shapes that you do not send are deleted; earlier revisions stay.",
        _SOURCE,
        _REVISION,
        body=DrawingFile,
        statuses=(412, 428),
        right="correct",
    )
    def put_sources_drawing(self, args: Args) -> answers.SourceDrawing:
        source, data = self._source(args), read_json()
        if_match = current_call().sent_headers.get(_REVISION.name, "") or None
        return _with_etag(drawing_changes.put_drawing(self.context.ports.store, source, data, if_match))

    @DRAWINGS.route(
        "GET sources/{source}/frame",
        "Show a stored picture of a source, to draw over.",
        _SOURCE,
        _AT,
        TIMEZONE,
    )
    def sources_frame(self, args: Args) -> answers.StoredPicture:
        zone = read_zone(args, self.context.settings)
        at_ms = read_moment(args, _AT, zone.tzinfo)
        return drawing_changes.find_picture(self.context.ports.store, self._source(args), at_ms, image_url)

    @DRAWINGS.route(
        "POST calibrations/try",
        "Try a calibration: its matrix, its errors, and a verdict. Nothing is stored.",
        body=DrawnCalibration,
        right="correct",
        only_computes=True,
    )
    def post_calibrations_try(self, _: Args) -> answers.CalibrationTry:
        return drawing_changes.try_calibration(read_json())

    @DRAWINGS.route(
        "GET paths",
        "List paths of a source's objects, to draw over.",
        text("source", "Slug of the source.", "gate", required=True),
        LABEL,
        FROM.but(description="First event time; default: a day before `to`."),
        TO.but(
            description="End of the event times, not included; default: a day after `from`, else the end of "
            "the source's counts."
        ),
        MODEL,
        TIMEZONE,
        _LIMIT,
        by_source=False,
    )
    def paths(self, args: Args) -> answers.Paths:
        selection = read_selection(args, self.context.settings)
        if len(selection.sources) != 1:
            raise bad_parameter(
                "source", "Paths belong to one source.", remedy="Give one, such as source=gate."
            )
        limit = _LIMIT.read(args)
        media = self.context.books.media()
        choice = check_names(self.context.ports.index, selection, media.sources)
        query = paths.PathsQuery(selection.labels, selection.from_ms, selection.to_ms, limit)
        name = selection.sources[0]
        source = drawing_changes.DrawnSource(name, media.name(name), media.manifests_of(name))
        return paths.find_paths(self.context.ports.store, self.context.ports.index, choice, source, query)

    def _source(self, args: Args) -> drawing_changes.DrawnSource:
        source = slug(_SOURCE.read(args))
        return drawing_changes.find_source(
            self.context.ports.store, self.context.books.media_to_keep(), source
        )


def _with_etag(drawing: answers.SourceDrawing) -> answers.SourceDrawing:
    current_call().headers["ETag"] = drawing_changes.etag_of(drawing)
    return drawing
