"""The handler that signs a chart for pages of other sites, as `frametally embed` does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlencode

import msgspec
from flask import request
from werkzeug.datastructures import MultiDict

from frametally.rules.times import DAY_S, utc
from frametally.settings.loading import Settings
from frametally_accounts.embeds.signed_selection import (
    MOST_CHARS,
    MOST_DAYS,
    SignedChart,
    embed_code,
    sign_chart,
)
from frametally_web.access.visitors import visitor
from frametally_web.charts.answers import Counts
from frametally_web.charts.whole_question import whole_question
from frametally_web.requests import query
from frametally_web.requests.answers import Answer
from frametally_web.requests.body import read_sent
from frametally_web.requests.change import note_target
from frametally_web.requests.origins import is_origin
from frametally_web.requests.problems import Problem

Args = MultiDict[str, str]


class EmbedWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom a chart is to be signed, and for how long.

    Attributes:
        sites: Origins whose pages may show it, such as `https://intranet.example`.
        days: After how many days it ends.
    """

    sites: Annotated[list[str], msgspec.Meta(min_length=1, max_length=50)]
    days: Annotated[int, msgspec.Meta(ge=1, le=MOST_DAYS)] = 30


class SignedEmbed(Answer, frozen=True, kw_only=True):
    """A chart that is signed.

    Attributes:
        code: What shows it in a page: an `<iframe>` with its address.
        from_ms: First event time that it shows.
        to_ms: Its end, not included.
        ends_at_ms: Until when it is shown.
    """

    code: str
    from_ms: int
    to_ms: int
    ends_at_ms: int


# Made once, before there are threads: see `records.decode`.
_wanted = msgspec.json.Decoder(EmbedWanted)


class EmbedRoutes:
    """The handler, by its endpoint's name."""

    def __init__(self, settings: Settings, key: Callable[[], bytes], chart: Callable[[Args], Counts]) -> None:
        """Make the handler of one application; `key` signs, `chart` answers a chart's counts."""
        self._settings = settings
        self._key = key
        self._chart = chart

    def post_embed(self, args: Args) -> SignedEmbed:
        """Sign a chart, once it is seen that there is one."""
        wanted = read_sent(_wanted, "wish for a signed chart")
        if not visitor().name:
            raise Problem(
                409, "Nobody has to log in here.", remedy="Use the address of /embed: it needs no signature."
            )
        for site in wanted.sites:
            if not is_origin(site):
                raise Problem(
                    400,
                    f"{query.shown(site)} is no origin.",
                    remedy="Write it as https://name or https://name:port, without a path.",
                    parameter="sites",
                )
        # As the page asks: where no metric is named, it takes the one that suits the footage.
        args = MultiDict(args)
        args["metric"] = args.get("metric") or "auto"
        shown = self._chart(args)
        if shown.from_ms is None or shown.to_ms is None:
            raise Problem(400, "There is nothing to be shown.", remedy="Choose what was filmed.")
        selection = whole_question(args.items(multi=True), shown, with_range=True)
        now_ms = time.time_ns() // 1_000_000
        chart = SignedChart(selection, wanted.sites, now_ms, now_ms + wanted.days * DAY_S * 1000)
        signed = sign_chart(chart, self._key())
        if len(signed) > MOST_CHARS:
            raise Problem(
                400,
                "So many labels, sources and sites are too long for an address.",
                remedy="Name fewer.",
            )
        note_target(sites=" ".join(wanted.sites), until=utc(chart.ends_at_ms), selection=urlencode(selection))
        root = (self._settings.web_url or request.url_root).rstrip("/")
        return SignedEmbed(
            code=embed_code(root, signed),
            from_ms=shown.from_ms,
            to_ms=shown.to_ms,
            ends_at_ms=chart.ends_at_ms,
        )
