"""The sources that uploads name."""

from __future__ import annotations

from frametally.naming.known import NamesPart
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_videos.opening import catalogue_to_look
from frametally_videos.ports.video_catalogue import VideoQuestion


def known_names(settings: Settings, _: ObjectStore | None) -> NamesPart:
    """Return what knows the sources of uploaded videos, which may be many."""

    def is_source(source: str) -> bool:
        with catalogue_to_look(settings) as catalogue:
            return bool(catalogue.videos(VideoQuestion(sources=(source,), limit=1)).total)

    return NamesPart(is_source=is_source)
