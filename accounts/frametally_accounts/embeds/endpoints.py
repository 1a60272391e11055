"""The route that signs a chart for other sites' pages, as data."""

from __future__ import annotations

from frametally_accounts.embeds.routes import EmbedWanted, SignedEmbed
from frametally_web.endpoints.parameters import CHART, Endpoint

EMBED_ENDPOINTS = (
    Endpoint(
        "embeds",
        "Signs a chart for pages of other sites, until it ends; whoever has its address sees it.",
        # As /embed asks for its counts.
        tuple(one for one in CHART if one.name not in ("base", "by")),
        SignedEmbed,
        method="POST",
        body=EmbedWanted,
        statuses=(409, 413, 415),
        named="post_embed",
        right="run",
    ),
)
