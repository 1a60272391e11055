"""The handlers of what is drawn over a source: by hand in the page, or by a program."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, after_this_request, request
from werkzeug.datastructures import MultiDict

from frametally.settings.loading import Settings
from frametally_traffic.drawing_page import answers, calibration_trial, drawable_sources, drawing_changes
from frametally_traffic.drawing_page import path_layer as paths
from frametally_web.books.reader import BooksReader, DashboardPorts
from frametally_web.charts import scope
from frametally_web.charts.names import check_names
from frametally_web.requests import query
from frametally_web.requests.body import read_json
from frametally_web.requests.problems import bad_parameter

Args = MultiDict[str, str]

_USUAL_PATHS = 200


class DrawingRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(
        self,
        *,
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

    def sources_drawing(self, args: Args) -> answers.SourceDrawing:
        """Answer with what is drawn over a source."""
        return _with_etag(drawing_changes.show_drawing(self._ports.store, self._source(args)))

    def put_sources_drawing(self, args: Args) -> answers.SourceDrawing:
        """Draw all of it anew."""
        source, data = self._source(args), read_json()
        if_match = request.headers.get("If-Match")
        return _with_etag(drawing_changes.put_drawing(self._ports.store, source, data, if_match))

    def sources_frame(self, args: Args) -> answers.StoredPicture:
        """Find a picture to draw over."""
        zone = query.read_zone(args, self._settings)
        at_ms = query.read_moment(args, "at", zone.tzinfo)
        return drawable_sources.find_picture(self._ports.store, self._source(args), at_ms, self._image_url)

    def post_calibrations_try(self, _: Args) -> answers.CalibrationTry:
        """Tell what a calibration would be."""
        return calibration_trial.try_calibration(read_json())

    def paths(self, args: Args) -> answers.Paths:
        """Find paths to draw over."""
        selection = query.read_selection(args, self._settings)
        if len(selection.sources) != 1:
            raise bad_parameter(
                "source", "Paths are those of one source.", remedy="Give one, such as source=gate."
            )
        limit = query.read_limit(args, default=_USUAL_PATHS, most=paths.MOST_PATHS)
        check_names(self._ports.index, selection, lambda: self._books.media().sources())
        choice = scope.choose_model(self._ports.index, selection.model)
        asked = paths.PathsQuery(selection.labels, selection.from_ms, selection.to_ms, limit)
        media, slug = self._books.media(), selection.sources[0]
        source = drawable_sources.DrawnSource(slug, media.name(slug), media.of(slug))
        return paths.find_paths(self._ports.store, self._ports.index, choice, source, asked)

    def _source(self, args: Args) -> drawable_sources.DrawnSource:
        slug = query.read_one(args, "source") or ""
        return drawable_sources.find_source(self._ports.store, self._books.media_to_keep(), slug)


def _with_etag(drawing: answers.SourceDrawing) -> answers.SourceDrawing:
    @after_this_request
    def set_revision(answer: Response) -> Response:
        answer.headers["ETag"] = drawing_changes.etag_of(drawing)
        return answer

    return drawing
