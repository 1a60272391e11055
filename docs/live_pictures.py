#!/usr/bin/env python3
"""Takes the pictures of what is live: the demo clip as a stream, and as what three cameras on a wall show."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from frametally.files.demo_clip import ensure_demo_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("frametally"))
SETTINGS = {"FRAMETALLY_LIVE_ALLOW": "127.0.0.1", "FRAMETALLY_SAMPLE_FPS": "5"}
PATIENCE_S = 600
SHOWN_FPS = 1
"""Of a camera: a small machine detects what three of them show."""
CUT = "Bus stop"


def main() -> None:
    """Upload, stream, look; film, wait until it is counted, cut one, look."""
    clip = ensure_demo_clip(ROOT / "demo-data")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as name, _served(name) as url, sync_playwright() as runner:
        when = ["--start-time", "2026-05-04T16:40:00Z", "--source", "Traffic", "--url", url]
        subprocess.run([COMMAND, "upload", str(clip), *when], check=True)  # noqa: S603 - its words stand above
        video_id = _ended(url)
        browser = runner.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
        page.goto(f"{url}/videos?v={video_id}")
        page.get_by_role("button", name="Start stream").click()
        page.locator(".live-pace", has_text="late").wait_for(timeout=60_000)
        page.wait_for_timeout(3000)
        page.locator(".live-stream").evaluate("(stream) => stream.scrollIntoView({block: 'end'})")
        _take(page, "stream")
        with _Cameras(clip) as cameras:
            for source, turned in (("Gate 1", False), ("Yard", True), (CUT, False)):
                _add(url, source, f"{cameras.url}/{source.replace(' ', '-')}?turned={int(turned)}")
            page.goto(f"{url}/live")
            counted = page.locator(".live-camera .live-counted", has_text=":")
            until_s = time.monotonic() + PATIENCE_S
            while counted.count() < 3 and time.monotonic() < until_s:
                page.wait_for_timeout(1000)
            cameras.cut.set()
            page.locator(".live-sign", has_text="Gone since").wait_for(timeout=60_000)
            page.wait_for_timeout(3000)
            _take(page, "wall")
        browser.close()


class _Cameras(ThreadingHTTPServer):
    """Show the clip again and again as Motion JPEG, until they are cut."""

    daemon_threads = True

    def __init__(self, clip: Path) -> None:
        """Read the clip."""
        found, self.frames = cv2.VideoCapture(str(clip)), []
        for number in itertools.count():
            is_there, picture = found.read()
            if not is_there:
                break
            if number % round(30 / SHOWN_FPS) == 0:
                self.frames.append((_encoded(picture), _encoded(picture[:, ::-1])))
        self.cut = threading.Event()
        super().__init__(("127.0.0.1", 0), _Camera)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> _Cameras:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Camera(BaseHTTPRequestHandler):
    server: _Cameras

    def do_GET(self) -> None:
        can_be_cut, turned = CUT.replace(" ", "-") in self.path, int(self.path[-1])
        if can_be_cut and self.server.cut.is_set():
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for pictures in itertools.cycle(self.server.frames):
            if can_be_cut and self.server.cut.is_set():
                return
            data = pictures[turned]
            head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
            try:
                self.wfile.write(head + data + b"\r\n")
            except OSError:
                return
            time.sleep(1 / SHOWN_FPS)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _encoded(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _add(url: str, source: str, address: str) -> None:
    said = json.dumps({"source": source, "address": address, "transport": "tcp"}).encode()
    asked = urllib.request.Request(  # noqa: S310 - our own server
        f"{url}/api/v1/cameras", said, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(asked).close()  # noqa: S310


def _ended(url: str) -> str:
    """Wait until nothing is done to the video any more; return its id."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        with urllib.request.urlopen(f"{url}/api/v1/videos") as answer:  # noqa: S310 - our own server
            (video,) = json.load(answer)["videos"]
        if video["state"] == "ready":
            return str(video["id"])
        time.sleep(1)
    raise SystemExit("the demo clip was not counted in time")


@contextmanager
def _served(folder: str) -> Iterator[str]:
    """All that a deployment is, until the block ends; what it says is in a file."""
    said = Path(folder, "said.txt")
    serving = [COMMAND, "up", "--port", "0", "--data-dir", f"{folder}/data"]
    with (
        said.open("wb") as file,
        subprocess.Popen(serving, stdout=file, stderr=file, env=os.environ | SETTINGS) as server,  # noqa: S603
    ):
        try:
            while "http://" not in said.read_text():
                time.sleep(0.2)
            words = said.read_text().split()
            yield next(word.rstrip("/.,") for word in words if word.startswith("http://"))
        finally:
            server.terminate()


def _take(page: Page, name: str) -> None:
    taken = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert taken is not None  # noqa: S101 - for the type checker
    cv2.imwrite(str(ROOT / f"docs/pictures/{name}.jpg"), taken, [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
