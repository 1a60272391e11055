"""The server is killed repeatedly while the page uploads a video: the page resumes by itself."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.examples import THOROUGH
from tests.videos.killed_server import KilledServer, sha256_of, write_film
from tests.videos.video_records import SIGN
from tests.web.browser import Visits, expect

from frametally.ports.object_store import PIECE_BYTES

if TYPE_CHECKING:
    from playwright.sync_api import Request

pytestmark = pytest.mark.thorough

SIZE_BYTES = int(os.environ.get("FRAMETALLY_TEST_UPLOAD_MB", "50" if THOROUGH else "20")) * 1_000_000
KILLS = 3 if THOROUGH else 2
BYTES_PER_S = 16_000_000
"""The page's upload rate: slow enough for a kill in the middle."""
PATIENCE_MS = 300_000  # the machine may be busy
LISTED = "#videos-page:is([data-state=ready], [data-state=empty]):not([aria-busy])"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KilledServer]:
    made = KilledServer(tmp_path / "data")
    yield made
    made.kill()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [16])
def test_the_page_resumes_by_itself_however_often_the_server_is_killed(
    tmp_path: Path, server: KilledServer, visit: Visits, seed: int
) -> None:
    film = write_film(tmp_path / "gate.mp4", SIZE_BYTES, SIGN)
    chosen = random.Random(seed)  # noqa: S311 - no secret
    server.start()
    window = visit(None, url=server.url)
    page = window.open("videos", wait_for=LISTED)
    begun: list[str] = []
    offsets: list[int] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/uploads"):
            begun.append(request.url)
        elif request.method == "PATCH":
            offsets.append(int(request.headers["upload-offset"]))

    page.on("request", note)
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": BYTES_PER_S},
    )
    page.locator("#upload-open").click()
    page.locator("#upload input[type=file]").set_input_files(film)
    page.locator("#upload-start").click()  # the last click
    cuts: list[int] = []
    for number in range(KILLS):
        server.wait_for_bytes(round(SIZE_BYTES * 0.85 * (number + chosen.random()) / KILLS))
        time.sleep(chosen.random() / 4)  # the stored part grows in steps, not always at the end of one
        server.kill()
        kept_bytes = server.kept_bytes()
        if 0 < kept_bytes < SIZE_BYTES:
            cuts.append(kept_bytes)
        server.start()
    row = page.locator(".upload-row")
    expect(row).to_have_attribute("data-state", "done", timeout=PATIENCE_MS)
    assert server.originals() == [sha256_of(film)]
    assert server.taken_in_bytes() <= SIZE_BYTES + KILLS * PIECE_BYTES
    assert begun == [f"{server.url}/api/v1/uploads"]
    assert cuts
    assert set(cuts) <= set(offsets)  # where it resumed after each kill
    window.complaints.clear()  # the browser's own message about a server that is unavailable
