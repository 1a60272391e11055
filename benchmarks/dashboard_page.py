"""How fast the dashboard's page paints and reacts in Chromium, over the counts of 100 million detections.

    python benchmarks/dashboard_page.py --folder FOLDER [--days 365] [--loads 15]

`--folder` and `--days` are those of benchmarks/dashboard.py, which loads the counts (`--load-only`). A load
has a browser window of its own, with nothing cached. A paint is the largest contentful one, from the start of
navigation; an interaction lasts from the key or the click to the next picture on the screen, as the browser
itself times it (Event Timing); while the page waits for the server's answer it goes on reacting.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard import load, serving
from playwright.sync_api import sync_playwright
from results import ROOT, Cell, Goal, Table, save

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

READY = "#dashboard[data-state=ready][aria-busy=false]"
WATCH = """
  window.paints = [];
  window.events = [];
  new PerformanceObserver((list) => window.paints.push(...list.getEntries().map((one) => one.startTime)))
    .observe({type: "largest-contentful-paint", buffered: true});
  new PerformanceObserver((list) => window.events.push(...list.getEntries()
    .filter((one) => one.interactionId).map((one) => one.duration)))
    .observe({type: "event", durationThreshold: 16, buffered: true});
"""
DAY = "?from=2025-06-10T00:00:00Z&to=2025-06-11T00:00:00Z"
VIEWS = {"all of the year": "", "a month": "?from=2025-06-01&to=2025-07-01", "a day": DAY}


def paints(browser: Browser, url: str, query: str, loads: int) -> list[float]:
    """The largest contentful paint of each load, in milliseconds."""
    found = []
    for _ in range(loads):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.add_init_script(WATCH)
        page.goto(f"{url}/{query}")
        page.locator(READY).wait_for()
        page.wait_for_timeout(300)
        found.append(float(page.evaluate("Math.max(...window.paints)")))
        context.close()
    return found


def interactions(browser: Browser, url: str, rounds: int, minute_ms: int) -> dict[str, list[float]]:
    """The longest event of each interaction, in milliseconds; `minute_ms` is one whose frames are stored."""
    took: dict[str, list[float]] = defaultdict(list)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(f"{url}/")
    page.locator(READY).wait_for()

    def timed(name: str, *keys: str, click: str = "") -> None:
        page.evaluate("window.events.length = 0")
        if click:
            page.locator(click).first.click()
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_timeout(250)
        took[name].append(max([16.0, *page.evaluate("window.events")]))
        page.locator(READY).wait_for()

    for _ in range(rounds):
        timed("choose a metric", click="button.tile:nth-child(3)")
        timed("choose another metric", click="button.tile:nth-child(1)")
        timed("lines", click="#view-lines")
        timed("table", click="#view-table")
        timed("bars", click="#view-bars")
        timed("only one label", click="#legend button")
        timed("all labels again", click="#legend button")
        page.locator("#chart").focus()
        timed("from bar to bar", "ArrowRight", "ArrowRight")
        _drag(page)
        timed("zoom out", click="#unzoom")
    for _ in range(rounds):
        page.goto(f"{url}/?from={minute_ms}&to={minute_ms + 60_000}")
        page.locator(READY).wait_for()
        page.locator("#chart").focus()
        page.keyboard.press("ArrowRight")
        timed("open a bar", "Enter")
        timed("next frame", "ArrowRight")
        timed("close the bar", "Escape")
    context.close()
    return took


def _drag(page: Page) -> None:
    page.locator("#chart").scroll_into_view_if_needed()
    box = page.locator("#chart").bounding_box()
    if box is None:
        sys.exit("the page has no chart")
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=8)
    page.mouse.up()
    page.locator("#unzoom").wait_for()
    page.locator(READY).wait_for()


def _row(name: str, values: list[float]) -> list[Cell]:
    return [name, len(values), round(statistics.median(values)), round(max(values))]


def main() -> None:
    """Measure, save."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--folder", type=Path, default=ROOT / ".benchmark-dashboard")
    arguments.add_argument("--days", type=int, default=365)
    arguments.add_argument("--loads", type=int, default=15)
    chosen = arguments.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("needs a Chromium: none on PATH, and CHROMIUM names none")
    load_before = os.getloadavg()[0]
    folder: Path = chosen.folder.resolve()
    loaded, minutes, _ = load(folder, chosen.days)
    with serving(folder, {"FRAMETALLY_WEB_QUERY_TIMEOUT_S": "30"}) as port, sync_playwright() as runner:
        browser = runner.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        version = browser.version
        url = f"http://127.0.0.1:{port}"
        paints(browser, url, "", 1)  # the server warms up
        painted = {name: paints(browser, url, query, chosen.loads) for name, query in VIEWS.items()}
        took = interactions(browser, url, max(chosen.loads // 3, 2), minutes[0].start_ms)
        browser.close()
    tables = [
        Table(
            title="Largest contentful paint",
            columns=["view", "loads", "median (ms)", "worst (ms)"],
            rows=[_row(name, values) for name, values in painted.items()],
            note=f"Chromium {version}, 1280x900, nothing cached; {loaded.detections:,} detections indexed.",
        ),
        Table(
            title="Interactions",
            columns=["interaction", "times", "median (ms)", "worst (ms)"],
            rows=[_row(name, values) for name, values in took.items()],
            note="From the key or the click to the next picture on the screen; the browser counts in 8 ms.",
        ),
    ]
    for table in tables:
        for row in table.rows:
            print(table.title, *row, sep=" | ")
    save(
        name="dashboard_page",
        load_before=load_before,
        title="The dashboard's page",
        about="What a viewer waits for in a browser: the largest paint, and the reaction to keys and clicks.",
        packages=["flask", "waitress", "playwright"],
        tables=tables,
        goals=[
            Goal(
                what="largest paint, median of the slowest view (ms)",
                measured=max(statistics.median(values) for values in painted.values()),
                at_most=1500,
            ),
            Goal(
                what="slowest interaction, median (ms)",
                measured=max(statistics.median(values) for values in took.values()),
                at_most=200,
            ),
        ],
    )


if __name__ == "__main__":
    main()
