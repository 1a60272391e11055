"""Handles requests for counts at lines and zones: reads the query, counts missing days, answers."""

from __future__ import annotations

from dataclasses import dataclass

from frametally.actions.calls import Reply
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, choice, page_cursor, page_limit, text, texts
from frametally.actions.problems import bad_parameter
from frametally_traffic.drawings.drawn_shapes import shapes_of
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.flows.day_columns import DIRECTIONS
from frametally_traffic.line_counts import (
    answers,
    crossing_proof,
    flow_question,
    place_counts,
    place_rows,
    speed_counts,
)
from frametally_traffic.line_counts.background_days import (
    DaysAsked,
    FlowDays,
    TakenDays,
    check_time_left,
    flow_days,
)
from frametally_traffic.line_counts.crossing_intervals import with_intervals
from frametally_traffic.line_counts.flow_question import Answerable, head_of
from frametally_traffic.line_counts.single_answers import CrossingObjects, ShownVisits
from frametally_traffic.line_counts.whole_paths import SeenFrames, WholePaths
from frametally_web.api.export_routes import FORMAT, MEDIA_TYPES, file_reply
from frametally_web.books.context import ActionContext
from frametally_web.exports.table_file import export_records
from frametally_web.requests.addresses import image_url
from frametally_web.requests.query import (
    BASE,
    FROM,
    INTERVAL,
    LABEL,
    MAX_PAGE_FRAMES,
    MODEL,
    TIMEZONE,
    TO,
    read_chart,
)

LINES = Routes("Crossings and movements", by_source=True)

_OF_SOURCE = (
    text("source", "One source, by its slug or its name.", "gate", required=True),
    *(LABEL, FROM, TO, MODEL, TIMEZONE, BASE, INTERVAL),
)
_LIMIT = page_limit(12, MAX_PAGE_FRAMES)
_CURSOR = page_cursor(crossing_proof.PlaceCursor)
_LINES = texts("line", "Names of lines; default: all.", "stop line")
_LINE = text("line", "Name of the line.", "stop line", required=True)
_DIRECTION = choice(
    "direction",
    "Only one direction, or only crossings that are not measured; default: all.",
    ("", *DIRECTIONS, crossing_proof.NOT_MEASURED),
    "to_right",
)
_ZONES = texts("zone", "Names of zones; default: all.", "yard")
_OUTCOME = choice(
    "outcome", "Outcome of a visit; default: any.", ("", *crossing_proof.OUTCOMES), "unassigned"
)
_ROWS = choice(
    "of",
    "`crossings`, `zones` or `movements`, by interval and label, or `dwell` for the stays in each zone.",
    place_rows.KINDS,
    "zones",
)
_FROM_LEG = texts("from_leg", "Legs on which it entered; default: any.", "north")
_TO_LEG = texts("to_leg", "Legs on which it left; default: any.", "south")


