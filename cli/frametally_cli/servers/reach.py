"""Whether the servers that the settings name can be reached: by name and port alone, without logging in.

It is what a container's health check asks every minute: cheap, and without a trace in the servers' books.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from frametally.plugins import hooks
from frametally.settings.loading import Settings

_TIMEOUT_S = 5.0
_PORTS = {"http": 80, "https": 443, "kafka": 9092, "postgresql": 5432, "amqp": 5672, "amqps": 5671}


class Server(NamedTuple):
    """A server that a setting names."""

    what: str
    host: str
    port: int


def named_servers(settings: Settings) -> Iterator[Server]:
    """Yield the servers of store, log, databases and queue; embedded parts have none."""
    urls = {
        "store": settings.store_endpoint,
        "log": settings.log_url,
        "index": settings.index_url,
        "ledger": settings.ledger_url,
        "catalogue": settings.catalogue_url,
    }
    for urls_of in hooks("servers"):
        urls |= urls_of(settings)
    for what, url in urls.items():
        scheme, _, rest = url.partition("://")
        scheme = scheme.rpartition("+")[2]
        if scheme not in _PORTS:
            continue
        for address in rest.split("/")[0].split(","):
            parts = urlsplit(f"//{address}")
            if parts.hostname:
                yield Server(what, parts.hostname, parts.port or _PORTS[scheme])


def why_unreachable(server: Server) -> str:
    """Return a line of what is wrong and what to do; empty if a connection is accepted."""
    try:
        with socket.create_connection((server.host, server.port), timeout=_TIMEOUT_S):
            return ""
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        setting = f"FRAMETALLY_{server.what.upper()}_{'ENDPOINT' if server.what == 'store' else 'URL'}"
        return (
            f"the {server.what}'s server {server.host}:{server.port} cannot be reached ({reason}): "
            f"is it up, and is {setting} right?"
        )
