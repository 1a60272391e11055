"""A real dashboard with content on every page, for tests that visit all pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from tests.accounts.people import PASSWORD, give_accounts
from tests.accuracy.checked_gate import check_gate
from tests.kit.clips import jpeg_of
from tests.live.watched_cameras import film_wall
from tests.together.test_narrow_in_browser import change_much, tell_much
from tests.traffic import crossroads
from tests.videos.filmed_video import make_file
from tests.videos.test_library_api import stored
from tests.videos.video_records import make_facts, make_video
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS, make_lines, put_dead_letters
from tests.web.recounted import three_changes

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.process.reports import NoProgress
from frametally_videos.catalogue.catalogue_rows import Artifact, VideoBooks

if TYPE_CHECKING:
    from playwright.sync_api import Browser

VIDEOS = 60
_BEGUN_MS = crossroads.START_MS

READY = "[data-state=ready]:not([aria-busy=true])"
_CHART = f"source={crossroads.SOURCE}&model={crossroads.MODEL}&timezone=UTC"
EVERY_PAGE: dict[str, tuple[str, str]] = {
    "start": (f"?{_CHART}", f"#dashboard{READY}"),
    "a bar": (f"?{_CHART}&interval=60&metric=detections&at=2024-05-01T06:00:00Z", f"#dashboard{READY}"),
    "a comparison": (f"?{_CHART}&interval=60&compare=week", f"#dashboard{READY}"),
    "videos": ("videos", "#videos-page:not([data-state=loading], [aria-busy])"),
    "a video": (f"videos?v={make_video(1).id}", "#video .video-view"),
    "jobs": ("jobs", "#jobs-page:not([data-state=loading], [aria-busy=true])"),
    "lines": (f"lines?{_CHART}", f"#lines-page{READY}"),
    "editor": (f"lines/edit?{_CHART}", "#editor[data-state=ready]"),
    "traffic": (f"traffic?{_CHART}", f"#traffic-page{READY}"),
    "live": ("live", f"#live-page{READY}"),
    "alerts": ("alerts", "#reports"),
    "data protection": ("data-protection", "#data-protection-page"),
    "retention": ("retention", "#retention-page"),
    "accuracy": ("accuracy", f"#accuracy-page{READY}"),
    "an accuracy check": ("accuracy?check=gate&view=result", f"#accuracy-page{READY}"),
    "books": ("books", f"#books-page{READY}"),
    "footage": ("footage", "#footage-page[data-state=ready]"),
    "dead letters": ("dead-letters", "#letters-page[data-state=ready]"),
    "history": ("history?from=2026-01-01&to=2026-01-02&model=tiny-1&timezone=UTC", "#history-changes"),
    "data": (f"data?{_CHART}&label=car", "#code-python"),
    "embed": (f"embed?{_CHART}", "#embed[data-state=ready]"),
    "audit": ("audit", "#changes"),
    "accounts": ("accounts", f"#accounts-page{READY}"),
    "password": ("sign-in/password", "main"),
    "sessions": ("sign-in/sessions", "main"),
    "sign-in": ("sign-in", "#name"),
    "no page": ("there-is-none", "main.lonely"),
}


def fill_every_page(place: Place) -> None:
    """Create footage, cameras, videos, lines, alerts, checks, dead letters, changes and accounts."""
    place.store = open_object_store(place.settings.store_url)  # the wall's
    three_changes(place)
    crossroads.film(place, crossroads.make_drivers(120, [6]), 120)
    crossroads.draw_legs(place)
    place._sequence = 100  # the made-up rows are added after the count
    film_wall(place, more=12)
    check_gate(place)
    letters = make_lines("gate", frames=2, start_ms=START_MS + 6_000_000)
    put_dead_letters(
        place, [(letters[0], "checksum", "its sha256 differs"), (letters[1], "missing", "none there")]
    )
    tell_much(place)
    change_much(place)
    put_videos(place)
    place.ledger.refresh(place.store, NoProgress())
    give_accounts(place)


def put_videos(place: Place) -> None:
    """Put videos with posters as large as real ones; the first plays."""
    body = make_file()
    poster = _photograph()
    for number in range(1, VIDEOS + 1):
        facts = make_facts(started_at_ms=_BEGUN_MS + number * 3_600_000, duration_s=20.0, frames=500)
        record = make_video(number, facts=facts, size_bytes=len(body))
        stored(place, record)
        key = f"videos/{record.id}/poster-0a1b2c3d.jpg"
        place.store.put(key, poster)
        place.catalogue.put_artifacts(record.id, [Artifact("poster", key, "image/jpeg", len(poster))])
        begin_ms = facts.started_at_ms or 0
        place.catalogue.set_video(
            record.id,
            state="ready",
            range_ms=(begin_ms, begin_ms + 20_000),
            books=VideoBooks(expected=100, announced=100, detected=100, counted=100, labels={"car": 40}),
        )
        if number == 1:
            place.store.put(keys.original_key(record.id), body)


def _photograph() -> bytes:
    """A JPEG with as much detail as a photograph: some 100 kB at 960 x 540."""
    rng = np.random.default_rng(1)
    picture = np.zeros((540, 960, 3), np.float32)
    for side_px, share in ((270, 110), (60, 70), (12, 30), (3, 8)):
        shape = (540 // side_px + 2, 960 // side_px + 2, 3)
        picture += share * cv2.resize(rng.random(shape, np.float32), (960, 540))
    return jpeg_of(picture.astype(np.uint8), quality=85)


def signed_in(browser: Browser, url: str, name: str = "runa") -> dict[str, object]:
    """The cookies of a signed-in user, for the windows of a test."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/sign-in")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#dashboard").wait_for()
    state = context.storage_state()
    context.close()
    return dict(state)
