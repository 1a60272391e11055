"""Charts that are signed for other sites' pages: what their addresses let in, and nothing beside."""

from __future__ import annotations

import time

from flask import Request

from frametally.rules.times import utc
from frametally_accounts.embeds.signed_selection import SignedChart, read_chart
from frametally_web.access.rights import route_of
from frametally_web.access.visitors import Visitor
from frametally_web.requests.problems import Problem

HEADER = "Frametally-Chart"
"""Has the query of a chart's address, with what its page asks for."""

_PAGE, _COUNTS = "GET /embed", "GET /api/counts"
_AS_IT_LIKES = "top"  # how many labels are told apart
_SET_BACK_MS = 60_000
_REMEDY = "Ask whoever runs this server for another; `frametally embed` makes it."


def signed_in(request: Request) -> str:
    """Return the signed query that a request shows; empty: none."""
    asked = request.query_string.decode("latin-1")
    is_signed = request.path == "/embed" and "signature" in request.args
    return asked if is_signed else request.headers.get(HEADER, "")


def admit_chart(request: Request, signed: str, key: bytes) -> Visitor:
    """Return who shows a chart that is signed.

    Raises:
        Problem: 403, it is none of ours, it is over, or something else is asked for.
    """
    chart = read_chart(signed, key)
    if chart is None:
        raise Problem(403, "This chart's address was changed, or is not of this server.", remedy=_REMEDY)
    now_ms = time.time_ns() // 1_000_000
    if not chart.made_at_ms - _SET_BACK_MS <= now_ms < chart.ends_at_ms:
        raise Problem(403, f"This chart was shown until {utc(chart.ends_at_ms)}.", remedy=_REMEDY)
    method = "GET" if request.method == "HEAD" else request.method
    route = route_of(method, request.url_rule.rule if request.url_rule else "")
    if route != _PAGE and not (route == _COUNTS and _is_of(chart, request)):
        raise Problem(403, "This chart's address shows nothing but this chart.", remedy=_REMEDY)
    return Visitor(role="look", shown_on=tuple(chart.sites))


def _is_of(chart: SignedChart, request: Request) -> bool:
    asked = [one for one in request.args.items(multi=True) if one[0] != _AS_IT_LIKES]
    return sorted(asked) == sorted(chart.selection)
