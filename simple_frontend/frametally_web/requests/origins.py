"""Whose page has a browser ask."""

from __future__ import annotations


def is_of_own_page(*, host: str, origin: str, fetch_site: str) -> bool:
    """Return whether a browser says that it is the dashboard's own; the parts are the request's headers."""
    if fetch_site:  # only sent where the address is safe from being read on the way
        return fetch_site in ("same-origin", "none")
    return bool(origin) and origin.partition("://")[2] == host.lower()
