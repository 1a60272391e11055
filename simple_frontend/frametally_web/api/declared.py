"""The modules that declare actions, and an action by its name, for which one module is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
MODULES = (*FIRST, *OF_PLUGINS, *LAST)


def offered_actions() -> Iterator[Endpoint]:
    """Yield the actions without streams and uploads, except those that need packages that are not here."""
    for module in MODULES:
        try:
            yield from _offered_by(module)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("frametally"):
                raise


def find_action(name: str) -> Endpoint | None:
    """Return the action of a name among `offered_actions`, or None. Import only modules whose source has it.

    Raises:
        ModuleNotFoundError: The action needs a package that is not installed.
    """
    handler = re.compile(rf"\bdef {re.escape(name)}\(")
    for module in MODULES:
        spec = find_spec(module)
        if spec is None or spec.origin is None or not handler.search(Path(spec.origin).read_text("utf-8")):
            continue
        for endpoint in _offered_by(module):
            if endpoint.name == name:
                return endpoint
    return None


def _offered_by(module: str) -> Iterator[Endpoint]:
    return (endpoint for endpoint in endpoints_in([module]) if not endpoint.native and not endpoint.hidden)
