"""The addresses of pictures on this server."""

from __future__ import annotations

from urllib.parse import urlencode

_PLAIN = "!$'()*,/:;?@"
"""Characters that a query may contain as they are."""


def image_url(path: str) -> str:
    """Return the address of a stored frame's picture, on a page and in an answer of the API."""
    return f"/api/v1/frames/image?{urlencode({'path': path}, safe=_PLAIN)}"
