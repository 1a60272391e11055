#!/usr/bin/env python3
"""Takes the docs' pictures in Chromium, of the demo clip and a made-up crossroads, using the usual commands.

python docs/pictures.py [traffic|checked|lines|videos|live|access ...]   default: all
"""

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
from msgspec import structs
from playwright.sync_api import sync_playwright

from frametally.files.demo_clip import ensure_demo_clip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("frametally"))
FILMED = ("--source", "Traffic", "--start-time", "2026-05-04T16:40:00Z")
PATIENCE_S = 600

HOURS = 12
APART_S = [9.0, 5.5, 4.2, 5.5, 7.5, 7.0, 6.0, 6.5, 6.0, 5.0, 4.0, 5.0]
"""The interval between cars by hour: a peak in the morning, another before the evening."""
NOT_FILMED_S = (4 * 3600 + 1500, 4 * 3600 + 3100)

SIZE = {"width_px": 854, "height_px": 480}
LINE = {"name": "near", "points": [[0, 360], [854, 360]], "to_right": "towards us", "to_left": "away"}
ZONE = {"name": "left lane", "points": [[300, 200], [432, 200], [432, 470], [130, 470]]}

LIVE = {"FRAMETALLY_LIVE_ALLOW": "127.0.0.1", "FRAMETALLY_SAMPLE_FPS": "5"}
SHOWN_FPS = 1
"""A camera's frames a second: a small machine can detect what three of them show."""
CUT = "Bus stop"

PEOPLE = {"ben": "look", "clara": "correct", "anna": "run"}
PASSWORD = "seven tall herons"  # noqa: S105
ACCESS = {
    "FRAMETALLY_WEB_UPLOADS": "true",
    "FRAMETALLY_ALERT_CHANNELS": '{"ops": "https://hooks.example.org/frametally"}',
    "FRAMETALLY_ALERT_SECRET": "no secret, as nothing is sent: 32 characters",
}
BUSY = ("--what", "count", "--label", "car", "--at-least", "5", "--since", "2026-05-04T00:00:00Z")
WEEKLY = ("--every", "monday", "--at", "07:00", "--zone", "Europe/Berlin")
CHANGES = """() => Promise.all([
    ["PUT", "/api/v1/sources/traffic/drawing", {width_px: 640, height_px: 360, lines: []}],
    ["DELETE", "/api/v1/cameras/gate", {}]]
  .map(([method, path, sent]) => fetch(path, {method, body: JSON.stringify(sent), headers: {
    "Content-Type": "application/json", "If-None-Match": "*"}})))"""


def traffic(browser: Browser, folder: Path) -> None:
    """Film, count and draw a crossroads, and capture its report."""
    sys.path.insert(0, str(ROOT))
    from tests.traffic import crossroads
    from tests.web.conftest import Place

    from frametally_web.serving import DashboardServer

    place = Place(folder)
    seconds = HOURS * 3600
    drivers = crossroads.make_drivers(seconds, APART_S)
    crossroads.film(place, drivers, seconds, not_filmed_s=NOT_FILMED_S)
    crossroads.draw_legs(place)
    server = DashboardServer(place.app(), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        page = open_page(browser, f"{server.url}/traffic?source={crossroads.SOURCE}", zone="Europe/Berlin")
        page.locator("#traffic-page[data-state=ready]").wait_for()
        page.locator("#junction-picture .loaded").wait_for()
        save(page, "traffic-report", height_px=1500)
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 1031, "height": 703})
        save(page, "traffic-print", height_px=1400)
    finally:
        server.stop()
        thread.join()
        place.close()


