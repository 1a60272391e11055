"""All routes of the API in the order of the description; each is declared at its handler."""

from __future__ import annotations

from frametally.actions.endpoints import endpoints_in
from frametally_web.access.rights import Rights
from frametally_web.api.declared import FIRST, LAST, OF_PLUGINS

_NATIVE = [endpoint for endpoint in endpoints_in(OF_PLUGINS) if endpoint.native]

EVERY_ENDPOINT = (
    *endpoints_in(FIRST),
    *(endpoint for endpoint in endpoints_in(OF_PLUGINS) if not endpoint.native),
    *endpoints_in(LAST),
    *_NATIVE,
)

ALL_ENDPOINTS = tuple(endpoint for endpoint in EVERY_ENDPOINT if not endpoint.hidden)
"""The routes that are described."""

ENDPOINTS = tuple(endpoint for endpoint in ALL_ENDPOINTS if endpoint.streams or not endpoint.native)
"""Flask's routes, and the events."""

RIGHTS = Rights(EVERY_ENDPOINT)
