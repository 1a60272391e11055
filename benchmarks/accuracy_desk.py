"""How fast accuracy checks react: the next frame at the desk, what a check says, and charts without a check.

    python benchmarks/accuracy_desk.py [--frames 20000] [--keys 60]

A frame is there when its picture is decoded and a frame of the page later. The desk loads pictures before
they are wanted; beside it stands a page that asks for the same JPEGs at the key. What a check says is asked
for over HTTP, and beside it stands what it took before: reading the check's frames again. A chart without an
answered check is asked for with and without the plug-in, by turns; its time is that of the CPU, for server
and client together.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import cv2
import numpy as np
from playwright.sync_api import sync_playwright
from results import ROOT, Goal, Table, save

from frametally.opening import open_object_store
from frametally.process.reports import NoProgress
from frametally_accuracy.book import AccuracyBook
from frametally_accuracy.population import CheckFootage
from frametally_accuracy.sent import CheckWanted
from frametally_accuracy.starting import read_again, start_check
from frametally_web.charts import checks as chart_checks
from frametally_web.serving import DashboardServer

sys.path.append(str(ROOT))

from tests.web.conftest import Place
from tests.web.counted_footage import make_lines, publish_lines

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from frametally_accuracy.records import AccuracyCheck, CheckUnit

READY = "#accuracy-page[data-state=ready]"
PEOPLE_S = 0.5
"""Seconds between two keys; people take longer for a frame."""
WATCH = """
  window.shown = [];
  addEventListener("keydown", ({key, timeStamp}) => {
    if (key !== "Enter") return;
    const before = document.querySelector("#stage img");
    const seen = () => {
      const picture = document.querySelector("#stage img");
      if (picture && picture !== before && picture.complete && picture.naturalWidth)
        requestAnimationFrame(() => window.shown.push(performance.now() - timeStamp));
      else requestAnimationFrame(seen);
    };
    requestAnimationFrame(seen);
  }, true);
"""
ASK_AT_KEY = """
  (urls) => {
    const stage = document.createElement("div");
    stage.id = "stage";
    document.body.replaceChildren(stage);
    addEventListener("keydown", ({key}) => {
      if (key !== "Enter") return;
      const picture = new Image();
      picture.src = urls.shift();
      stage.replaceChildren(picture);
    }, true);
  }
"""
CHARTS = "/api/v1/counts?interval=3600&label=car&metric=detections"


def main() -> None:
    """Measure, and write benchmarks/results/accuracy_desk.json."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=20_000, help="that the check is about")
    parser.add_argument("--keys", type=int, default=60, help="frames that are gone through")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, closing(Place(Path(folder))) as place:
        place.store = open_object_store(place.settings.store_url)
        publish_lines(place, make_lines("gate", frames=options.frames), in_segments_of=500)
        with serving(place) as url:
            same, with_ms, without_ms = charts(url)
            check, units = begin(place)
            put_pictures(place, units)
            desk_ms, asked_ms = desk(url, check, units, options.keys)
            now_ms = timed(lambda: ask(f"{url}/api/v1/accuracy/gate"), 20)
            before_ms = timed(lambda: read_frames(place, check), 3)
    save(
        name="accuracy_desk",
        title="Accuracy checks: the desk, a check's page, and charts without a check",
        about=__doc__.partition("\n\n")[2].partition("\n\n")[2].strip().replace("\n", " "),
        load_before=load,
        packages=["flask", "playwright"],
        tables=[
            Table(
                title="From the key to the next frame",
                columns=["page", "frames", "median (ms)", "95th percentile (ms)"],
                rows=[
                    ["the desk, which loads before", len(desk_ms), *middle_and_p95(desk_ms)],
                    ["asked for at the key", len(asked_ms), *middle_and_p95(asked_ms)],
                ],
                note="Pictures of 1280 x 720 pixels, from a server on the same machine. A network adds its "
                "delay to the second row alone.",
            ),
            Table(
                title="What a check says",
                columns=["way", "frames of the check", "median (ms)"],
                rows=[
                    ["from the count index, by HTTP", options.frames, round(statistics.median(now_ms), 1)],
                    ["reading all its frames again", options.frames, round(statistics.median(before_ms), 1)],
                ],
            ),
            Table(
                title="A chart where nobody has answered a check",
                columns=["way", "median (ms of CPU)", "same bytes"],
                rows=[
                    ["with the plug-in", round(statistics.median(with_ms), 2), str(same)],
                    ["without it", round(statistics.median(without_ms), 2), ""],
                ],
            ),
        ],
        goals=[
            Goal(
                what="key to next frame, 95th percentile (ms)",
                measured=middle_and_p95(desk_ms)[1],
                at_most=100,
            ),
            Goal(
                what="a chart with the plug-in and no check, as a part of one without the plug-in",
                measured=round(statistics.median(with_ms) / statistics.median(without_ms), 3),
                at_most=1.05,
            ),
            Goal(what="the same bytes", measured=float(same), at_least=1),
        ],
    )


