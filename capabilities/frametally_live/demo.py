"""Adds the demo's simulated camera, which shows the clip in a loop while a dashboard is served."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from frametally import keys
from frametally.files.demo_clip import DemoClip
from frametally.media.manifests import list_manifests
from frametally.ports.opened import Ports
from frametally.settings.loading import Settings
from frametally_live.cameras.camera_form import NoCamera, remove_camera
from frametally_live.feed_records import LOOP, Feed
from frametally_live.live_book_by_url import open_live_book

_NAME = "Simulated camera"


@contextmanager
def looped(ports: Ports, clip: DemoClip, _should_stop: Callable[[], bool]) -> Iterator[None]:
    """Add the camera once the clip is counted, unless it exists."""
    yield
    source, series = keys.slug(clip.source), ports.index.series()
    media = [manifest for manifest in list_manifests(ports.store) if manifest.source == source]
    if not media or not series:
        return
    camera = Feed(
        id=str(uuid.uuid4()),
        kind="camera",
        source=keys.slug(_NAME),
        name=_NAME,
        address=f"{LOOP}{media[0].sha256}",
        model=series[0].model,
    )
    with closing(open_live_book(ports.settings)) as book:
        book.put_camera(camera)


def remove(settings: Settings) -> None:
    """Remove the camera."""
    with closing(open_live_book(settings)) as book, suppress(NoCamera):
        remove_camera(book, _NAME)
