#!/usr/bin/env python3
"""Takes the picture of the page of lines: the demo clip with a line and a zone, by the usual commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from frametally.files.demo_clip import ensure_demo_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("frametally"))
SIZE = {"width_px": 854, "height_px": 480}
LINE = {"name": "near", "points": [[0, 360], [854, 360]], "to_right": "towards us", "to_left": "away"}
ZONE = {"name": "left lane", "points": [[300, 200], [432, 200], [432, 470], [130, 470]]}
DRAWN = {"lines": [{**LINE, **SIZE}], "zones": [{**ZONE, **SIZE}]}


def main() -> None:
    """Count, draw, look."""
    clip = ensure_demo_clip(ROOT / "demo-data")
    with tempfile.TemporaryDirectory() as name:
        drawn = Path(name, "lines.json")
        drawn.write_text(json.dumps(DRAWN))
        data = ["--data-dir", f"{name}/data"]
        when = ["--start-time", "2026-05-04T16:40:00Z", "--sample-fps", "10", "--interval", "2", "--no-serve"]
        for words in (
            ["run", str(clip), *when],
            ["lines", "import", "traffic", str(drawn)],
            ["aggregate", "--interval", "2"],
            ["index"],
        ):
            subprocess.run([COMMAND, *words, *data], check=True)  # noqa: S603 - its words stand above
        with _served(data) as url:
            _take(f"{url}/lines?source=traffic")


@contextmanager
def _served(data: list[str]) -> Iterator[str]:
    serving = [COMMAND, "serve", "--port", "0", *data]
    with subprocess.Popen(serving, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:  # noqa: S603
        assert server.stdout is not None  # noqa: S101 - for the type checker
        told = next(line for line in server.stdout if "http://" in line)
        yield next(word.rstrip("/.,") for word in told.split() if word.startswith("http://"))
        server.terminate()


def _take(address: str) -> None:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
        page.goto(address)
        page.locator("#lines-page[data-state=ready]").wait_for()
        page.locator("#drawn .loaded").first.wait_for()
        taken = cv2.imdecode(np.frombuffer(page.screenshot(full_page=True), np.uint8), cv2.IMREAD_COLOR)
        browser.close()
    assert taken is not None  # noqa: S101 - for the type checker
    cv2.imwrite(str(ROOT / "docs/pictures/lines.jpg"), taken[:1090], [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
