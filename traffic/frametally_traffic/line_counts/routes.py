"""The handlers of what is counted at lines and zones: read the query, count what is not yet, answer."""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.datastructures import MultiDict

from frametally.settings.loading import Settings
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.flows.day_columns import DIRECTIONS
from frametally_traffic.line_counts import answers, crossing_proof, flow_question
from frametally_traffic.line_counts import crossing_counts as crossings
from frametally_traffic.line_counts import movement_counts as movements
from frametally_traffic.line_counts import speed_counts as speeds
from frametally_traffic.line_counts import zone_counts as zones
from frametally_traffic.line_counts.answer_head import Answerable, head_of
from frametally_traffic.line_counts.background_days import DaysAsked, FlowDays, TakenDays
from frametally_traffic.line_counts.path_frames import SeenFrames
from frametally_traffic.line_counts.path_lengths import Lengths
from frametally_traffic.line_counts.single_answers import CrossingObjects, ShownVisits
from frametally_traffic.line_counts.whole_paths import WholePaths
from frametally_web.books.reader import BooksReader, DashboardPorts
from frametally_web.requests import query
from frametally_web.requests.problems import bad_parameter

Args = MultiDict[str, str]

_PAGE_ENTRIES = 12


class LineRoutes:
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

    def crossings(self, args: Args) -> answers.LineCrossings:
        """Answer with the crossings of lines."""
        head, found = self._read(args)
        return crossings.count(head, found, self._names(args, "line"))

    def crossings_objects(self, args: Args) -> CrossingObjects:
        """Find every object that crossed a line."""
        line = query.read_one(args, "line")
        if line is None:
            raise bad_parameter("line", "There is no line.", remedy="Give one, such as line=stop line.")
        direction = query.read_choice(args, "direction", ("", *DIRECTIONS, crossing_proof.NOT_MEASURED))
        limit, cursor = self._page(args)
        head, found = self._read(args)
        return crossing_proof.crossing_objects(
            head,
            found,
            line=line,
            direction=direction,
            limit=limit,
            cursor=cursor,
            behind=self._behind(found),
        )

    def zones(self, args: Args) -> answers.ZoneStays:
        """Answer with what happened in zones."""
        head, found = self._read(args)
        return zones.count(head, found, self._names(args, "zone"))

    def movements(self, args: Args) -> answers.JunctionMovements:
        """Answer with the movements over a junction."""
        return movements.count(*self._read(args))

    def movements_visits(self, args: Args) -> ShownVisits:
        """Find every visit behind a number of movements."""
        outcome = query.read_choice(args, "outcome", ("", *crossing_proof.OUTCOMES))
        limit, cursor = self._page(args)
        head, found = self._read(args)
        return crossing_proof.shown_visits(
            head,
            found,
            outcome=outcome,
            from_legs=self._names(args, "from_leg"),
            to_legs=self._names(args, "to_leg"),
            limit=limit,
            cursor=cursor,
            behind=self._behind(found),
        )

    def speeds(self, args: Args) -> answers.VisitSpeeds:
        """Answer with the speeds of visits."""
        return speeds.count(*self._read(args))

    def _read(self, args: Args) -> tuple[dict[str, object], Answerable | None]:
        chart = query.read_chart(args, self._settings)
        source = flow_question.one_source(chart.selection)
        asked = flow_question.ask(self._ports.index, self._settings, self._books.media(), chart)
        drawing = read_drawing(self._ports.store, source)
        found = None
        if asked is not None:
            version = f"{self._ports.index.version()}.{drawing.revision}"
            days = DaysAsked(asked.model, asked.base_interval_s, source, asked.days, version)
            taken = self._days.take(days) if drawing.shapes else TakenDays([], len(asked.days), None)
            found = Answerable(asked, drawing, taken)
        return head_of(chart.selection, source, found, drawing.revision), found

    def _behind(self, found: Answerable | None) -> crossing_proof.Behind | None:
        if found is None:
            return None
        self._books.ensure_ledger()
        media = [one for one in self._ports.ledger.manifests() if one.source == found.asked.source]
        return crossing_proof.Behind(
            WholePaths(self._ports.store, self._ports.index, found.asked),
            Lengths(self._ports.store, found.drawing, media),
            SeenFrames(self._ports, self._settings, found.asked, self._image_url),
        )

    def _names(self, args: Args, parameter: str) -> list[str]:
        return query.read_many(args, parameter, limit=query.MAX_VALUES)

    def _page(self, args: Args) -> tuple[int, crossing_proof.PlaceCursor | None]:
        limit = query.read_limit(args, default=_PAGE_ENTRIES, most=query.MAX_PAGE_FRAMES)
        return limit, query.read_cursor(args, crossing_proof.PlaceCursor)
