"""A separate place in the tests' Elasticsearch: an alias whose index is deleted afterwards."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from serving.needs import server

from elasticsearch import Elasticsearch
from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr


@contextmanager
def fresh_alias(
    values: Mapping[str, str] | None = None, *, shards: int = 1
) -> Iterator[tuple[str, ServerAccess]]:
    """URL of an alias that is not there yet, and how to log in; skips where there is no server.

    Args:
        values: The server's, as `server("elasticsearch")` gives them, if it is another one.
        shards: Of the index.
    """
    values = values or server("elasticsearch")
    alias = f"hadoop-object-counts-{secrets.token_hex(6)}"
    try:
        yield f"{values['URL']}/{alias}{f'?shards={shards}' if shards > 1 else ''}", access_of(values)
    finally:
        with administration(values) as client:
            layouts = [f"{alias}-v{layout}" for layout in (1, 2)]
            client.indices.delete(index=layouts, ignore_unavailable=True)
            client.options(ignore_status=404).indices.delete_index_template(name=alias)


@contextmanager
def administration(values: Mapping[str, str]) -> Iterator[Elasticsearch]:
    """A client with all rights."""
    client = Elasticsearch(
        values["URL"].removeprefix("elasticsearch+"),
        basic_auth=(
            values.get("SUPERUSER", values.get("USER", "")),
            values.get("SUPERUSER_PASSWORD", values.get("PASSWORD", "")),
        ),
        request_timeout=60,
    )
    try:
        yield client
    finally:
        client.close()


def access_of(values: Mapping[str, str], role: str = "") -> ServerAccess:
    """frametally's log-in there: as the user with all its rights, or with one role (`INDEXER`)."""
    if role:
        return ServerAccess(
            user=f"frametally-{role.lower()}", password=SecretStr(values[f"{role.upper()}_PASSWORD"])
        )
    return ServerAccess(user=values.get("USER", ""), password=SecretStr(values.get("PASSWORD", "")))
