"""Finds cameras that need attention, and wrong settings of cameras."""

from __future__ import annotations

import time
from collections.abc import Iterator

from frametally.checkup.areas import setting_errors
from frametally.checkup.findings import Finding, Glance, Look, TrialLook
from frametally.settings.loading import Settings
from frametally_live.live_book_by_url import feeds_to_look
from frametally_live.settings import LiveSettings

_DEAD_AFTER_MS = 30_000  # a camera that answers again sooner needs no attention


def findings(look: Look) -> Iterator[Finding]:
    """Yield cameras that have failed or do not answer, and wrong settings. Raises as the database does."""
    match look:
        case Glance(settings):
            yield from _silent_cameras(settings)
        case TrialLook(settings, "" | "live" | "serve"):
            yield from _wrong_settings(settings.part(LiveSettings))


def _silent_cameras(settings: Settings) -> Iterator[Finding]:
    silent_ms = time.time() * 1000 - _DEAD_AFTER_MS
    with feeds_to_look(settings) as book:
        for feed in book.feeds("camera"):
            is_silent = feed.wanted == "run" and (feed.told.away_since_ms or silent_ms) < silent_ms
            if is_silent or feed.told.state == "failed":
                page = f"/live?camera={feed.source}"
                action = "Open the camera"
                yield Finding("camera", feed.name, feed.reason, "", "", page, 1, "need", action)


def _wrong_settings(part: LiveSettings) -> Iterator[Finding]:
    # Imported here, so that `frametally status` starts fast.
    from frametally.process.allowed_addresses import AllowedPlaces
    from frametally_live.cameras.camera_access import camera_trust, login_of, logins_by_slug

    yield from setting_errors(
        lambda: AllowedPlaces(part.live_allow),
        lambda: [login_of(part.live_logins, source) for source in logins_by_slug(part.live_logins)],
        lambda: camera_trust(part.live_ca_file),
    )
