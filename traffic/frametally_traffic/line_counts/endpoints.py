"""The routes of what is counted at lines and zones, as data."""

from __future__ import annotations

from frametally_traffic.flows.day_columns import DIRECTIONS
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.crossing_proof import NOT_MEASURED, OUTCOMES
from frametally_traffic.line_counts.single_answers import CrossingObjects, ShownVisits
from frametally_web.endpoints.parameters import CHART, PAGE, Endpoint, Parameter, text


def _some(parameters: tuple[Parameter, ...], *names: str) -> tuple[Parameter, ...]:
    return tuple(one for one in parameters if one.name in names)


_OF_SOURCE = (
    Parameter("source", "Slug of the source; lines and zones are of one.", text(), "gate", required=True),
    *_some(CHART, "label", "from", "to", "model", "timezone", "base", "interval"),
)
_PAGE_OF_SOURCE = (*_OF_SOURCE, *_some(PAGE, "limit", "cursor"))

LINE_ENDPOINTS = (
    Endpoint(
        "crossings",
        "Crossings of lines, per interval and label.",
        (*_OF_SOURCE, Parameter("line", "Names of lines; default: all.", text(), "stop line", many=True)),
        answers.LineCrossings,
    ),
    Endpoint(
        "crossings/objects",
        "Every object that crossed a line, with the frames before and after it.",
        (
            *_PAGE_OF_SOURCE,
            Parameter("line", "Name of the line.", text(), "stop line", required=True),
            Parameter(
                "direction",
                "Those in one direction, or those that are not measured; default: all.",
                {"type": "string", "enum": [*DIRECTIONS, NOT_MEASURED]},
                "to_right",
            ),
        ),
        CrossingObjects,
    ),
    Endpoint(
        "zones",
        "Who came into zones, who left, how many were there and for how long.",
        (*_OF_SOURCE, Parameter("zone", "Names of zones; default: all.", text(), "yard", many=True)),
        answers.ZoneStays,
    ),
    Endpoint(
        "movements",
        "From which leg of a junction to which, and what became of all visits.",
        _OF_SOURCE,
        answers.JunctionMovements,
    ),
    Endpoint(
        "movements/visits",
        "Every visit behind such a number, with its path.",
        (
            *_PAGE_OF_SOURCE,
            Parameter(
                "outcome",
                "What became of it; default: anything.",
                {"type": "string", "enum": [*OUTCOMES]},
                "unassigned",
            ),
            Parameter("from_leg", "Legs that it came over; default: any.", text(), "north", many=True),
            Parameter("to_leg", "Legs that it went over; default: any.", text(), "south", many=True),
        ),
        ShownVisits,
    ),
    Endpoint("speeds", "How fast visits were, by label.", _OF_SOURCE, answers.VisitSpeeds),
)
