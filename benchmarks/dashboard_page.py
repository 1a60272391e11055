"""How fast the dashboard's page paints and reacts in Chromium, over the counts of 100 million detections.

    python benchmarks/dashboard_page.py --folder FOLDER [--days 365] [--loads 15]
    python benchmarks/dashboard_page.py --phone http://127.0.0.1:5001/  # prints; of `make demo`

`--folder` and `--days` are those of benchmarks/dashboard.py, which loads the counts (`--load-only`). Each
load has a separate browser window with nothing cached. A paint is the largest contentful one, from the start
of navigation; an interaction lasts from the key or click to the next picture on the screen, as timed by the
browser (Event Timing); the page keeps reacting while it waits for the server's answer. A bar is clicked in a
separate window too, and leads to a picture that no browser has seen yet. An outage begins at any moment
between two polls of the page; it is that of the index, over which the application runs in this process, while
the server and the page keep running.

The slow phone has 390x844 pixels, a quarter of this machine's speed, 1.6 Mbit/s and 150 ms to the server. Its
requests while idle are those that begin in 20 s after 6 s; the stream of events, which stays open, is none.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard import load
from dashboard_data import MINUTE_MS, Minute
from measuring import serving
from playwright.sync_api import sync_playwright
from results import ROOT, Goal, Table, options, save

from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.errors import Retryable
from frametally.ports.count_index import CountIndex
from frametally.process.time_limit import seconds_left
from frametally.settings.loading import load_settings
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_web.app import create_app
from frametally_web.serving import DashboardServer

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
# The picture counts once it can be on the screen: one frame of the page after loading.
WATCH_PICTURE = """
  document.addEventListener("click", (event) => window.clickedAt ??= event.timeStamp, true);
  document.addEventListener("load", ({target}) => {
    if (target.closest?.(".proof-stage")) requestAnimationFrame((now) => window.pictureAt ??= now);
  }, true);
"""
# Uses the wall clock, which both processes share.
WATCH_NOTICE = """
  new MutationObserver(() => {
    const notice = document.querySelector("#notice");
    window.noticeAt = notice && !notice.hidden ? window.noticeAt ?? Date.now() : null;
  }).observe(document, {subtree: true, childList: true, attributes: true});
"""
BAR_PLACE = """
  (ms) => {
    const {layout} = document.getElementById("chart").timeChart;
    return {x: layout.x(ms), y: layout.area.top + 20};
  }
"""
DAY = "?from=2025-06-10T00:00:00Z&to=2025-06-11T00:00:00Z"
CLICKS = {
    "choose a metric": "button.measure:nth-child(3)",
    "choose another metric": "button.measure:nth-child(1)",
    "lines": "#view-lines",
    "table": "#view-table",
    "bars": "#view-bars",
    "only one label": "#legend button",
    "all labels again": "#legend button",
}
VIEWS = {"all of the year": "", "a month": "?from=2025-06-01&to=2025-07-01", "a day": DAY}


@contextmanager
def new_page(browser: Browser, address: str, *scripts: str, **options: Any) -> Iterator[Page]:
    """Open an address in a separate window with nothing cached; give the page once it is ready."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    page = context.new_page()
    for script in scripts:
        page.add_init_script(script)
    page.goto(address)
    page.locator(READY).wait_for()
    yield page
    context.close()


def paints(browser: Browser, url: str, query: str, loads: int) -> list[float]:
    """Return the largest contentful paint of each load, in milliseconds."""
    found = []
    for _ in range(loads):
        with new_page(browser, f"{url}/{query}", WATCH) as page:
            page.wait_for_timeout(300)
            found.append(float(page.evaluate("Math.max(...window.paints)")))
    return found


