"""Trying a camera before it is added: for `frametally live add`, and for the dashboard."""

from __future__ import annotations

from frametally.errors import Poison
from frametally.settings.loading import Settings
from frametally_live.cameras.camera_form import CameraTrial
from frametally_live.feed_records import Feed


def try_feed(settings: Settings, feed: Feed) -> CameraTrial | None:
    """Read a camera for some seconds, and return what came of it; None: none may be at its address.

    Raises:
        Misconfigured: A setting of cameras cannot be read.
    """
    from frametally_live.cameras.camera_opening import camera_to_open
    from frametally_live.cameras.failures import CameraAway
    from frametally_live.cameras.trial import try_camera

    try:
        camera = camera_to_open(settings, address=feed.address, source=feed.source, transport=feed.transport)
        return CameraTrial(f"it shows {try_camera(camera)}", shows=True)
    except CameraAway as error:
        return CameraTrial(f"the camera {error}", shows=False)
    except Poison:  # who captures it says so
        return None
