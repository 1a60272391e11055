"""What a cold load of each of the dashboard's pages costs a slow phone.

    python benchmarks/dashboard_network.py FOLDER... [--loads 5] [--pages start videos] [--beside PYTHON]
        [--lighthouse COMMAND]

Each FOLDER is a data folder as `frametally serve --data-dir` takes it: that of `make demo`, or a year of
counts as `python benchmarks/dashboard.py --load-only` makes it. A load has a browser window of its own, the
size of a phone's, with nothing cached, behind 1.6 Mbit/s and 150 ms as Chromium itself throttles them, on a
CPU that Chromium slows down four times. The largest paint and the shifts of the layout are the browser's own;
"ready" is when nothing more is awaited for what the page shows. A machine that is busy with something else
makes all of them later: the load before is in the result. `--beside` is the Python of another version's
environment: its pages are loaded in turns with this one's. `--lighthouse` is a command of Lighthouse, which
has its own (mobile) profile and looks at the start page of this version alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import urllib3
from dashboard import serving
from playwright.sync_api import sync_playwright
from results import Goal, Table, save

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LIMIT = {"FRAMETALLY_WEB_QUERY_TIMEOUT_S": "30"}
READY = ":is(main, #embed):not([data-state=loading]):not([aria-busy=true])"
PAGES = {
    "start": "",
    "videos": "videos",
    "a video": "videos?v=VIDEO",
    "jobs": "jobs",
    "lines": "lines",
    "editor": "lines/edit",
    "traffic": "traffic",
    "live": "live",
    "alerts": "alerts",
    "accuracy": "accuracy",
    "books": "books",
    "footage": "footage",
    "dead letters": "dead-letters",
    "history": "history",
    "data": "data",
    "embed": "embed",
    "audit": "audit",
}
CPU_SLOWER = 4
LATENCY_MS, DOWN_BYTES_S, UP_BYTES_S = 150, 1_600_000 // 8, 750_000 // 8
WIDTH_PX, HEIGHT_PX = 390, 844
WATCH = """
  window.paints = [];
  window.shift = 0;
  new PerformanceObserver((list) => window.paints.push(...list.getEntries().map((one) => one.startTime)))
    .observe({type: "largest-contentful-paint", buffered: true});
  // Nobody touches the page here: what the browser takes for a viewer's doing is the emulated screen's.
  new PerformanceObserver((list) => list.getEntries().forEach((one) => (window.shift += one.value)))
    .observe({type: "layout-shift", buffered: true});
"""


class Load(NamedTuple):
    """A cold load: seconds from its start; kilobytes and addresses until 1.5 s after it is ready."""

    paint_s: float
    ready_s: float
    shift: float
    kilobytes: float
    requests: int


def load_cold(browser: Browser, url: str) -> Load:
    """Load the page once, with nothing cached, over the slow network."""
    context = browser.new_context(
        viewport={"width": WIDTH_PX, "height": HEIGHT_PX},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
    )
    page = context.new_page()
    page.add_init_script(WATCH)
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY_MS,
            "downloadThroughput": DOWN_BYTES_S,
            "uploadThroughput": UP_BYTES_S,
        },
    )
    network.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWER})
    received: dict[str, float] = {}  # by request: so far, and in the end with its headers
    addresses_by_id: dict[str, str] = {}
    cached: set[str] = set()

    def begin(event: dict[str, Any]) -> None:
        received.setdefault(event["requestId"], 0)
        addresses_by_id[event["requestId"]] = event["request"]["url"]

    def note(event: dict[str, Any]) -> None:
        received[event["requestId"]] = received.get(event["requestId"], 0) + event["encodedDataLength"]

    def finish(event: dict[str, Any]) -> None:
        received[event["requestId"]] = event["encodedDataLength"]

    network.on("Network.requestWillBeSent", begin)
    network.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    network.on("Network.dataReceived", note)
    network.on("Network.loadingFinished", finish)
    page.goto(url, wait_until="commit")
    page.locator(READY).first.wait_for(timeout=120_000)
    ready_ms = page.evaluate("performance.now()")
    page.wait_for_timeout(1500)  # what comes after it may still shift the layout
    load = Load(
        paint_s=page.evaluate("Math.max(...window.paints)") / 1000,
        ready_s=ready_ms / 1000,
        shift=page.evaluate("window.shift"),
        kilobytes=sum(received.values()) / 1000,
        requests=len(
            {
                address
                for number in received.keys() - cached
                if not (address := addresses_by_id.get(number, "")).startswith("data:")
            }
        ),
    )
    context.close()
    return load


def addresses(port: int, names: Sequence[str]) -> dict[str, str]:
    """Where these pages are; that of a video only where there is one."""
    url = f"http://127.0.0.1:{port}"
    videos = json.loads(urllib3.request("GET", f"{url}/api/v1/videos?limit=1").data)["videos"]
    ids = [video["id"] for video in videos]
    return {
        name: f"{url}/{PAGES[name].replace('VIDEO', ids[0] if ids else '')}"
        for name in names
        if ids or "VIDEO" not in PAGES[name]
    }


def score(command: str, url: str, chromium: str) -> int:
    """Lighthouse's score for performance on a phone, 0 to 100."""
    answer = subprocess.run(
        [
            *command.split(),
            url,
            "--quiet",
            "--output=json",
            "--only-categories=performance",
            "--chrome-flags=--headless --no-sandbox --disable-gpu",
        ],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"CHROME_PATH": chromium},
    )
    return round(100 * float(json.loads(answer.stdout)["categories"]["performance"]["score"]))