@dataclass(frozen=True)
class LineRoutes:
    """The handlers of one application."""

    context: ActionContext

    @property
    def days(self) -> FlowDays:
        """Counts days that are not counted yet."""
        return self.context.shared(flow_days)

    @LINES.route("GET crossings", "Count crossings of lines, per interval and label.", *_OF_SOURCE, _LINES)
    def crossings(self, args: Args) -> answers.LineCrossings:
        head, answerable = self._read(args)
        found = place_counts.count_crossings(head, answerable, _LINES.read(args))
        if answerable is None:
            return found
        return with_intervals(self.context.settings, self.context.ports.index, found, answerable)

    @LINES.route(
        "GET crossings/objects",
        "List the objects that crossed a line, with the frames before and after.",
        *_OF_SOURCE,
        _LIMIT,
        _CURSOR,
        _LINE,
        _DIRECTION,
    )
    def crossings_objects(self, args: Args) -> CrossingObjects:
        line = _LINE.read(args)
        if line is None:
            raise bad_parameter("line", "line is missing.", remedy="Give one, such as line=stop line.")
        direction = _DIRECTION.read(args)
        limit, cursor = _LIMIT.read(args), _CURSOR.read(args)
        head, answerable = self._read(args)
        return crossing_proof.crossing_objects(
            head,
            answerable,
            line=line,
            direction=direction,
            limit=limit,
            cursor=cursor,
            behind=self._behind(answerable),
        )

    @LINES.route(
        "GET zones",
        "Count entries, exits, occupancy and dwell times of zones.",
        *_OF_SOURCE,
        _ZONES,
    )
    def zones(self, args: Args) -> answers.ZoneStays:
        head, answerable = self._read(args)
        return place_counts.count_zones(head, answerable, _ZONES.read(args))

    @LINES.route(
        "GET movements",
        "Count movements from leg to leg of a junction, and visits without one.",
        *_OF_SOURCE,
    )
    def movements(self, args: Args) -> answers.JunctionMovements:
        return place_counts.count_movements(*self._read(args))

    @LINES.route(
        "GET movements/visits",
        "List the visits behind a movement, with their paths.",
        *_OF_SOURCE,
        _LIMIT,
        _CURSOR,
        _OUTCOME,
        _FROM_LEG,
        _TO_LEG,
    )
    def movements_visits(self, args: Args) -> ShownVisits:
        outcome = _OUTCOME.read(args)
        limit, cursor = _LIMIT.read(args), _CURSOR.read(args)
        head, answerable = self._read(args)
        return crossing_proof.shown_visits(
            head,
            answerable,
            outcome=outcome,
            from_legs=_FROM_LEG.read(args),
            to_legs=_TO_LEG.read(args),
            limit=limit,
            cursor=cursor,
            behind=self._behind(answerable),
        )

    @LINES.route("GET speeds", "Show the speeds of visits, by label.", *_OF_SOURCE)
    def speeds(self, args: Args) -> answers.VisitSpeeds:
        return speed_counts.count_speeds(*self._read(args))

    @LINES.route(
        "GET places/export",
        "Download crossings, zones or movements as a file.",
        *_OF_SOURCE,
        _ROWS,
        FORMAT,
        media_types=MEDIA_TYPES,
    )
    def places_export(self, args: Args) -> Reply:
        rows, file_format = _ROWS.read(args), FORMAT.read(args)
        head, answerable = self._read(args)
        while answerable and answerable.taken.days_counted < len(answerable.asked.days):
            check_time_left(answerable.taken.days_counted, len(answerable.asked.days))
            head, answerable = self._read(args)
        name = self.context.books.media().name(str(head["source"]))
        return file_reply(
            export_records(place_rows.exported(rows, head, answerable, name, file_format), file_format),
            rows,
            file_format,
        )

    def _read(self, args: Args) -> tuple[dict[str, object], Answerable | None]:
        chart = read_chart(args, self.context.settings)
        source = flow_question.one_source(chart.selection)
        # The zones of this query are those to count, not a filter for what is counted.
        selection = chart.selection._replace(within=None)
        query = self.context.ask(chart._replace(selection=selection), by_second=True)
        question = flow_question.places_asked(query)
        drawing = read_drawing(self.context.ports.store, source)
        answerable = None
        if question is not None:
            version = f"{self.context.ports.index.version()}.{drawing.revision}"
            days = DaysAsked(question.model, question.base_interval_s, source, question.days, version)
            day_flows = self.days.take(days) if drawing.shapes else TakenDays([], len(question.days), None)
            answerable = Answerable(question.without(day_flows.unread_days), drawing, day_flows)
        return head_of(chart.selection, source, answerable, drawing.revision), answerable

    def _behind(self, answerable: Answerable | None) -> crossing_proof.Behind | None:
        if answerable is None:
            return None
        self.context.books.ensure_ledger()
        return crossing_proof.Behind(
            WholePaths(self.context.ports.store, self.context.ports.index, answerable.asked),
            shapes_of(answerable.drawing),
            SeenFrames(self.context.ports, self.context.settings, answerable.asked, image_url),
        )
