"""The origin of a browser's request: the page that sent it."""

from __future__ import annotations

import re

# The port that a scheme has anyway is not written, nor is anything behind it.
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]{1,5})?")


def is_of_own_page(*, host: str, origin: str, fetch_site: str) -> bool:
    """Return whether a browser says that it is the dashboard's own; the parts are the request's headers."""
    if fetch_site:  # only sent where the address is safe from being read on the way
        return fetch_site in ("same-origin", "none")
    return bool(host) and origin in (f"http://{host.lower()}", f"https://{host.lower()}")


def is_origin(text: str) -> bool:
    """Return whether a text is an origin, as browsers write it: `https://intranet.example:8443`."""
    return _ORIGIN.fullmatch(text) is not None
