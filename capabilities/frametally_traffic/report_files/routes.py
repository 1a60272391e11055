"""Handles requests for the traffic report: reads the query, makes the report, answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frametally.actions.calls import Reply
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, choice, text
from frametally.actions.problems import Problem, bad_parameter
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_traffic.line_counts.background_days import (
    DaysAsked,
    FlowDays,
    check_time_left,
    flow_days,
)
from frametally_traffic.report.junction_report import ReportQuery, ReportRefused, TrafficReport, read_report
from frametally_traffic.report.schemes import SCHEME_NAMES
from frametally_traffic.report_files import answers
from frametally_traffic.report_files.checked_legs import checked_legs
from frametally_traffic.report_files.formats import FORMATS, HOURS, file_name, make_file
from frametally_web.books.context import ActionContext
from frametally_web.charts.question import check_names
from frametally_web.requests.addresses import image_url
from frametally_web.requests.query import FROM, MODEL, TIMEZONE, TO, read_selection

REPORT = Routes("Traffic report", by_source=True)

_CLASSES = choice(
    "classes",
    "Scheme of classes: the detector's `labels` (default), or `fhwa`, `coba`, `swiss10` or `tls`.",
    SCHEME_NAMES,
    "fhwa",
)
_OF_REPORT = (
    text("source", "Slug of the source that shows the junction.", "gate", required=True),
    *(FROM, TO, MODEL, TIMEZONE, _CLASSES),
)
_FORMAT = choice(
    "format",
    "`xlsx` (default), `csv`: a row for each quarter-hour, or `utdf`: the turns of a peak hour.",
    tuple(FORMATS),
    "xlsx",
)
_HOUR = choice(
    "hour",
    "Peak hour of `utdf`: the one before noon or the one after; default: the busier.",
    HOURS,
    "am",
)


@dataclass(frozen=True)
class TrafficRoutes:
    """The handlers of one application."""

    context: ActionContext

    @property
    def days(self) -> FlowDays:
        """Counts days that are not counted yet."""
        return self.context.shared(flow_days)

    @REPORT.route("GET traffic", "Count movements over a junction by quarter-hour and class.", *_OF_REPORT)
    def traffic(self, args: Args) -> answers.Traffic:
        report = self._report(args)
        frame = report.frame
        return answers.shown_report(report, None if frame is None else image_url(frame))

    @REPORT.route(
        "GET traffic/file",
        "Download the report as a file.",
        *_OF_REPORT,
        _FORMAT,
        _HOUR,
        media_types=tuple(dict.fromkeys(FORMATS.values())),
    )
    def traffic_file(self, args: Args) -> Reply:
        file_format, hour = _FORMAT.read(args), _HOUR.read(args)
        report = self._report(args)
        checked = checked_legs(self.context.settings, self.context.ports.index, report)
        try:
            data = make_file(report, file_format, hour, checked).read()
        except ReportRefused as error:
            raise _problem(error) from error
        name = file_name(report, file_format)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Reply(data, FORMATS[file_format], headers=headers)

    def _report(self, args: Args) -> TrafficReport:
        classes = _CLASSES.read(args)
        selection = read_selection(args, self.context.settings)
        if len(selection.sources) != 1:
            raise bad_parameter(
                "source", "A report covers one source.", remedy="Give one, such as source=gate."
            )
        media = self.context.books.media_to_keep()
        check_names(self.context.ports.index, selection, media.sources)
        source = selection.sources[0]
        query = ReportQuery(
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
                query,
                store=self.context.ports.store,
                index=self.context.ports.index,
                read_flows=self._flows,
                not_analysed=media.unanalysed_of(source),
                source_name=media.name(source),
            )
        except ReportRefused as error:
            raise _problem(error) from error

    def _flows(self, model: str, base_s: int, source: str, days: Sequence[str]) -> list[FlowColumns]:
        """Return the flows of some days, which are counted in the background if necessary.

        Raises:
            Problem: 503, if that takes longer than this answer may, or a day cannot be counted.
        """
        revision = read_drawing(self.context.ports.store, source).revision
        question = DaysAsked(
            model, base_s, source, tuple(days), f"{self.context.ports.index.version()}.{revision}"
        )
        while True:
            day_flows = self.days.take(question)
            if day_flows.note is not None:
                raise Problem(503, day_flows.note, remedy="Apply the remedy, then reload the page.")
            if day_flows.days_counted >= len(days):
                return day_flows.flows
            check_time_left(day_flows.days_counted, len(days))


def _problem(error: ReportRefused) -> Problem:
    return bad_parameter(error.parameter, error.detail, remedy=error.remedy)
