"""Which source a name means that somebody gives a video."""

from __future__ import annotations

import threading

from frametally.media.manifests import ManifestReader
from frametally.media.sources import joined
from frametally.ports.object_store import ObjectStore
from frametally_videos.ports.video_catalogue import VideoCatalogue, VideoQuestion


class SourceNames:
    """Sources by name, as media and videos have them; threads may share it."""

    def __init__(self, store: ObjectStore, catalogue: VideoCatalogue) -> None:
        """Read nothing yet."""
        self._catalogue = catalogue
        self._manifests = ManifestReader(store)
        self._reading = threading.Lock()

    def named(self, given: str) -> tuple[str, str]:
        """Return the slug of the source `given`, and how it is written: as media or videos have it."""
        with self._reading:
            manifests = self._manifests.recent()
        source, name = joined(manifests, given)
        if all(manifest.source != source for manifest in manifests):
            waiting = self._catalogue.videos(VideoQuestion(sources=(source,), limit=1)).rows
            name = waiting[0].record.source_name if waiting else name
        return source, name
