#!/usr/bin/env python3
"""Takes the pictures of what is done to videos: the demo clip is uploaded, enhanced, and its jobs listed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from frametally.files.demo_clip import ensure_demo_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("frametally"))
PATIENCE_S = 600


def main() -> None:
    """Upload, wait, look."""
    clip = ensure_demo_clip(ROOT / "demo-data")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as name, _served(name) as url, sync_playwright() as runner:
        when = ["--start-time", "2026-05-04T16:40:00Z", "--source", "Traffic", "--url", url]
        subprocess.run([COMMAND, "upload", str(clip), *when], check=True)  # noqa: S603 - its words stand above
        video_id = _ended(url)
        browser = runner.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
        page.goto(f"{url}/videos?v={video_id}&tab=enhance")
        page.locator(".split[data-state=ready]").wait_for(timeout=60_000)
        for label, value in (("Gamma", "1.8"), ("Contrast", "1.25"), ("Saturation", "1.4")):
            page.get_by_label(label, exact=True).fill(value)
        page.wait_for_timeout(1000)
        page.locator(".split[data-state=ready]").wait_for(timeout=60_000)
        page.get_by_role("button", name="Make it").click()
        listed = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
        listed.goto(f"{url}/jobs")
        listed.locator(".job[data-kind=enhance]").wait_for()
        _take(listed, "jobs")
        listed.close()
        page.locator(".made[data-kind=enhanced]").wait_for(timeout=PATIENCE_S * 1000)
        page.locator(".tabs").evaluate("(tabs) => tabs.scrollIntoView()")
        _take(page, "enhance")
        browser.close()


def _ended(url: str) -> str:
    """Wait until nothing is done to the video any more; return its id."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        with urllib.request.urlopen(f"{url}/api/v1/videos") as answer:  # noqa: S310 - our own server
            (video,) = json.load(answer)["videos"]
        with urllib.request.urlopen(f"{url}/api/v1/jobs") as answer:  # noqa: S310 - our own server
            states = json.load(answer)["states"]
        if video["state"] == "ready" and not {"queued", "running"} & set(states):
            return str(video["id"])
        time.sleep(1)
    raise SystemExit("the demo clip was not counted in time")


@contextmanager
def _served(folder: str) -> Iterator[str]:
    serving = [COMMAND, "serve", "--port", "0", "--data-dir", f"{folder}/data"]
    with subprocess.Popen(serving, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:  # noqa: S603
        assert server.stdout is not None  # noqa: S101 - for the type checker
        told = next(line for line in server.stdout if "http://" in line)
        yield next(word.rstrip("/.,") for word in told.split() if word.startswith("http://"))
        server.terminate()
        server.stdout.read()


def _take(page: Page, name: str) -> None:
    taken = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert taken is not None  # noqa: S101 - for the type checker
    cv2.imwrite(str(ROOT / f"docs/pictures/{name}.jpg"), taken, [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
