"""How the commands and the page grow with the number of sources: thousands of cameras of one picture each.

    python benchmarks/many_sources.py [--few 1250] [--many 5000] [--loads 3]

Every source is a folder of one small picture, so that what is measured is what a source costs. The pixel
detector of the tests counts. CPU time is compared, start-up included: with four times the sources it may be
four to the power of 1.1 as much. The page is loaded in a browser window of its own, with nothing cached,
until it is drawn and its numbers are there.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from aggregation_rounds import Measured
from dashboard import serving
from playwright.sync_api import sync_playwright
from results import Cell, Goal, Table, save

READY = "#dashboard[data-state=ready][aria-busy=false]"
PATIENCE_MS = 120_000
COMMANDS: dict[str, list[str]] = {
    "produce": ["produce", "--time-pattern", "cam_%Y%m%d_%H%M%S", "--timezone", "UTC"],
    "consume": ["consume", "--until-caught-up"],
    "aggregate": ["aggregate"],
    "index": ["index"],
    "status, the first": ["status"],
    "status": ["status"],
    "export": ["export"],
    "forget a source": ["forget", "--source", "camera-0", "--yes"],
    "aggregate after it": ["aggregate"],
}


def main() -> None:
    """Measure, and write benchmarks/results/many_sources.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--few", type=int, default=1250)
    parser.add_argument("--many", type=int, default=5000)
    parser.add_argument("--loads", type=int, default=3)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        start, few, many = (measure(Path(folder), n) for n in (1, options.few, options.many))
        page_s = {n: ready_s(Path(folder), n, options.loads) for n in (1, options.many)}
    growth = {
        name: math.log(many[name].cpu_s / few[name].cpu_s, options.many / options.few) for name in COMMANDS
    }
    rows: list[list[Cell]] = [
        [name, *(round(of[name].cpu_s, 2) for of in (start, few, many)), round(growth[name], 2)]
        for name in COMMANDS
    ]
    save(
        name="many_sources",
        title="Thousands of sources",
        about="Sources of one picture each through stages, books and page, on the embedded parts. "
        "With four times the sources the CPU time is four to the exponent as much; start-up is in it.",
        load_before=load,
        packages=["mrjob", "sqlalchemy"],
        tables=[
            Table(
                title="CPU seconds by the number of sources",
                columns=["command", "1", f"{options.few:,}", f"{options.many:,}", "exponent"],
                rows=rows,
            ),
            Table(
                title="The page, from the address to its numbers",
                columns=["sources", "seconds, the median"],
                rows=[[n, round(seconds, 2)] for n, seconds in page_s.items()],
            ),
        ],
        goals=[
            *(
                Goal(what=f"exponent of {name}", measured=round(growth[name], 2), at_most=1.1)
                for name in COMMANDS
            ),
            Goal(
                what=f"seconds until the page over {options.many:,} sources is ready",
                measured=round(page_s[options.many], 2),
                at_most=2.0,
            ),
        ],
    )


def measure(folder: Path, sources: int) -> dict[str, Measured]:
    """Go through all commands once over a number of sources."""
    pictures, data = folder / f"pictures-{sources}", folder / f"data-{sources}"
    for number in range(sources):
        (pictures / f"camera-{number}").mkdir(parents=True)
        level = number * 7 % 256
        picture = np.full((48, 64, 3), (level, 255 - level, 128), np.uint8)
        name = f"cam_20260401_{8 + number % 8:02d}{number % 60:02d}00.jpg"
        cv2.imwrite(str(pictures / f"camera-{number}" / name), picture)
    os.environ |= {"FRAMETALLY_DATA_DIR": str(data), "FRAMETALLY_DETECTOR": "pixels"}
    measured = {}
    for name, arguments in COMMANDS.items():
        given = [str(pictures / f"camera-{n}") for n in range(sources)] if name == "produce" else []
        measured[name] = Measured()
        measured[name].run([sys.executable, "-m", "frametally", *arguments, *given])
        print(sources, name, round(measured[name].cpu_s, 2))
    shutil.rmtree(pictures)
    return measured


def ready_s(folder: Path, sources: int, loads: int) -> float:
    """Return the median of the seconds until the page is ready."""
    data = folder / f"data-{sources}"
    taken = []
    with serving(data, {"FRAMETALLY_DETECTOR": "pixels"}) as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(loads):
            page = browser.new_page()
            began_s = time.monotonic()
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector(READY, timeout=PATIENCE_MS)
            taken.append(time.monotonic() - began_s)
            page.close()
        browser.close()
    return statistics.median(taken)


if __name__ == "__main__":
    main()
