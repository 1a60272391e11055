"""All routes of the API in the order of the description; each is declared at its handler."""

from __future__ import annotations

from frametally.actions.endpoints import Endpoint
from frametally.plugins import hooks
from frametally_accounts.audit.routes import AUDIT
from frametally_accounts.embeds.routes import EMBEDS
from frametally_web.access.rights import Rights
from frametally_web.api.chart_routes import CATALOGUE, COUNTS
from frametally_web.api.events import EVENTS
from frametally_web.api.export_routes import EXPORT
from frametally_web.api.proof_routes import PROOF
from frametally_web.books.routes import BOOKS
from frametally_web.changes.footage_routes import FOOTAGE
from frametally_web.changes.routes import CHANGES
from frametally_web.changes.timezone_routes import TIMEZONES
from frametally_web.history.routes import HISTORY
from frametally_web.presets.routes import PRESETS

_OF_PLUGINS: list[Endpoint] = [endpoint for endpoints in hooks("endpoints") for endpoint in endpoints]

_EVERY_ENDPOINT = (
    *CATALOGUE.endpoints,
    *COUNTS.endpoints,
    *PROOF.endpoints,
    *HISTORY.endpoints,
    *(endpoint for endpoint in _OF_PLUGINS if not endpoint.native),
    *AUDIT.endpoints,
    *EMBEDS.endpoints,
    *BOOKS.endpoints,
    *CHANGES.endpoints,
    *FOOTAGE.endpoints,
    *TIMEZONES.endpoints,
    *PRESETS.endpoints,
    *EVENTS.endpoints,
    *EXPORT.endpoints,
    *(endpoint for endpoint in _OF_PLUGINS if endpoint.native),
)

ALL_ENDPOINTS = tuple(endpoint for endpoint in _EVERY_ENDPOINT if not endpoint.hidden)
"""The routes that are described."""

ENDPOINTS = tuple(endpoint for endpoint in ALL_ENDPOINTS if endpoint.streams or not endpoint.native)
"""Flask's routes, and the events."""

RIGHTS = Rights(_EVERY_ENDPOINT)
