"""What accounts add to the dashboard: the routes of their page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from frametally.errors import FrametallyError
from frametally.naming import KnownNames
from frametally_accounts.people.routes import ACCOUNTS, AccountRoutes
from frametally_web.plugging import WebContext, WebPart

ENDPOINTS = ACCOUNTS.endpoints


def web_part(context: WebContext) -> WebPart:
    """Return the routes of one application."""

    def unknown(sources: Sequence[str]) -> tuple[str, ...]:
        """Return a sentence for each source that does not exist yet: accounts may precede the footage."""
        if not sources:
            return ()
        with suppress(FrametallyError):  # you can add accounts while a server is down
            media = context.books.media_to_keep()
            names = KnownNames(
                {source: media.name(source) for source in media.sources()},
                settings=context.settings,
                store=context.ports.store,
                index=context.ports.index,
            )
            return tuple(str(name) for name in names.unknown(sources=sources))
        return ()

    routes = AccountRoutes(context.settings, context.ports.store, context.parts.get("access"), unknown)
    return WebPart(routes=ACCOUNTS.bind(routes))
