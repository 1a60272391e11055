"""All native routes by which videos come in."""

from __future__ import annotations

from frametally_videos.upload_routes.form_uploads import FormRoutes
from frametally_videos.upload_routes.tus import TusRoutes
from frametally_videos.upload_routes.upload_place import UploadPlace
from frametally_web.requests.native import NativeRoute


def upload_routes(place: UploadPlace) -> list[NativeRoute]:
    """Return the routes of uploads, by tus and by forms."""
    return [*TusRoutes(place).routes(), *FormRoutes(place).routes()]
