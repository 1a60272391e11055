#!/usr/bin/env python3
"""Opens the dashboard in Chromium, and reloads it whenever one of its sources changes (`make page`).

    python simple_frontend/reload_page.py [DATA_DIR] [--headless]

Saving a script, a style sheet, a template or a Python module rebuilds the page, restarts the server and
reloads the current page. Ctrl-C, or closing the window, ends it. It needs Playwright (`make .venv/dev`) and a
Chromium, on PATH or named by CHROMIUM.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

HERE = Path(__file__).resolve().parent
SOURCES = tuple(HERE.parent.glob("*/frametally*/"))
KINDS = {".py", ".js", ".css", ".html", ".svg"}
LOOK_MS = 500


def newest_change() -> float:
    """Return when a source was last saved, in seconds since 1970."""
    files = (path for folder in SOURCES for path in folder.rglob("*") if path.suffix in KINDS)
    return max(path.stat().st_mtime for path in files if "built" not in path.parts)


@contextmanager
def serving(data_dir: str) -> Iterator[str]:
    """Build the page and serve it; yield its address. Raises `SystemExit` if that fails."""
    subprocess.run([sys.executable, HERE / "fetch_assets.py"], check=False)  # noqa: S603
    command = [sys.executable, "-m", "frametally", "serve", "--data-dir", data_dir, "--port", "0", "--alone"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        line = next((line for line in server.stdout or () if "http://" in line), None)
        if line is None:
            sys.exit("The dashboard did not start: see its output above.")
        try:
            yield "http://" + line.partition("http://")[2].split()[0]
        finally:
            server.terminate()


def main() -> None:
    """Serve, watch the sources, and start again after each change."""
    parser = argparse.ArgumentParser(description="Open the dashboard, and again whenever a source changes.")
    parser.add_argument("data_dir", nargs="?", default="demo-data", metavar="DATA_DIR")
    parser.add_argument("--headless", action="store_true", help="Show no window.")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, which also ends the server
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as runner:
        browser = runner.chromium.launch(executable_path=chromium, headless=chosen.headless)
        page = browser.new_page(no_viewport=True)
        place = "/"
        try:
            while True:
                last_change = newest_change()
                with serving(chosen.data_dir) as url:
                    page.goto(url + place)
                    print(f"{url}{place}: save a source, and the page reloads", flush=True)
                    while newest_change() == last_change:
                        page.wait_for_timeout(LOOK_MS)
                    place = page.url.removeprefix(url)
        except (KeyboardInterrupt, Error):
            return


if __name__ == "__main__":
    main()
