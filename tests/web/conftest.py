"""Footage made up for the dashboard's tests, in a real index and a store in memory; and a server for it."""

from __future__ import annotations

import atexit
import hashlib
import random
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from flask import Flask
from tests.fakes.memory import MemoryLog, MemoryStore
from tests.fakes.records import make_count, make_coverage, make_frame, make_manifest, make_run, make_segment
from tests.kit.away import Switched
from tests.kit.clips import jpeg_of
from tests.web.shared_map import SharedMap

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.errors import Retryable
from frametally.plugins import plugins
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.records import (
    Coverage,
    Detection,
    Evidence,
    FrameDetections,
    IntervalCount,
    TimeSource,
    encode,
)
from frametally.rules.counted_boxes import COUNTING_VERSION
from frametally.settings.loading import Settings
from frametally_accounts.book import AccessBook
from frametally_web.app import close_app, create_app, parts_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from frametally_live.book import LiveBook
    from frametally_live.cameras.camera_form import TryFeed
    from frametally_live.discovery.search import SearchCameras
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue
    from frametally_videos.uploads.receiving import Look

MODEL = "yolov4-tiny-opencv-fp32-1a2b3c4d"
START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z
FRAME_PX = (640, 480)
OF_PLUGINS = ("catalogue", "look", "feeds", "try_feed", "search_cameras")
"""The stores and books for plug-ins, by name."""
Flask.url_map_class = SharedMap
_CHART = "document.getElementById('chart').timeChart"
REST = "(&(timezone|metric|interval|model)=[^&]+)*$"
"""The end of an address whose query lacks a choice, with the resulting choice."""
_READY = "#dashboard[data-state=ready][aria-busy=false]"


Serving = Callable[[Flask], str]
"""The fixture `serving`: a function that serves a dashboard and returns its URL."""


