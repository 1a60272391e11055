#!/usr/bin/env python3
"""Takes the pictures of the traffic report: twelve hours of a made-up crossroads, counted by the real job."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402
from tests.web import crossroads  # noqa: E402
from tests.web.conftest import Place  # noqa: E402

from frametally_web.serving import DashboardServer  # noqa: E402

HOURS = 12
APART_S = [9.0, 5.5, 4.2, 5.5, 7.5, 7.0, 6.0, 6.5, 6.0, 5.0, 4.0, 5.0]
"""How far apart they begin to drive, by hour: a peak in the morning, another before the evening."""
NOT_FILMED_S = (4 * 3600 + 1500, 4 * 3600 + 3100)
PICTURES = ROOT / "docs" / "pictures"
QUALITY = 82


def main() -> None:
    """Film, count, draw, look."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        seconds = HOURS * 3600
        drivers = crossroads.make_drivers(seconds, APART_S)
        crossroads.film(place, drivers, seconds, not_filmed_s=NOT_FILMED_S)
        crossroads.draw_legs(place)
        server = DashboardServer(place.app(), host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            _take(server.url)
        finally:
            server.stop()
            thread.join()
            place.close()


def _take(url: str) -> None:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(
            viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Europe/Berlin"
        )
        page.goto(f"{url}/traffic?source={crossroads.SOURCE}")
        page.locator("#traffic-page[data-state=ready]").wait_for()
        page.locator("#junction-picture .loaded").wait_for()
        _save(page, "traffic-report.jpg", height=1500)
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 1031, "height": 703})
        _save(page, "traffic-print.jpg", height=1400)
        browser.close()


def _save(page: Page, name: str, height: int) -> None:
    taken = cv2.imdecode(np.frombuffer(page.screenshot(full_page=True), np.uint8), cv2.IMREAD_COLOR)
    assert taken is not None  # noqa: S101 - for the type checker
    cv2.imwrite(str(PICTURES / name), taken[:height], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


if __name__ == "__main__":
    main()
