"""The handlers of drawings, for the page and for programs."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, after_this_request, request

from frametally.keys import slug
from frametally.settings.loading import Settings
from frametally_traffic.drawing_page import answers, drawable_sources, drawing_changes
from frametally_traffic.drawing_page import path_layer as paths
from frametally_traffic.drawings.file_forms import DrawingFile
from frametally_traffic.records import DrawnCalibration
from frametally_web.books.reader import BooksReader, DashboardPorts
from frametally_web.charts import scope
from frametally_web.charts.scope import check_names
from frametally_web.requests.body import read_json
from frametally_web.requests.endpoints import Routes
from frametally_web.requests.parameters import MOMENT, Args, header, in_path, page_limit, text
from frametally_web.requests.problems import bad_parameter
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
    "The first frame from this time on; without it, or if there is none, the last one.",
    "2024-05-01T08:00:00Z",
    MOMENT,
)
_LIMIT = page_limit(200, paths.MOST_PATHS, "Most paths in the answer")


class DrawingRoutes:
    """The handlers."""

    def __init__(
        self,
        settings: Settings,
        ports: DashboardPorts,
        books: BooksReader,
        image_url: Callable[[str], str],
    ) -> None:
        """Make the handlers of one application."""
        self._settings = settings
        self._ports = ports
        self._books = books
        self._image_url = image_url

    @DRAWINGS.route("GET sources/{source}/drawing", "Show a source's drawing.", _SOURCE, statuses=(404,))
    def sources_drawing(self, args: Args) -> answers.SourceDrawing:
        """Answer with a source's drawing."""
        return _with_etag(drawing_changes.show_drawing(self._ports.store, self._source(args)))

    @DRAWINGS.route(
        "PUT sources/{source}/drawing",
        "Replace a source's drawing. Shapes that you do not send are removed; earlier revisions stay.",
        _SOURCE,
        _REVISION,
        body=DrawingFile,
        statuses=(404, 412, 413, 415, 428),
        right="correct",
    )
    def put_sources_drawing(self, args: Args) -> answers.SourceDrawing:
        """Replace the drawing."""
        source, data = self._source(args), read_json()
        if_match = request.headers.get(_REVISION.name)
        return _with_etag(drawing_changes.put_drawing(self._ports.store, source, data, if_match))

    @DRAWINGS.route(
        "GET sources/{source}/frame",
        "Show a stored picture of a source, to draw over.",
        _SOURCE,
        _AT,
        TIMEZONE,
        statuses=(404,),
    )
    def sources_frame(self, args: Args) -> answers.StoredPicture:
        """Find a picture to draw over."""
        zone = read_zone(args, self._settings)
        at_ms = read_moment(args, _AT, zone.tzinfo)
        return drawable_sources.find_picture(self._ports.store, self._source(args), at_ms, self._image_url)

    @DRAWINGS.route(
        "POST calibrations/try",
        "Try a calibration: its matrix, its errors, and a verdict. Nothing is stored.",
        body=DrawnCalibration,
        statuses=(413, 415),
        right="correct",
        only_computes=True,
    )
    def post_calibrations_try(self, _: Args) -> answers.CalibrationTry:
        """Tell what a calibration would be."""
        return drawing_changes.try_calibration(read_json())

    @DRAWINGS.route(
        "GET paths",
        "List paths of a source's objects, to draw over.",
        text("source", "Slug of the source.", "gate", required=True),
        LABEL,
        FROM.but(description="First event time; default: a day before `to`."),
        TO.but(
            description="Event time at which it ends, not included; default: a day after `from`, else the "
            "end of the source's counts."
        ),
        MODEL,
        TIMEZONE,
        _LIMIT,
        by_source=False,
    )
    def paths(self, args: Args) -> answers.Paths:
        """Find paths to draw over."""
        selection = read_selection(args, self._settings)
        if len(selection.sources) != 1:
            raise bad_parameter(
                "source", "Paths belong to one source.", remedy="Name one, such as source=gate."
            )
        limit = _LIMIT.read(args)
        check_names(self._ports.index, selection, lambda: self._books.media().sources())
        choice = scope.choose_model(self._ports.index, selection.model)
        query = paths.PathsQuery(selection.labels, selection.from_ms, selection.to_ms, limit)
        media, name = self._books.media(), selection.sources[0]
        source = drawable_sources.DrawnSource(name, media.name(name), media.manifests_of(name))
        return paths.find_paths(self._ports.store, self._ports.index, choice, source, query)

    def _source(self, args: Args) -> drawable_sources.DrawnSource:
        source = slug(_SOURCE.read(args))
        return drawable_sources.find_source(self._ports.store, self._books.media_to_keep(), source)


def _with_etag(drawing: answers.SourceDrawing) -> answers.SourceDrawing:
    @after_this_request
    def set_revision(answer: Response) -> Response:
        answer.headers["ETag"] = drawing_changes.etag_of(drawing)
        return answer

    return drawing