def checked(browser: Browser, folder: Path) -> None:
    """Count a made-up day of one camera, answer 100 of its frames, and capture its chart."""
    sys.path.insert(0, str(ROOT))
    from tests.web.conftest import Place
    from tests.web.counted_footage import make_lines, publish_lines

    from frametally.process.reports import NoProgress
    from frametally.records import Detection
    from frametally_accuracy.book import AccuracyBook
    from frametally_accuracy.population import CheckFootage
    from frametally_accuracy.sent import CheckWanted
    from frametally_accuracy.starting import start_check
    from frametally_web.serving import DashboardServer

    random, truth, filmed = np.random.default_rng(8), {}, []
    for line in make_lines("market-street", frames=2880, step_ms=30_000, start_ms=1_777_766_400_000):
        hour = line.captured_at_ms % 86_400_000 / 3_600_000
        cars = int(random.poisson(4 * np.exp(np.cos((hour - 14) * np.pi / 12) - 1)))
        seen = int(random.binomial(cars, 0.8)) + int(random.poisson(0.1))
        truth[line.image_path] = cars
        boxes = [
            Detection(label="car", confidence=0.9, box=(40.0 * number, 60.0, 30.0, 90.0))
            for number in range(seen)
        ]
        filmed.append(structs.replace(line, detections=boxes))
    place = Place(folder)
    publish_lines(place, filmed)
    place.ledger.refresh(place.store, NoProgress())
    footage = CheckFootage(place.store, place.ledger, place.real_index, place.settings)
    book = AccuracyBook(place.settings.catalogue_url)
    form = CheckWanted(name="street-may", labels=["car"])
    check = start_check(book, footage, form, most_units=200)
    for unit in book.units(check.id)[:100]:
        book.answer(check, unit.number, person="anna", counts={"car": truth[unit.image_path]})
    book.close()
    server = DashboardServer(place.app(), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        page = open_page(browser, f"{server.url}/?interval=3600&metric=detections")
        page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
        page.locator("#checks p").wait_for()
        save(
            page, "checked", from_px=100, height_px=818
        )  # without the books, as this footage was never produced
    finally:
        server.stop()
        thread.join()
        place.close()


def lines(browser: Browser, folder: Path) -> None:
    """Count the clip, draw a line and a zone, and capture their page."""
    drawing = folder / "lines.json"
    drawing.write_text(json.dumps({"lines": [{**LINE, **SIZE}], "zones": [{**ZONE, **SIZE}]}))
    run("run", clip(), *FILMED[2:], "--sample-fps", "10", "--interval", "2", "--no-serve", folder=folder)
    run("lines", "import", "traffic", drawing, folder=folder)
    run("aggregate", "--interval", "2", folder=folder)
    run("index", folder=folder)
    with served(folder, "serve") as url:
        page = open_page(browser, f"{url}/lines?source=traffic")
        page.locator("#lines-page[data-state=ready]").wait_for()
        page.locator("#drawn .loaded").first.wait_for()
        save(page, "lines", height_px=1090)


def videos(browser: Browser, folder: Path) -> None:
    """Upload the clip, enhance it, and capture the jobs."""
    with served(folder, "serve") as url:
        run("upload", clip(), *FILMED, "--url", url)
        page = open_page(browser, f"{url}/videos?v={counted_video(url)}&tab=enhance")
        page.locator(".split[data-state=ready]").wait_for(timeout=60_000)
        for label, value in (("Gamma", "1.8"), ("Contrast", "1.25"), ("Saturation", "1.4")):
            page.get_by_label(label, exact=True).fill(value)
        page.wait_for_timeout(1000)
        page.locator(".split[data-state=ready]").wait_for(timeout=60_000)
        page.get_by_role("button", name="Create version").click()
        jobs = open_page(browser, f"{url}/jobs")
        jobs.locator(".job[data-kind=enhance]").wait_for()
        save(jobs, "jobs")
        jobs.close()
        page.locator(".made[data-kind=enhanced]").wait_for(timeout=PATIENCE_S * 1000)
        page.locator(".tabs").evaluate("(tabs) => tabs.scrollIntoView()")
        save(page, "enhance")


def live(browser: Browser, folder: Path) -> None:
    """Stream the clip; film it with three cameras, wait for counts, cut off one, and capture the wall."""
    with served(folder, "up", settings=LIVE) as url:
        run("upload", clip(), *FILMED, "--url", url)
        page = open_page(browser, f"{url}/videos?v={counted_video(url)}")
        page.get_by_role("button", name="Start stream").click()
        page.locator(".live-pace", has_text="late").wait_for(timeout=60_000)
        page.wait_for_timeout(3000)
        page.locator(".live-stream").evaluate("(stream) => stream.scrollIntoView({block: 'end'})")
        save(page, "stream")
        with _Cameras() as cameras:
            for source, turned in (("Gate 1", False), ("Yard", True), (CUT, False)):
                _add(url, source, f"{cameras.url}/{source.replace(' ', '-')}?turned={int(turned)}")
            page.goto(f"{url}/live")
            counts = page.locator(".live-camera .live-counted", has_text=":")
            until_s = time.monotonic() + PATIENCE_S
            while counts.count() < 3 and time.monotonic() < until_s:
                page.wait_for_timeout(1000)
            cameras.cut.set()
            page.locator(".live-sign", has_text="Disconnected since").wait_for(timeout=60_000)
            page.wait_for_timeout(3000)
            save(page, "wall")


def access(browser: Browser, folder: Path) -> None:
    """Count, make three accounts, log in as each, try to change something, and capture the audit log."""
    run("run", clip(), *FILMED, "--no-serve", folder=folder)
    for name, role in PEOPLE.items():
        run("users", "add", name, "--role", role, "--password", text=f"{PASSWORD}\n", folder=folder)
    run("alerts", "add", "busy", *BUSY, "--channel", "ops", settings=ACCESS, folder=folder)
    run("alerts", "run", code=6, settings=ACCESS, folder=folder)  # no server listens at the channel
    run("report", "add", "weekly", *WEEKLY, "--source", "Traffic", settings=ACCESS, folder=folder)
    with served(folder, "serve", "--alone", settings=ACCESS) as url:
        for name in PEOPLE:
            page = open_page(browser, f"{url}/books", height_px=800)
            page.locator("#name").fill(name)
            page.locator("#password").fill(PASSWORD)
            if name == "ben":
                save(page, "log-in")
            page.keyboard.press("Enter")
            page.locator("#books-page[data-state=ready]").wait_for()
            page.evaluate(CHANGES)
        for name in ("audit", "alerts"):
            page.goto(f"{url}/{name}")
            page.locator("main").wait_for()
            page.wait_for_timeout(1000)
            save(page, name)


class _Cameras(ThreadingHTTPServer):
    """Cameras that show the clip repeatedly as Motion JPEG until they are cut off."""

    daemon_threads = True

    def __init__(self) -> None:
        """Read the clip."""
        film, self.frames = cv2.VideoCapture(str(clip())), []
        for number in itertools.count():
            is_there, picture = film.read()
            if not is_there:
                break
            if number % round(30 / SHOWN_FPS) == 0:
                self.frames.append((_jpeg(picture), _jpeg(picture[:, ::-1])))
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
        """Log nothing."""


def _jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def _add(url: str, source: str, address: str) -> None:
    body = json.dumps({"source": source, "address": address, "transport": "tcp"}).encode()
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{url}/api/v1/cameras", body, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).close()  # noqa: S310


def clip() -> Path:
    """Return the demo's clip."""
    return ensure_demo_clip(ROOT / "demo-data")


def counted_video(url: str) -> str:
    """Wait until all work on the video has finished; return its id."""
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


def run(
    *words: str | Path,
    text: str = "",
    code: int = 0,
    settings: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Run a frametally command with its data in the folder; require this exit code."""
    command = [COMMAND, *map(str, words), *(["--data-dir", f"{folder}/data"] if folder else [])]
    ended = subprocess.run(command, input=text, text=True, check=False, env=os.environ | (settings or {}))  # noqa: S603
    if ended.returncode != code:
        raise SystemExit(f"{words[0]} ended with {ended.returncode}")


@contextmanager
def served(folder: Path, *words: str, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a command that serves a dashboard until the block ends; its output goes to a file."""
    log = folder / "log.txt"
    command = [COMMAND, *words, "--port", "0", "--data-dir", f"{folder}/data"]
    with (
        log.open("wb") as file,
        subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | (settings or {})) as server,  # noqa: S603
    ):
        try:
            while "http://" not in log.read_text():
                time.sleep(0.2)
            urls = [word.rstrip("/.,") for word in log.read_text().split() if word.startswith("http://")]
            yield urls[0]
        finally:
            server.terminate()


def open_page(browser: Browser, url: str, *, height_px: int = 900, zone: str = "UTC") -> Page:
    """Open a page as an English reader sees it."""
    page: Page = browser.new_page(
        viewport={"width": 1280, "height": height_px}, locale="en-GB", timezone_id=zone
    )
    page.goto(url)
    return page


def save(page: Page, name: str, *, from_px: int = 0, height_px: int | None = None) -> None:
    """Save a picture of the visible part, or of the rows `from_px` to `height_px` of the whole page."""
    screenshot = page.screenshot(full_page=height_px is not None)
    picture = cv2.imdecode(np.frombuffer(screenshot, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None  # noqa: S101 - for the type checker
    cv2.imwrite(
        str(ROOT / f"docs/pictures/{name}.jpg"), picture[from_px:height_px], [cv2.IMWRITE_JPEG_QUALITY, 82]
    )


@contextmanager
def launched() -> Iterator[Browser]:
    """Run a Chromium until the block ends."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def main(*names: str) -> None:
    """Take the named pictures, or all."""
    scenes = {scene.__name__: scene for scene in (traffic, checked, lines, videos, live, access)}
    with launched() as browser:
        for name in names or scenes:
            with tempfile.TemporaryDirectory() as folder:
                scenes[name](browser, Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
