"""The handler that signs a chart for another site's page, as `frametally embed` does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

import msgspec

from frametally.actions.answers import Answer
from frametally.actions.calls import Sent, current_call, note_target
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, shortened
from frametally.actions.problems import Problem
from frametally.rules.times import DAY_S, utc
from frametally_accounts.embeds.signed_selection import (
    MOST_CHARS,
    MOST_DAYS,
    SignedChart,
    embed_code,
    sign_chart,
)
from frametally_web.access.visitors import visitor
from frametally_web.books.context import ActionContext
from frametally_web.charts.counts import whole_question
from frametally_web.requests.origins import is_origin
from frametally_web.requests.query import BASE, BY, CHART

EMBEDS = Routes("Counts", right="run")
SIGNED = tuple(parameter for parameter in CHART if parameter not in (BASE, BY))
"""Parameters of a signed chart, as `/embed` sends them for its counts."""


class EmbedWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sites that may show the chart, and for how long.

    Attributes:
        sites: Origins whose pages may show it, such as `https://intranet.example`.
        days: Number of days until it expires.
    """

    sites: Annotated[list[str], msgspec.Meta(min_length=1, max_length=50)]
    days: Annotated[int, msgspec.Meta(ge=1, le=MOST_DAYS)] = 30


class SignedEmbed(Answer, frozen=True, kw_only=True):
    """A signed chart.

    Attributes:
        code: HTML that shows it in a page: an `<iframe>` with its address.
        from_ms: First event time that it shows.
        ends_at_ms: When it expires.
    """

    code: str
    from_ms: int
    to_ms: int
    ends_at_ms: int


_WANTED = Sent(EmbedWanted, "wish for a signed chart")


@dataclass(frozen=True)
class EmbedRoutes:
    """The handler of one application."""

    context: ActionContext

    @EMBEDS.route(
        "POST embeds",
        "Sign a chart for pages of other sites. Anyone with its address can see it until it expires.",
        *SIGNED,
        body=_WANTED,
        statuses=(409,),
    )
    def post_embed(self, args: Args) -> SignedEmbed:
        """Sign a chart, after checking that it has something to show."""
        form = _WANTED.read()
        if not visitor().name:
            raise Problem(
                409,
                "This dashboard does not require anyone to sign in.",
                remedy="Use the address of /embed without a signature.",
            )
        for site in form.sites:
            if not is_origin(site):
                raise Problem(
                    400,
                    f"{shortened(site)} is not an origin.",
                    remedy="Write it as https://name or https://name:port, without a path.",
                    parameter="sites",
                )
        # Like the page: without a metric, use the one that suits the footage.
        args = Args(args.pairs())
        args.put("metric", args.get("metric") or "auto")
        counts = self.context.counts(args)
        if counts.from_ms is None or counts.to_ms is None:
            raise Problem(400, "There is nothing to show.", remedy="Choose a time range with footage.")
        selection = whole_question(args.pairs(), counts, with_range=True)
        now_ms = time.time_ns() // 1_000_000
        chart = SignedChart(selection, form.sites, now_ms, now_ms + form.days * DAY_S * 1000)
        signed = sign_chart(chart, self.context.parts["access"].signing_key())
        if len(signed) > MOST_CHARS:
            raise Problem(
                400,
                "The chart's address would be too long.",
                remedy="Choose fewer labels, sources and sites.",
            )
        note_target(sites=" ".join(form.sites), until=utc(chart.ends_at_ms), selection=urlencode(selection))
        root = (self.context.settings.web_url or current_call().root_url).rstrip("/")
        return SignedEmbed(
            code=embed_code(root, signed),
            from_ms=counts.from_ms,
            to_ms=counts.to_ms,
            ends_at_ms=chart.ends_at_ms,
        )
