#!/usr/bin/env python3
"""Takes the pictures of who may do what: three people log in to the demo's counts, and try to change them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from frametally.files.demo_clip import ensure_demo_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("frametally"))
PEOPLE = {"ben": "look", "clara": "correct", "anna": "run"}
PASSWORD = "seven tall herons"  # noqa: S105
FILMED = ("--source", "Traffic", "--start-time", "2026-05-04T16:40:00Z", "--no-serve")
CHANNELS = '{"ops": "https://hooks.example.org/frametally"}'
BUSY = ("--what", "count", "--label", "car", "--at-least", "5", "--since", "2026-05-04T00:00:00Z")
WEEKLY = ("--every", "monday", "--at", "07:00", "--zone", "Europe/Berlin")
CHANGES = """() => Promise.all([
    ["PUT", "/api/v1/sources/traffic/drawing", {width_px: 640, height_px: 360, lines: []}],
    ["DELETE", "/api/v1/cameras/gate", {}]]
  .map(([method, path, sent]) => fetch(path, {method, body: JSON.stringify(sent), headers: {
    "Content-Type": "application/json", "If-None-Match": "*"}})))"""


def main() -> None:
    """Count, make accounts, log in as each, try to change something, look."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "FRAMETALLY_DATA_DIR": f"{folder}/data",
            "FRAMETALLY_WEB_UPLOADS": "true",
            "FRAMETALLY_ALERT_CHANNELS": CHANNELS,
            "FRAMETALLY_ALERT_SECRET": "no secret, as nothing is sent: 32 characters",
        }
        _run("run", str(ensure_demo_clip(ROOT / "demo-data")), *FILMED)
        for name, role in PEOPLE.items():
            _run("users", "add", name, "--role", role, "--password", said=f"{PASSWORD}\n")
        _run("alerts", "add", "busy", *BUSY, "--channel", "ops")
        _run("alerts", "run", code=6)  # nobody is at the channel
        _run("report", "add", "weekly", *WEEKLY, "--source", "Traffic")
        with _served(folder) as url, sync_playwright() as runner:
            browser = runner.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            for name in PEOPLE:
                page = _logged_in(browser, url, name)
                page.evaluate(CHANGES)
            _take(page, f"{url}/audit", "audit")
            _take(page, f"{url}/alerts", "alerts")
            browser.close()


def _logged_in(browser: Browser, url: str, name: str) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="UTC")
    page = context.new_page()
    page.goto(f"{url}/books")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    if name == "ben":
        _save(page, "log-in")
    page.keyboard.press("Enter")
    page.locator("#books-page[data-state=ready]").wait_for()
    return page


def _take(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.locator("main").wait_for()
    page.wait_for_timeout(1000)
    _save(page, name)


def _save(page: Page, name: str) -> None:
    taken = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert taken is not None  # noqa: S101 - for the type checker
    cv2.imwrite(str(ROOT / f"docs/pictures/{name}.jpg"), taken, [cv2.IMWRITE_JPEG_QUALITY, 82])


def _run(*words: str, said: str = "", code: int = 0) -> None:
    ended = subprocess.run([COMMAND, *words], input=said, text=True, check=False)  # noqa: S603 - its words stand above
    if ended.returncode != code:
        raise SystemExit(f"{words[0]} ended with {ended.returncode}")


@contextmanager
def _served(folder: str) -> Iterator[str]:
    said = Path(folder, "said.txt")
    with (
        said.open("wb") as file,
        subprocess.Popen([COMMAND, "serve", "--alone", "--port", "0"], stdout=file, stderr=file) as server,  # noqa: S603
    ):
        try:
            while "http://" not in said.read_text():
                time.sleep(0.2)
            words = said.read_text().split()
            yield next(word.rstrip("/.,") for word in words if word.startswith("http://"))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