@cache
def empty_databases() -> list[Path]:
    """Databases with their tables: a test that creates its own takes twice as long to start."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    open_count_index(f"sqlite:///{folder / 'index.sqlite'}").close()
    open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}").close()
    names = {plugin.name for plugin in plugins()}
    if "videos" in names:
        from frametally_videos.catalogue_by_url import open_video_catalogue

        open_video_catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}").close()
    if "live" in names:
        from frametally_live.book import LiveBook

        LiveBook(f"sqlite:///{folder / 'catalogue.sqlite'}").close()
    return [*folder.glob("*.sqlite")]


class Place:
    """A store and an index, and the dashboard over them; with the needs of the installed plug-ins."""

    catalogue: VideoCatalogue
    look: Look
    feeds: LiveBook
    try_feed: TryFeed
    search_cameras: SearchCameras

    def __init__(self, folder: Path) -> None:
        self.store: ObjectStore = MemoryStore()
        for database in empty_databases():
            if not (folder / database.name).exists():
                shutil.copy(database, folder)
        self.real_index = open_count_index(f"sqlite:///{folder / 'index.sqlite'}")
        self.index = Switched(self.real_index)
        # No test depends on the duration of a query, unless it sets the limit itself.
        self.settings = Settings(data_dir=folder, web_query_timeout_s=120).resolved()
        self.ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        self.log: FrameLog = MemoryLog()
        here = {plugin.name for plugin in plugins()}
        if "videos" in here:
            from frametally_videos.catalogue_by_url import open_video_catalogue
            from frametally_videos.library.video_looks import inspect

            self.catalogue = open_video_catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}")
            self.look = inspect
        if "live" in here:
            from frametally_live.book import LiveBook

            self.feeds = LiveBook(f"sqlite:///{folder / 'catalogue.sqlite'}")
            self.try_feed = lambda _: None
        self.access: AccessBook | None = None
        self.labels_to_count: list[str] = []
        """Of the next publication, as its runs record it; empty means all."""
        self._apps: list[Flask] = []
        self._sequence = 0
        self._offset = 0

    def app(
        self,
        *,
        max_streams: Any = 200,
        stream_s: Any = 300.0,
        status_s: Any = 5.0,
        **settings: object,
    ) -> Flask:
        chosen = self.settings.model_copy(update=settings)
        app = create_app(
            settings=chosen,
            store=self.store,
            index=self.index,
            ledger=self.ledger,
            log=self.log,
            access=self.access,
            **{name: getattr(self, name) for name in OF_PLUGINS if hasattr(self, name)},
        )
        parts = parts_of(app)
        parts.streams.most, parts.streams.longest_s = max_streams, stream_s
        parts.context.books.rest_s = status_s
        self._apps.append(app)
        return app

    def close(self) -> None:
        for app in self._apps:
            close_app(app)
        self.real_index.close()
        self.ledger.close()
        self.log.close()
        for name in ("catalogue", "feeds", "access"):
            if (book := getattr(self, name, None)) is not None:
                book.close()

    def go_away(self) -> None:
        self.index.error = Retryable("index.sqlite is locked: /secret/path")

    def come_back(self) -> None:
        self.index.error = None

    def publish(
        self, counts: list[IntervalCount], coverage: list[Coverage], *, interval_s: int, model: str
    ) -> None:
        """One run a day, as the counting job leaves them."""
        for day in sorted({keys.utc_day(one.interval_start_ms) for one in coverage}):
            self._sequence += 1
            of_day = [one for one in counts if keys.utc_day(one.interval_start_ms) == day]
            covered = [one for one in coverage if keys.utc_day(one.interval_start_ms) == day]
            boxes = {"min_confidence": 0.25, "min_box_side_px": 0.0, "labels": self.labels_to_count}
            run = make_run(
                self._sequence,
                model=model,
                interval_s=interval_s,
                day=day,
                frames=sum(one.frames for one in covered),
                settings={"counting_version": COUNTING_VERSION} | (boxes if self.labels_to_count else {}),
            )
            assert self.real_index.publish(run, of_day, covered)

    def film(
        self,
        rates: dict[str, float],
        *,
        source: str = "junction-east",
        name: str | None = None,
        start_ms: int = START_MS,
        intervals: int = 24,
        interval_s: int = 5,
        frames: int = 10,
        filmed: Callable[[int], bool] = lambda _: True,
        model: str = MODEL,
        time_source: TimeSource = "start_time",
        also: tuple[list[IntervalCount], list[Coverage]] = ([], []),
        seed: int = 1,
    ) -> tuple[list[IntervalCount], list[Coverage]]:
        """Make up footage of one source, publish it, and give its records back.

        `rates` has the mean boxes of a label in a frame, `filmed` which intervals have footage; `also` are
        records of other sources, which one run of a day has to hold too.
        """
        rng = random.Random(seed)  # noqa: S311
        medium = hashlib.sha256(f"{source}{start_ms}".encode()).hexdigest()
        counts, coverage, lines = [], [], {}
        for position in range(intervals):
            if not filmed(position):
                continue
            at_ms = start_ms + position * interval_s * 1000
            coverage.append(make_coverage(at_ms, frames, model=model, source=source, interval_s=interval_s))
            path = keys.image_key(source, at_ms + 200, medium, position)
            boxes: list[Detection] = []
            for label, rate in rates.items():
                wave = 0.6 + 0.5 * np.sin(position / max(intervals, 1) * 9 + len(label))
                peak = round(rate * wave * rng.uniform(0.6, 1.6))
                if not peak:
                    continue
                boxes += [_box(label, rng) for _ in range(peak)]
                counts.append(
                    make_count(
                        at_ms,
                        label,
                        peak + round((frames - 1) * peak * rng.uniform(0.3, 0.9)),
                        model=model,
                        source=source,
                        interval_s=interval_s,
                        frames=frames,
                        peak=peak,
                        evidence=[Evidence(image_path=path, captured_at_ms=at_ms + 200, count=peak)],
                    )
                )
            # Detected but not counted: below the threshold.
            boxes.append(Detection(label="car", confidence=0.2499, box=(5.0, 5.0, 20.0, 20.0)))
            lines[path] = make_frame(
                at_ms + 200,
                position,
                boxes,
                source=source,
                media=medium,
                size_px=FRAME_PX,
                time_source=time_source,
                model=model,
            )
        self.publish([*also[0], *counts], [*also[1], *coverage], interval_s=interval_s, model=model)
        self._put_frames(list(lines.values()), counts, model)
        manifest = make_manifest(
            1,
            media=medium,
            source=source,
            source_name=name or source,
            time_source=time_source,
            span_ms=(start_ms, start_ms + intervals * interval_s * 1000 - 1),
        )
        self.store.put(keys.media_key(medium), encode(manifest))
        return counts, coverage

    def _put_frames(self, lines: list[FrameDetections], counts: list[IntervalCount], model: str) -> None:
        first, self._offset = self._offset, self._offset + len(lines)
        self.store.put(
            keys.segment_key(model, "log", "frames", 0, first),
            make_segment(lines, [], first, model=model, log_id="log"),
        )
        plain = _jpeg([])
        drawn = {}
        for one in sorted(counts, key=lambda one: one.peak):
            drawn[one.label] = one.evidence[0].image_path
        for line in lines:
            picture = _jpeg(line.detections) if line.image_path in drawn.values() else plain
            self.store.put(line.image_path, picture)


def _box(label: str, rng: random.Random) -> Detection:
    size = {"person": (18, 44), "bicycle": (34, 30), "bus": (110, 80)}.get(label, (64, 40))
    scale = rng.uniform(0.6, 1.5)
    width, height = round(size[0] * scale, 1), round(size[1] * scale, 1)
    left = round(rng.uniform(0, FRAME_PX[0] - width), 1)
    top = round(rng.uniform(110, FRAME_PX[1] - height), 1)
    return Detection(
        label=label, confidence=round(rng.uniform(0.25, 0.99), 4), box=(left, top, width, height)
    )


def _jpeg(detections: list[Detection]) -> bytes:
    """A simple street: sky, road, and a block for each box."""
    width, height = FRAME_PX
    picture = np.full((height, width, 3), (92, 88, 86), np.uint8)
    picture[:110] = np.linspace((216, 190, 160), (200, 205, 205), 110)[:, None].astype(np.uint8)
    for x in range(40, width, 120):
        cv2.rectangle(picture, (x, 235), (x + 60, 241), (200, 210, 215), -1)
    for number, one in enumerate(detections):
        left, top, wide, high = (round(value) for value in one.box)
        tone = 60 + 37 * number % 150
        cv2.rectangle(picture, (left, top), (left + wide, top + high), (tone, 190 - tone, 120), -1)
    return jpeg_of(picture, quality=80)


class Visit:
    """One viewer's window, and its console messages."""

    def __init__(self, browser: Browser, url: str, **context: Any) -> None:
        chosen = {
            "viewport": {"width": 1280, "height": 900},
            "timezone_id": "Europe/Berlin",
            "locale": "en-GB",
            "reduced_motion": "reduce",  # a pulsing placeholder costs CPU
            **context,
        }
        self.context = browser.new_context(**chosen)
        self.context.set_default_timeout(60_000)  # the machine may be busy
        self.url = url
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page: Page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.hosts.add("/".join(request.url.split("/")[:3])))

    def _hear(self, message: Any) -> None:
        # A failed request of the API is one of the faults that tests inject; the page reports it itself.
        url = message.location.get("url", "")
        if "'TrustedScript'" in message.text and not url:  # from an expression that this test evaluates
            return
        if message.type in ("error", "warning") and "/api/" not in url and not url.endswith("/healthz"):
            self.complaints.append(f"{message.text} {message.location}")

    def open(self, query: str = "", wait_for: str = _READY) -> Page:
        self.page.goto(f"{self.url}/{query}")
        self.page.locator(wait_for).wait_for()
        return self.page

    def settled(self) -> None:
        self.page.locator(_READY).wait_for()

    def chart_values(self) -> dict[str, list[int | None]]:
        """The values in the chart, by label: one per interval with footage, None if unknown."""
        return self.page.evaluate(
            f"Object.fromEntries({_CHART}.drawn().map(({{name, values}}) => [name, values]))"
        )

    def chart_area(self) -> dict[str, float]:
        """The area of the chart's bars, in pixels from the canvas's corner: left, right, top, bottom."""
        self.page.wait_for_function(f"{_CHART}?.layout")  # a busy browser draws later
        return self.page.evaluate(f"{_CHART}.layout.area")

    def chart_spans(self) -> list[list[int]]:
        """The start and end of the chart's bars, in milliseconds."""
        return self.page.evaluate(f"{_CHART}.view.rows.map((row) => [row.start, row.end])")

    def chart_ticks(self) -> list[str]:
        """The texts below the time axis."""
        return self.page.evaluate(f"{_CHART}.layout.xTicks.map((tick) => tick.lines.join(' '))")

    def tooltip(self, position: float, of: int) -> str:
        """The text about a bar, or about a place without one, if all of `of` intervals have the
        same width."""
        area = self.chart_area()
        x = area["left"] + (area["right"] - area["left"]) * (position + 0.5) / of
        self.page.locator("#chart").hover(position={"x": x, "y": area["top"] + 60})
        return self.page.locator(".chart-tip").inner_text()

    def choose(self, noun: str, *names: str) -> None:
        """Tick "sources" or "labels" in their list, which applies them when it closes."""
        self.page.locator(f"#{noun}-chip").click()
        for name in names:
            self.page.locator(f"#{noun}-list [role=option]", has_text=name).click()
        self.page.keyboard.press("Escape")

    def choose_range(self, name: str) -> None:
        """Choose a range of time by its name."""
        self.page.locator("#range-chip").click()
        self.page.locator(".named").get_by_role("button", name=name).click()

    def choose_zone(self, name: str) -> None:
        """Type the name of a time zone; the list stays open if it does not exist."""
        if not self.page.locator("#range-panel:popover-open").count():
            self.page.locator("#range-chip").click()
        self.page.locator("#timezone").fill(name)
        self.page.locator("#timezone").press("Enter")

    def choose_more(self, field: str, value: str | None = None, *, label: str | None = None) -> None:
        """Choose a "metric", an "interval", what to "compare" with, or a "model"."""
        self.page.locator("#more-chip").click()
        self.page.locator(f"#{field}").select_option(value, label=label)
        self.page.keyboard.press("Escape")

    @property
    def headline(self) -> Any:
        """The sentence above the chart."""
        return self.page.locator("#headline")

    def fact(self, name: str) -> Any:
        """A fact below it: "source", "filmed", "frames", "peak", "week" or "absent"."""
        return self.page.locator(f"#facts [data-fact={name}]")

    def tile(self, name: str) -> Any:
        """The tab of a metric; the number of the chosen one is in the headline."""
        return self.page.locator(".measure", has=self.page.locator(f".tile-name:text-is('{name}')"))

    def click_bar(self, position: int, of: int) -> None:
        """Click on one of the bars, if all of `of` intervals have the same width."""
        area = self.chart_area()
        x = area["left"] + (area["right"] - area["left"]) * (position + 0.5) / of
        self.page.locator("#chart").click(position={"x": x, "y": area["top"] + 20})

    def drag(self, from_share: float, to_share: float) -> None:
        """Draw a range over the chart, in shares of its width."""
        area = self.chart_area()
        box = self.page.locator("#chart").bounding_box()
        width = area["right"] - area["left"]
        left, y = box["x"] + area["left"], box["y"] + area["top"] + 40
        self.page.mouse.move(left + width * from_share, y)
        self.page.mouse.down()
        self.page.mouse.move(left + width * (from_share + to_share) / 2, y, steps=3)
        self.page.mouse.move(left + width * to_share, y, steps=3)
        self.page.mouse.up()


@pytest.fixture(scope="session", autouse=True)
def page_bundles(not_made: str) -> None:
    """The page as built from its current sources, also for tests that start a server."""