@contextmanager
def serving(place: Place) -> Iterator[str]:
    """Serve the dashboard on a free port."""
    server = DashboardServer(place.app(), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()


def begin(place: Place) -> tuple[AccuracyCheck, list[CheckUnit]]:
    """Start a check of all frames."""
    with closing(AccuracyBook(place.settings.catalogue_url)) as book:
        check = start_check(book, footage_of(place), CheckWanted(name="gate"))
        return check, book.units(check.id)


def footage_of(place: Place) -> CheckFootage:
    """Bring the ledger up to the store."""
    place.ledger.refresh(place.store, NoProgress())
    return CheckFootage(place.store, place.ledger, place.real_index, place.settings)


def read_frames(place: Place, check: AccuracyCheck) -> None:
    """Read the frames of a check again, as each look at it did."""
    if read_again(check, footage_of(place)).sha256() != check.population_sha256:
        raise SystemExit("the frames changed while they were measured")


def put_pictures(place: Place, units: list[CheckUnit]) -> None:
    """Put a picture of its own for each unit."""
    rng = np.random.default_rng(1)
    for unit in units:
        small = rng.integers(0, 255, (90, 160, 3), dtype=np.uint8)
        picture = cv2.resize(small, (1280, 720), interpolation=cv2.INTER_CUBIC)
        place.store.put(unit.image_path, cv2.imencode(".jpg", picture)[1].tobytes())


def desk(
    url: str, check: AccuracyCheck, units: list[CheckUnit], keys: int
) -> tuple[list[float], list[float]]:
    """Return the times from key to frame at the desk, and on a page that asks for the same at the key."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"),
            args=["--headless", "--no-sandbox", "--disable-gpu"],
        )
        page = browser.new_page()
        page.goto(f"{url}/accuracy?check={check.id}&view=desk")
        page.locator(READY).wait_for()
        page.evaluate(WATCH)
        desk_ms = pressed(page, keys)
        pictures = browser.new_page()
        pictures.goto(f"{url}/accuracy")
        pictures.locator(READY).wait_for()
        first = json.loads(ask(f"{url}/api/v1/accuracy/{check.id}/next?number=1&desk=urls"))["units"][0]
        base = first["image_url"].removesuffix(first["image_path"])
        pictures.evaluate(WATCH)
        pictures.evaluate(ASK_AT_KEY, [f"{base}{unit.image_path}" for unit in units[-keys - 1 :]])
        asked_ms = pressed(pictures, keys)
        browser.close()
    return desk_ms, asked_ms


def pressed(page: Page, keys: int) -> list[float]:
    """Press Enter so often, at the pace of somebody fast."""
    for number in range(keys):
        page.wait_for_timeout(PEOPLE_S * 1000)
        page.keyboard.press("Enter")
        page.wait_for_function("(number) => window.shown.length > number", arg=number)
    times: list[float] = page.evaluate("window.shown")
    return times


def charts(url: str) -> tuple[bool, list[float], list[float]]:
    """Return whether a chart has the same bytes without the plug-in, and the times with and without it."""
    times: dict[bool, list[float]] = {True: [], False: []}
    is_same = True
    for number in range(200):
        # Each question is a new one: no answer is kept.
        query = f"{url}{CHARTS}&to={1_714_550_400_000 + (number + 1) * 3_600_000}"
        bodies = []
        for is_with in (True, False) if number % 2 else (False, True):
            own = nullcontext() if is_with else mock.patch.object(chart_checks, "hooks", lambda _: ())
            with own:
                begun = time.process_time()
                bodies.append(ask(f"{query}{'&' * is_with}"))
                times[is_with].append((time.process_time() - begun) * 1000)
        is_same = is_same and bodies[0] == bodies[1]
    return is_same, times[True][20:], times[False][20:]


def ask(url: str) -> bytes:
    """Return an answer."""
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - this machine's own server
        body: bytes = answer.read()
        return body


def timed(act: Callable[[], object], rounds: int) -> list[float]:
    """Return how long each round took, in ms."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        act()
        times.append((time.perf_counter() - begun) * 1000)
    return times


def middle_and_p95(times_ms: list[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile."""
    return round(statistics.median(times_ms), 1), round(statistics.quantiles(times_ms, n=20)[-1], 1)


if __name__ == "__main__":
    main()
