"""The answers that the dashboard's script would request first: the server puts them into the page.

The script takes such an answer instead of sending the request. It requests everything else, for example the
bars of a time zone that only the browser knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from markupsafe import Markup

from frametally.actions.endpoints import Route
from frametally.actions.parameters import MAX_VALUES, Args, read_many, read_one
from frametally.actions.problems import Problem
from frametally.errors import FrametallyError
from frametally.settings.loading import Settings
from frametally_web.api.answering import Answering
from frametally_web.books.reader import BooksReader
from frametally_web.proof.answers import EvidenceFrame, EvidenceFrames
from frametally_web.requests.query import (
    BASE,
    FROM,
    HOURS,
    INTERVAL,
    LABEL,
    METRIC,
    MODEL,
    PARTS,
    SOURCE,
    TIMEZONE,
    TO,
    WEEKDAYS,
    read_moment,
    read_zone,
)

MOST_S = 0.5
"""Seconds that the page waits for all of them; the script requests what takes longer."""
_TOP = "6"  # as many labels as the chart has colours
_ALL_DAY, _EVERY_DAY = "00:00-24:00", 7


class FirstAnswer(msgspec.Struct, frozen=True):
    """The answer to `GET route?query`, and the version of the counts behind it."""

    route: str
    query: str
    version: str
    body: msgspec.Raw


class FirstAnswers(NamedTuple):
    """The answers as JSON for the page, and the busiest frame of its question, if there is one."""

    json: Markup
    busiest: EvidenceFrame | None


class _Counted(msgspec.Struct):
    """What the question about frames takes from the answer `Counts`."""

    model: str | None
    base_interval_s: int | None
    coverage: list[msgspec.Raw]


class FirstAnswersReader:
    """Reads them through `answering`, which caches them for the same requests."""

    def __init__(
        self, settings: Settings, answering: Answering, books: BooksReader, routes: Sequence[Route]
    ) -> None:
        self._settings = settings
        self._books = books
        self._answering = answering
        self._routes = {route.endpoint.name: route for route in routes}

    def read(self, address: Args) -> FirstAnswers:
        """Return the answers to the question in a page's address, as far as they come within the time limit.

        An invalid question has no answers: the script requests them too, and shows the problem.
        """
        first: list[FirstAnswer] = []
        busiest = None
        try:
            selection = self._selection(address)
            metric = read_one(address, METRIC.name) or "auto"
            interval = _present(INTERVAL.name, read_one(address, INTERVAL.name))
            bars = [*selection, *interval, (METRIC.name, metric), ("top", _TOP)]
            first.append(self._ask("counts", bars))
            counted = msgspec.json.decode(first[0].body, type=_Counted)
            if counted.coverage and "at" not in address:
                first.append(self._ask("evidence", _of_frames(selection, counted)))
                frames = msgspec.json.decode(first[-1].body, type=EvidenceFrames).frames
                busiest = max(frames, key=lambda frame: frame.count, default=None)
            first.append(self._ask("catalogue", _present(MODEL.name, MODEL.read(address))))
            first.append(self._ask("summary", bars))
        except (FrametallyError, Problem):
            pass
        text = msgspec.json.encode(first).decode().replace("<", "\\u003c")
        return FirstAnswers(Markup(text), busiest)  # noqa: S704 - no text in it can end the element

    def _ask(self, route: str, query: list[tuple[str, str]]) -> FirstAnswer:
        body, version = self._answering.embed(self._routes[route], query)
        return FirstAnswer(route, urlencode(query), version, msgspec.Raw(body))

    def _selection(self, address: Args) -> list[tuple[str, str]]:
        """Return the selection in the order in which the script writes it: `selectionQuery` of `api.js`.

        Raises `Problem` (400) if it is not valid.
        """
        args = Args(address.pairs())
        self._books.add_timezone(args)
        zone = read_zone(args, self._settings)
        hours = read_one(args, HOURS.name)
        days = WEEKDAYS.read(args)
        return [
            *((LABEL.name, label) for label in LABEL.read(args)),
            *((SOURCE.name, source) for source in read_many(args, SOURCE.name, limit=MAX_VALUES)),
            *(pair for part in PARTS for pair in _present(part.name, read_one(args, part.name))),
            *(pair for end in (FROM, TO) for pair in _present(end.name, read_moment(args, end, zone.tzinfo))),
            *_present(HOURS.name, None if hours == _ALL_DAY else hours),
            *_present(WEEKDAYS.name, ",".join(map(str, days)) if len(days) < _EVERY_DAY else None),
            *_present(MODEL.name, MODEL.read(args)),
            (TIMEZONE.name, zone.name),
        ]


def _of_frames(selection: list[tuple[str, str]], counted: _Counted) -> list[tuple[str, str]]:
    """Return the question about the frames behind counts, of the model and the interval that were read."""
    *chosen, zone = selection
    without_model = [pair for pair in chosen if pair[0] != MODEL.name]
    model, base = _present(MODEL.name, counted.model), _present(BASE.name, counted.base_interval_s)
    return [*without_model, *model, zone, *base]


def _present(name: str, value: str | int | None) -> list[tuple[str, str]]:
    return [] if value in (None, "") else [(name, str(value))]
