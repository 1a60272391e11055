"""The origin of a browser's request: the page that sent it."""

from __future__ import annotations

import re

# The default port of a scheme is not written, nor is anything after it.
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:[0-9]{1,5})?")


def is_of_own_page(*, host: str, origin: str, fetch_site: str) -> bool:
    """Return whether a browser reports the dashboard's own page; the arguments are the request's headers."""
    if fetch_site == "none" and not origin:  # the person typed the address, or chose a bookmark
        return True
    if fetch_site not in ("", "none"):  # browsers send it only to secure addresses
        return fetch_site == "same-origin"
    return bool(host) and origin in (f"http://{host.lower()}", f"https://{host.lower()}")


def is_origin(text: str) -> bool:
    """Return whether a text is an origin, as browsers write it: `https://intranet.example:8443`."""
    return _ORIGIN.fullmatch(text) is not None
