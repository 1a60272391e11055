"""The modules that declare actions, and an action by its name, for which one module is imported."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from frametally.actions.endpoints import Endpoint, endpoints_in
from frametally.plugins import plugins

FIRST = (
    "frametally_web.api.chart_routes",
    "frametally_web.api.proof_routes",
    "frametally_web.history.routes",
)
OF_PLUGINS = tuple(module for plugin in plugins() for module in plugin.actions)
LAST = (
    "frametally_accounts.audit.routes",
    "frametally_accounts.embeds.routes",
    "frametally_web.books.routes",
    "frametally_web.changes.routes",
    "frametally_web.changes.footage_routes",
    "frametally_web.changes.timezone_routes",
    "frametally_web.presets.routes",
    "frametally_web.api.events",
    "frametally_web.api.export_routes",
)


def find_action(name: str) -> Endpoint | None:
    """Return the action that a host without streams and uploads offers by a name; None if there is none."""
    handler = re.compile(rf"\bdef {re.escape(name)}\(")
    for module in (*FIRST, *OF_PLUGINS, *LAST):
        spec = find_spec(module)
        if spec is None or spec.origin is None or not handler.search(Path(spec.origin).read_text("utf-8")):
            continue
        for endpoint in endpoints_in([module]):
            if endpoint.name == name and not endpoint.native and not endpoint.hidden:
                return endpoint
    return None
