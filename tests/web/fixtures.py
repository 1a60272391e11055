"""The dashboard's fixtures for tests of every folder: each imports its dependencies when it is used."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from playwright.sync_api import Browser, Page
    from tests.web.conftest import Place, Visit

SIMPLE_FRONTEND = Path(__file__).resolve().parents[2] / "simple_frontend"
SCREENSHOTS = SIMPLE_FRONTEND.parent / "build" / "screenshots"
# The shell has the same engine and no windows of its own, which take half of a test's CPU.
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
# Each window of a whole browser loads two pages for its address bar's suggestions, which no test sees:
# half of a test's CPU. The switch replaces Playwright's own, so it repeats those names.
_FEATURES_OFF = [
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"),
    *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints"),
    *("NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"),
]
_CHROMIUM_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-features=" + ",".join(_FEATURES_OFF),
    # The shell does not know how fast the network is; pictures below the window come as in a whole browser.
    # The others are Playwright's own.
    "--blink-settings=lazyLoadingImageMarginPxUnknown=1250,primaryHoverType=2,availableHoverTypes=2,"
    "primaryPointerType=4,availablePointerTypes=4",
]


def unavailable(reason: str) -> None:
    """Skips; fails with FRAMETALLY_REQUIRE_BROWSER=1."""
    if os.environ.get("FRAMETALLY_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def make_place(not_made: str) -> Callable[[Path], Place]:
    """Makes a place in a folder, for tests that share one."""
    from tests.web.conftest import Place

    return Place


@pytest.fixture
def place(
    tmp_path: Path, make_place: Callable[[Path], Place], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """Nothing counted yet. Its dashboards wait for the books, however busy the machine is."""
    from frametally_web.books import reader

    monkeypatch.setattr(reader, "_FIRST_READING_S", 60.0)
    made = make_place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def people(place: Place) -> Place:
    """A place with an account for each role."""
    from tests.accounts.people import give_accounts

    give_accounts(place)
    return place


@pytest.fixture
def client(place: Place) -> FlaskClient:
    """Queries the dashboard of the place, without a server."""
    return place.app().test_client()


class _EndsAtOnce:
    """asyncio for uvicorn, which checks ten times a second whether to stop: `end` makes it check at once.

    Checking more often would cost as much CPU as the answers.
    """

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._sleeping: dict[asyncio.AbstractEventLoop, asyncio.Event] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, delay_s: float) -> None:
        if self._ending.is_set():
            await asyncio.sleep(delay_s / 20)
            return
        woken = self._sleeping.setdefault(asyncio.get_running_loop(), asyncio.Event())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), delay_s)

    def end(self) -> None:
        self._ending.set()
        for loop, woken in [*self._sleeping.items()]:
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(woken.set)


@pytest.fixture
def serving(not_made: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Flask], str]]:
    """Serves an app on a free port; gives its URL."""
    from frametally_web.serving import DashboardServer

    waiting = _EndsAtOnce()
    monkeypatch.setattr("uvicorn.server.asyncio", waiting)

    running: list[tuple[DashboardServer, threading.Thread]] = []

    def start(app: Flask) -> str:
        server = DashboardServer(app, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        return server.url

    yield start
    for server, _ in running:
        server.stop()
    waiting.end()
    for _, thread in running:
        thread.join(timeout=60)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which detects barriers for people with disabilities."""
    script = SIMPLE_FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        unavailable("needs axe-core: run `make lint-page` (or `npm ci` in simple_frontend)")
    return script.read_text(encoding="utf-8")


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Saves a screenshot of a state of the page, for people to inspect: only if no `-m` selects tests."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    are_kept = not request.config.option.markexpr

    def take(page: Page, name: str) -> None:
        page.evaluate("scrollTo(0, 0)")
        if not are_kept:
            return
        page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled", full_page=True)

    return take


@pytest.fixture(scope="session")
def not_made() -> str:
    """The reason why the page could not be built from its current sources; empty on success."""
    made = subprocess.run(
        [sys.executable, SIMPLE_FRONTEND / "fetch_assets.py"], capture_output=True, text=True, check=False
    )
    return made.stderr.strip()


@pytest.fixture(scope="session")
def browser(not_made: str) -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, a tool for tests")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        unavailable("needs a Chromium: none on PATH, and CHROMIUM names none")
    if not_made:
        unavailable(not_made)
    playwright.expect.set_options(timeout=20_000)  # the machine may be busy
    with playwright.sync_playwright() as runner:
        running = runner.chromium.launch(executable_path=path, args=_CHROMIUM_FLAGS)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser, serving: Callable[[Flask], str]) -> Iterator[Callable[..., Visit]]:
    """Opens a window on a place; at the end its console must be empty, with no requests to other hosts."""
    from tests.web.conftest import Visit

    visits: list[Visit] = []

    def make(place: Place | None, *, url: str | None = None, **context: Any) -> Visit:
        visits.append(Visit(browser, url or serving(place.app()), **context))
        return visits[-1]

    yield make
    for one in visits:
        if not one.page.is_closed():
            one.page.unroute_all(behavior="ignoreErrors")  # else an answer that comes now fails the next test
        one.context.close()
        assert one.complaints == []
        assert one.hosts <= {one.url}
