"""A client of uploads for `upload_kills.py`: the page of videos, in Chromium.

    python benchmarks/upload_by_page.py VIDEO URL

It chooses the file and begins; what comes then the page does by itself.
"""

from __future__ import annotations

import os
import shutil
import sys

from playwright.sync_api import expect, sync_playwright

_PATIENCE_MS = 3_600_000


def main() -> None:
    """Upload the file to the dashboard at the URL, and say `done`."""
    video, url = sys.argv[1:]
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("needs a Chromium: none on PATH, and CHROMIUM names none")
    with sync_playwright() as runner:
        browser = runner.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.goto(f"{url}/videos")
        page.locator("#upload-open").click()
        page.locator("#upload input[type=file]").set_input_files(video)
        page.locator("#upload-start").click()
        expect(page.locator(".upload-row")).to_have_attribute("data-state", "done", timeout=_PATIENCE_MS)
        browser.close()
    print("done")


if __name__ == "__main__":
    main()
