"""Frames shown by links to the store, so that their bytes need not go through this process."""

from __future__ import annotations

from urllib.parse import urlsplit

from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_web.requests.problems import Problem

_ANY_KEY = "images/any.jpg"


def picture_link(store: ObjectStore, settings: Settings, key: str) -> str | None:
    """Return a link by which a browser gets the frame from the store itself; None: it must come from here.

    Raises:
        Misconfigured: The store's credentials end before the link would.
    """
    if not settings.web_store_links:
        return None
    link = store.address(key, ttl_s=settings.web_link_ttl_s)
    return link if link.startswith(("http://", "https://")) else None


def picture_origin(store: ObjectStore, settings: Settings) -> str:
    """Return the origin of such links, such as `https://s3.example.org`; empty: there are none.

    Raises:
        Misconfigured: As `picture_link`.
    """
    if not settings.web_store_links or not settings.store_url.startswith("s3://"):
        return ""
    parts = urlsplit(store.address(_ANY_KEY, ttl_s=settings.web_link_ttl_s))
    return f"{parts.scheme}://{parts.netloc}"


def no_such_frame() -> Problem:
    """Return the problem that a frame is not there, or not for who asks."""
    return Problem(
        404,
        "The store has no such frame.",
        parameter="path",
        remedy="It was removed since it was counted, or never stored; take paths from another answer.",
    )