def measure(chromium: str, sites: dict[str, str], loads: int) -> dict[str, list[Load]]:
    """Load each site `loads` times, in turns."""
    found: dict[str, list[Load]] = {name: [] for name in sites}
    with sync_playwright() as runner:
        browser = runner.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        for url in sites.values():
            load_cold(browser, url)  # the server warms up
        for _ in range(loads):
            for name, url in sites.items():
                found[name].append(load_cold(browser, url))
        browser.close()
    return found


def median(loads: Sequence[Load]) -> Load:
    """The median of each figure."""
    return Load(*(statistics.median(values) for values in zip(*loads, strict=True)))


def main() -> None:
    """Measure, save."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("folders", type=Path, nargs="+")
    arguments.add_argument("--loads", type=int, default=5)
    arguments.add_argument("--pages", nargs="+", choices=[*PAGES], default=[*PAGES])
    arguments.add_argument("--beside", metavar="PYTHON")
    arguments.add_argument("--lighthouse", metavar="COMMAND")
    chosen = arguments.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("needs a Chromium: none on PATH, and CHROMIUM names none")
    load_before = os.getloadavg()[0]
    versions = {"": sys.executable} | ({", beside": chosen.beside} if chosen.beside else {})
    ours = [folder.name for folder in chosen.folders]
    scores: dict[str, int] = {}
    with ExitStack() as servers:
        ports = {
            f"{folder.name}{name}": servers.enter_context(serving(folder.resolve(), LIMIT, python=python))
            for folder in chosen.folders
            for name, python in versions.items()
        }
        sites = {
            f"{page}, {name}": url
            for name, port in ports.items()
            for page, url in addresses(port, chosen.pages).items()
        }
        found = {name: median(loads) for name, loads in measure(chromium, sites, chosen.loads).items()}
        if chosen.lighthouse:
            runs = [
                {f"start, {one}": score(chosen.lighthouse, sites[f"start, {one}"], chromium) for one in ours}
                for _ in range(chosen.loads)
            ]
            scores = {name: statistics.median_low([run[name] for run in runs]) for name in runs[0]}
    own = [one for name, one in found.items() if not name.endswith(", beside")]
    table = Table(
        title="A cold load over 1.6 Mbit/s and 150 ms, on a phone's screen and a CPU slowed down four times",
        columns=["page", "largest paint (s)", "ready (s)", "layout shift", "kB", "requests", "Lighthouse"],
        rows=[
            [
                name,
                round(one.paint_s, 2),
                round(one.ready_s, 2),
                round(one.shift, 3),
                round(one.kilobytes),
                round(one.requests),
                scores.get(name),
            ]
            for name, one in found.items()
        ],
        note=f"Medians of {chosen.loads} loads in turns; 'beside' is an earlier version over the same data.",
    )
    for row in table.rows:
        print(*row, sep=" | ")
    goals = [
        Goal(what="largest paint, slowest (s)", measured=max(one.paint_s for one in own), at_most=2.0),
        Goal(what="ready, slowest (s)", measured=max(one.ready_s for one in own), at_most=3.0),
        Goal(what="layout shift, most", measured=max(one.shift for one in own), at_most=0.05),
        Goal(what="bytes, most (kB)", measured=max(one.kilobytes for one in own), at_most=120),
        Goal(what="requests, most", measured=max(one.requests for one in own), at_most=16),
    ]
    if scores:
        least = min(scores.values())
        goals.append(Goal(what="Lighthouse, performance on a phone, least", measured=least, at_least=95))
    save(
        name="dashboard_network",
        load_before=load_before,
        title="The dashboard's pages on a slow phone",
        about="What a slow phone on a slow network waits for on each page, with nothing cached.",
        packages=["flask", "playwright"],
        tables=[table],
        goals=goals,
    )


if __name__ == "__main__":
    main()
