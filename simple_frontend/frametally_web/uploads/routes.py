"""All native routes by which videos come in."""

from __future__ import annotations

from frametally_web.requests.native import NativeRoute
from frametally_web.uploads.forms import FormRoutes
from frametally_web.uploads.place import UploadPlace
from frametally_web.uploads.tus import TusRoutes


def upload_routes(place: UploadPlace) -> list[NativeRoute]:
    """Return the routes of uploads, by tus and by forms."""
    return [*TusRoutes(place).routes(), *FormRoutes(place).routes()]