WATCH_SHIFT = """
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) window.shift += one.value;
  }).observe({type: "layout-shift", buffered: true});
"""
PHONE: dict[str, Any] = {
    **{"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
    **{"is_mobile": True, "has_touch": True},
}
SLOWER = 4
NETWORK = {
    **{"offline": False, "latency": 150},
    **{"downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8},
}
SETTLED_MS, IDLE_MS = 6000, 20_000
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


def on_slow_phone(browser: Browser, url: str) -> dict[str, float]:
    """Return what one load of a page takes on a slow phone: paints, bytes, shifts, requests while idle."""
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.add_init_script(WATCH + WATCH_SHIFT)
    network = context.new_cdp_session(page)
    received: list[float] = []
    requests: list[str] = []
    network.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.on("request", lambda request: requests.append(request.url))
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", NETWORK)
    network.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(url)
    page.wait_for_timeout(SETTLED_MS)
    measured = {
        "first contentful paint (ms)": float(page.evaluate(FIRST_PAINT)),
        "largest contentful paint (ms)": float(page.evaluate("Math.max(...window.paints)")),
        "received (kB)": sum(received) / 1000,
        "cumulative layout shift": float(page.evaluate("window.shift")),
    }
    requests.clear()
    page.wait_for_timeout(IDLE_MS)
    context.close()
    return {**measured, "requests in 20 idle seconds": len(requests)}


def interactions(browser: Browser, url: str, rounds: int, minute_ms: int) -> dict[str, list[float]]:
    """Return each interaction's longest event in milliseconds; frames of `minute_ms` are stored."""
    took: dict[str, list[float]] = defaultdict(list)
    with new_page(browser, f"{url}/", WATCH) as page:

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
            for name, click in CLICKS.items():
                timed(name, click=click)
            page.locator("#chart").focus()
            timed("from bar to bar", "ArrowRight", "ArrowRight")
            _drag(page)
            timed("zoom out", click="#unzoom")
        for _ in range(rounds):
            page.goto(f"{url}/?from={minute_ms}&to={minute_ms + 60_000}&metric=detections")
            page.locator(READY).wait_for()
            page.locator("#chart").focus()
            page.keyboard.press("ArrowRight")
            timed("open a bar", "Enter")
            timed("next frame", "ArrowRight")
            timed("close the bar", "Escape")
    return took


def pictures(browser: Browser, url: str, minutes: Sequence[Minute]) -> list[float]:
    """Return the milliseconds from the click on each minute's bar to its first frame's picture."""
    found = []
    for minute in minutes:
        around = f"from={minute.start_ms - 30 * MINUTE_MS}&to={minute.start_ms + 30 * MINUTE_MS}"
        address = f"{url}/?{around}&interval=60&metric=detections"
        with new_page(browser, address, WATCH_PICTURE) as page:
            place = page.evaluate(BAR_PLACE, minute.start_ms + MINUTE_MS / 2)
            page.locator("#chart").click(position=place)
            found.append(_when(page, "window.pictureAt") - page.evaluate("window.clickedAt"))
    return found


def _when(page: Page, expression: str) -> float:
    """Return the time noted by the page, once available (its policy forbids Playwright's own waiting)."""
    deadline_s = time.monotonic() + 30
    while not (found := page.evaluate(expression)):
        if time.monotonic() > deadline_s:
            sys.exit(f"{page.url}: no {expression} within 30 s")
        page.wait_for_timeout(20)
    return float(found)


class SwitchedIndex:
    """An index that can be made unavailable: `fault` is then called in place of every query."""

    def __init__(self, index: CountIndex) -> None:
        """Start with an available index."""
        self._index = index
        self.fault: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        """Return the index's attribute, after `fault` if one is set."""
        if self.fault is not None:
            self.fault()
        return getattr(self._index, name)


def refuse() -> None:
    """Act as an index that reports at once that it is unavailable."""
    raise Retryable("the index is away")


def hang() -> None:
    """Act as an index that does not answer before the request's time limit."""
    while seconds_left() is not None:
        time.sleep(0.05)


def outages(browser: Browser, folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds from the index's failure to the notice on the page."""
    rng = random.Random(11)  # noqa: S311 - no secret
    took: dict[str, list[float]] = defaultdict(list)
    with _in_this_process(folder) as (url, index), new_page(browser, f"{url}/{DAY}", WATCH_NOTICE) as page:
        for name, fault in {"the index refuses": refuse, "the index does not answer": hang}.items():
            for _ in range(rounds):
                page.wait_for_timeout(1000 + 1000 * rng.random())
                began_ms = time.time() * 1000
                index.fault = fault
                took[name].append(_when(page, "window.noticeAt") - began_ms)
                index.fault = None
                page.locator("#notice").wait_for(state="hidden")
    return took


@contextmanager
def _in_this_process(folder: Path) -> Iterator[tuple[str, SwitchedIndex]]:
    settings = load_settings(None, data_dir=folder)
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_frame_log(settings.log_url)) as log,
        closing(open_ledger(settings.ledger_url)) as ledger,
        closing(open_count_index(settings.index_url)) as real,
        closing(open_video_catalogue(settings.catalogue_url)) as catalogue,
    ):
        index: Any = SwitchedIndex(real)
        app = create_app(
            settings=settings, store=store, index=index, ledger=ledger, log=log, catalogue=catalogue
        )
        server = DashboardServer(app, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield server.url, index
        finally:
            server.stop()
            thread.join()


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


def print_slow_phone(url: str, loads: int, chromium: str) -> None:
    """Measure the page at `url` on a slow phone, and print median and worst of `loads`."""
    with sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=chromium)
        print(f"Slow phone, Chromium {browser.version}, {loads} loads, load average {os.getloadavg()[0]:.1f}")
        measured = [on_slow_phone(browser, url) for _ in range(loads)]
        for name in measured[0]:
            values = [load[name] for load in measured]
            print(name, f"median {statistics.median(values):.4g}", f"worst {max(values):.4g}", sep=" | ")
        browser.close()


def main() -> None:
    """Measure, save."""
    chosen = options(__doc__, folder=ROOT / ".benchmark-dashboard", days=365, loads=15, phone=str)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("needs a Chromium: none on PATH, and CHROMIUM names none")
    if chosen.phone:
        print_slow_phone(chosen.phone, chosen.loads, chromium)
        return
    folder: Path = chosen.folder.resolve()
    loaded, minutes, _ = load(folder, chosen.days)
    env = {"FRAMETALLY_WEB_QUERY_TIMEOUT_S": "30"}
    with serving(folder, env=env) as (_, port), sync_playwright() as runner:
        browser = runner.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        version = browser.version
        url = f"http://127.0.0.1:{port}"
        paints(browser, url, "", 1)  # warms up the server
        painted = {name: paints(browser, url, query, chosen.loads) for name, query in VIEWS.items()}
        took = interactions(browser, url, max(chosen.loads // 3, 2), minutes[0].start_ms)
        clicked = pictures(browser, url, minutes[-chosen.loads :])
        away = outages(browser, folder, max(chosen.loads // 3, 2))
        browser.close()
    of_proof = {
        "click on a bar of an hour's 60, picture of its first frame": clicked,
        **{f"{name}, the page says so": values for name, values in away.items()},
    }
    tables = [
        Table(
            title,
            [*columns, "median (ms)", "worst (ms)"],
            [
                [name, len(values), round(statistics.median(values)), round(max(values))]
                for name, values in rows.items()
            ],
            note,
        )
        for title, columns, rows, note in (
            (
                *("Largest contentful paint", ["view", "loads"], painted),
                f"Chromium {version}, 1280x900, nothing cached; {loaded.detections:,} detections indexed.",
            ),
            (
                *("Interactions", ["interaction", "times"], took),
                "From the key or the click to the next picture on the screen; the browser counts in 8 ms.",
            ),
            (
                "From a bar to its first frame, and from an outage to the notice",
                *(["from, to", "times"], of_proof),
                "A picture of 854x480 that is in no cache; an outage at any moment between two looks.",
            ),
        )
    ]
    for table in tables:
        print(table.title, *table.rows, sep="\n")
    slowest = [statistics.median(values) for values in painted.values()]
    every = [one for values in took.values() for one in values]
    save(
        name="dashboard_page",
        title="The dashboard's page",
        about="What a viewer waits for in a browser: the largest paint, the reaction to keys and clicks, the "
        "first frame behind a bar, and the word that the index is away.",
        packages=["flask", "uvicorn", "playwright"],
        tables=tables,
        goals=[
            Goal("largest paint, median of the slowest view (ms)", max(slowest), at_most=1500),
            Goal("interactions, of 98 % at most (ms)", statistics.quantiles(every, n=50)[-1], at_most=100),
            Goal("click on a bar to its first frame, worst (ms)", max(clicked), at_most=1000),
            Goal("outage of the index to the notice, worst (ms)", max(map(max, away.values())), at_most=3000),
        ],
    )


if __name__ == "__main__":
    main()
