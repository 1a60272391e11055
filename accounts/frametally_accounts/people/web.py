"""What accounts add to the dashboard: the routes of their page."""

from __future__ import annotations

from frametally_accounts.people.routes import ACCOUNTS, AccountRoutes
from frametally_web.plugging import WebContext, WebPart

ENDPOINTS = ACCOUNTS.endpoints


def web_part(context: WebContext) -> WebPart:
    """Return the routes of one application."""
    return WebPart(routes=ACCOUNTS.bind(AccountRoutes(context)))
