"""Signed charts for other sites' pages: an address opens its own chart and nothing else."""

from __future__ import annotations

import time

from flask import Request

from frametally.actions.endpoints import route_of
from frametally.actions.problems import Problem
from frametally.rules.times import utc
from frametally_accounts.embeds.signed_selection import SignedChart, read_chart
from frametally_web.access.visitors import Visitor

HEADER = "Frametally-Chart"
"""Header in which the chart's page sends the query of its address."""

_PAGE, _COUNTS = "GET /embed", "GET /api/counts"
_AS_IT_LIKES = "top"  # how many labels are shown separately
_SET_BACK_MS = 60_000
_REMEDY = "Ask an administrator for a new one (`frametally embed`)."


def admit_chart(request: Request, signed: str, key: bytes) -> Visitor:
    """Return the visitor of a signed chart.

    Raises:
        Problem: 403 if the chart is not ours, has expired, or the request is for something else.
    """
    chart = read_chart(signed, key)
    if chart is None:
        raise Problem(
            403, "This chart's address was changed, or it belongs to another server.", remedy=_REMEDY
        )
    now_ms = time.time_ns() // 1_000_000
    if not chart.made_at_ms - _SET_BACK_MS <= now_ms < chart.ends_at_ms:
        raise Problem(403, f"This chart expired at {utc(chart.ends_at_ms)}.", remedy=_REMEDY)
    method = "GET" if request.method == "HEAD" else request.method
    route = route_of(method, request.url_rule.rule if request.url_rule else "")
    if route != _PAGE and not (route == _COUNTS and _is_of(chart, request)):
        raise Problem(403, "This address opens this chart and nothing else.", remedy=_REMEDY)
    return Visitor(role="look", shown_on=tuple(chart.sites))


def _is_of(chart: SignedChart, request: Request) -> bool:
    pairs = [pair for pair in request.args.items(multi=True) if pair[0] != _AS_IT_LIKES]
    return sorted(pairs) == sorted(chart.selection)
