"""The handlers of the traffic report: read the query, make the report, answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Response
from werkzeug.datastructures import MultiDict

from frametally.process.time_limit import seconds_left
from frametally.settings.loading import Settings
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_traffic.line_counts.background_days import DaysAsked, FlowDays
from frametally_traffic.report.junction_report import (
    ReportQuery,
    ReportRefused,
    TrafficReport,
    read_report,
)
from frametally_traffic.report.schemes import SCHEME_NAMES
from frametally_traffic.report_files import answers
from frametally_traffic.report_files.formats import FORMATS, HOURS, file_name, make_file
from frametally_traffic.report_files.page_report import shown_report
from frametally_web.books.reader import BooksReader, DashboardPorts
from frametally_web.charts.names import check_names
from frametally_web.requests import query
from frametally_web.requests.problems import Problem, bad_parameter

Args = MultiDict[str, str]

_LEAST_LEFT_S = 3.0
"""What the rest of an answer needs, of the time that it has."""


class TrafficRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(
        self,
        *,
        settings: Settings,
        ports: DashboardPorts,
        books: BooksReader,
        days: FlowDays,
        image_url: Callable[[str], str],
    ) -> None:
        """Make the handlers of one application; `image_url` gives a picture's address from its key."""
        self._settings = settings
        self._ports = ports
        self._books = books
        self._days = days
        self._image_url = image_url

    def traffic(self, args: Args) -> answers.Traffic:
        """Answer with a traffic report."""
        report = self._report(args)
        frame = report.frame
        return shown_report(report, None if frame is None else self._image_url(frame))

    def traffic_file(self, args: Args) -> Response:
        """Answer with a traffic report as a file."""
        chosen = query.read_choice(args, "format", tuple(FORMATS))
        hour = query.read_choice(args, "hour", HOURS)
        report = self._report(args)
        try:
            data = make_file(report, chosen, hour).read()
        except ReportRefused as refused:
            raise _problem(refused) from refused
        answer = Response(data, mimetype=FORMATS[chosen])
        answer.headers["Content-Disposition"] = f'attachment; filename="{file_name(report, chosen)}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _report(self, args: Args) -> TrafficReport:
        classes = query.read_choice(args, "classes", SCHEME_NAMES)
        selection = query.read_selection(args, self._settings)
        if len(selection.sources) != 1:
            raise bad_parameter("source", "A report is of one source.", remedy="Give one, as source=gate.")
        media = self._books.media_to_keep()
        check_names(self._ports.index, selection, media.sources)
        source = selection.sources[0]
        asked = ReportQuery(
            source,
            selection.zone.name,
            selection.zone.tzinfo,
            selection.model,
            selection.from_ms,
            selection.to_ms,
            classes,
        )
        try:
            return read_report(
                asked,
                store=self._ports.store,
                index=self._ports.index,
                read_flows=self._flows,
                not_analysed=media.unanalysed_of(source),
                source_name=media.name(source),
            )
        except ReportRefused as refused:
            raise _problem(refused) from refused

    def _flows(self, model: str, base_s: int, source: str, days: Sequence[str]) -> list[FlowColumns]:
        """Return the flows of some days, counted behind the answer where they are not yet.

        Raises:
            Problem: 503, if that takes longer than this answer has time.
        """
        revision = read_drawing(self._ports.store, source).revision
        asked = DaysAsked(model, base_s, source, tuple(days), f"{self._ports.index.version()}.{revision}")
        while True:
            taken = self._days.take(asked)
            if taken.days_counted >= len(days):
                return taken.flows
            left_s = seconds_left()
            if left_s is not None and left_s < _LEAST_LEFT_S:
                raise Problem(
                    503,
                    f"{taken.days_counted} of {len(days)} days are counted for these lines.",
                    remedy="Ask again in a few seconds: it goes on behind this answer.",
                )


def _problem(refused: ReportRefused) -> Problem:
    return bad_parameter(refused.parameter, refused.detail, remedy=refused.remedy)
