"""A video that the running server has: in a browser it plays with its boxes and counts, and is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.videos.filmed_video import (
    FPS,
    LENGTH_S,
    SIZE_PX,
    make_long_file,
    shown_frame,
    wait_for_frame,
    wait_until,
    wait_until_loaded,
)
from tests.videos.video_records import make_facts, make_video
from tests.web.conftest import START_MS

from frametally import keys
from frametally.media.manifests import list_manifests
from frametally.records import encode
from frametally_videos.ports.video_catalogue import VideoBooks
from frametally_videos.records import VideoRecord

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (a development dependency)")
expect = playwright.expect

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.web.conftest import Place, Visit

OPEN = "#video .video-view"
HOUR_MS = 3_600_000


class Stored:
    """A video with its bytes in the store, its boxes in segments, and its counts in the index."""

    def __init__(self, place: Place) -> None:
        self.place = place
        body = make_long_file()
        self.counts, _ = place.film({"car": 3, "person": 1}, source="gate", intervals=LENGTH_S, interval_s=1)
        (manifest,) = list_manifests(place.store)
        first_ms, last_ms = START_MS + 200, START_MS + LENGTH_S * 1000 - 800  # of a frame in each second
        manifest = msgspec.structs.replace(
            manifest, first_captured_at_ms=first_ms, last_captured_at_ms=last_ms
        )
        place.store.put(keys.media_key(manifest.sha256), encode(manifest))
        facts = make_facts(
            width_px=SIZE_PX[0],
            height_px=SIZE_PX[1],
            fps=float(FPS),
            duration_s=float(LENGTH_S),
            started_at_ms=first_ms,
        )
        record = make_video(
            sha256=manifest.sha256,
            size_bytes=len(body),
            name="Gate in the morning",
            source_name="Gate",
            facts=facts,
        )
        self.id = record.id
        place.store.put(keys.original_key(record.id), body)
        place.store.put(record.key, encode(record))
        info = place.store.head(record.key)
        assert info is not None
        place.catalogue.put_video(record, info.version)
        labels: dict[str, int] = {}
        for one in self.counts:
            labels[one.label] = labels.get(one.label, 0) + one.detections
        books = VideoBooks(LENGTH_S, LENGTH_S, LENGTH_S, 0, LENGTH_S, labels)
        place.catalogue.set_video(record.id, state="ready", range_ms=(first_ms, last_ms), books=books)

    def open(self, visit: Callable[..., Visit]) -> Page:
        return visit(self.place).open(f"videos?v={self.id}", wait_for=OPEN)

    def record(self) -> VideoRecord:
        row = self.place.catalogue.video(self.id)
        assert row is not None
        return row.record


@pytest.fixture
def stored(place: Place) -> Stored:
    return Stored(place)


def test_it_plays_and_seeks_by_ranges_with_its_own_boxes_and_counts(
    stored: Stored, visit: Callable[..., Visit]
) -> None:
    window = visit(stored.place)
    statuses: list[int] = []
    window.page.on("response", lambda one: statuses.append(one.status) if "/playable?v=" in one.url else None)
    page = window.open(f"videos?v={stored.id}", wait_for=OPEN)
    wait_until_loaded(page)
    assert len(statuses) > 1  # its index lies behind 6 MB of nothing
    assert set(statuses) == {206}
    bar = page.locator(".seek")
    expect(bar.locator("rect").first).to_be_attached()
    box = bar.bounding_box()
    assert box is not None
    for share in (0.75, 0.25):
        bar.click(position={"x": box["width"] * share, "y": 20})
        wait_for_frame(page, round(LENGTH_S * FPS * share), within=1)
    page.evaluate("document.querySelector('.player video').currentTime = 8.02")
    wait_for_frame(page, 8 * FPS)
    of_second = [one for one in stored.counts if one.interval_start_ms == START_MS + 8000]
    overlay = page.locator(".player .video-overlay")
    expect(overlay).to_have_attribute("data-position-s", "8")
    expect(overlay).to_have_attribute("data-exact", "true")
    expect(overlay.locator("rect.box")).to_have_count(sum(one.peak for one in of_second))
    drawn = bar.locator("rect").evaluate_all(
        "all => all.reduce((sum, one) => sum + Number(one.dataset.value), 0)"
    )
    assert drawn == sum(one.detections for one in stored.counts)
    page.keyboard.press("Space")
    wait_until(page, lambda: shown_frame(page) > 8 * FPS + 5)
    page.keyboard.press("Space")
    page.get_by_role("link", name="In the chart").click()
    page.locator("#dashboard[data-state=ready]").wait_for()
    assert sum(sum(filter(None, values)) for values in window.chart_values().values()) > 0


@pytest.mark.thorough
def test_it_is_renamed_moved_and_forgotten(stored: Stored, visit: Callable[..., Visit]) -> None:
    page = stored.open(visit)
    page.locator(".editing summary").click()
    page.get_by_label("Name", exact=True).fill("Gate at night")
    page.locator(".editing").get_by_label("First frame filmed").fill("2024-05-01T22:00:00.200")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".video-head h2")).to_have_text("Gate at night")
    expect(page.locator(".editing")).not_to_have_attribute("open", "")
    record = stored.record()
    assert (record.name, record.revision) == ("Gate at night", 1)
    assert record.fields.start_time == "2024-05-01T20:00:00.200Z"
    page.get_by_role("button", name="Forget this video…").click()
    page.get_by_role("button", name="Forget it").click()
    expect(page.locator(OPEN)).to_have_attribute("data-state", "deleting")
    waiting = [job.kind for job in stored.place.catalogue.jobs(stored.id) if job.state == "queued"]
    assert "removal" in waiting


def test_of_two_who_change_it_neither_loses_anything(stored: Stored, visit: Callable[..., Visit]) -> None:
    first, second = (stored.open(visit) for _ in range(2))
    for page in (first, second):
        page.locator(".editing summary").click()
    first.get_by_label("Name", exact=True).fill("Gate, by the first")
    first.get_by_role("button", name="Save").click()
    expect(first.locator(".video-head h2")).to_have_text("Gate, by the first")
    form = second.locator(".editing")
    source = form.get_by_label("Source", exact=True)
    source.fill("South Gate")
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".form-said")).to_contain_text("Somebody else has changed this video")
    expect(form.get_by_label("Name", exact=True)).to_have_value("Gate, by the first")
    expect(source).to_have_value("South Gate")
    form.get_by_role("button", name="Save").click()
    expect(form).not_to_have_attribute("open", "")
    record = stored.record()
    assert (record.name, record.source_name, record.revision) == ("Gate, by the first", "South Gate", 2)
