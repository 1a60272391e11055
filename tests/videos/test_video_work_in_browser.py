"""The results of workers on a video's page: description, checks, enhancements, playback.

A real server and its workers give all answers; nothing is made up.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.family.footage import FPS, SETTINGS, make_video
from tests.family.running import Running
from tests.kit.clips import write_clip
from tests.videos.filmed_video import wait_until, wait_until_loaded
from tests.videos.test_drop_to_chart_in_browser import DROP, LISTED
from tests.web.browser import Page, Visits, expect

LENGTH_S = 8
PATIENCE_MS = 180_000  # the machine may be busy
OPEN = "#video .video-view"
MEAN_LIGHT = """() => {
  const video = document.querySelector(".player video");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 48];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(video, 0, 0, canvas.width, canvas.height);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, at) => (at % 4 === 3 ? sum : sum + value), 0) / (data.length * 0.75);
}"""


def make_covered_video(path: Path, *, covered_s: tuple[int, int]) -> Path:
    """22 s of a bright patch that crosses grey, and black for as long as the lens is covered."""

    def pictures() -> Iterator[Any]:
        for n in range(22 * FPS):
            image = np.full((240, 320, 3), 128, np.uint8)
            image[40:80, 2 * n : 2 * n + 40] = 255
            if covered_s[0] * FPS <= n < covered_s[1] * FPS:
                image[:] = 0
            yield image

    return write_clip(path, pictures(), fps=FPS)


pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "gate.mp4", frames=LENGTH_S * FPS)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("work"), "serve", settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def video_id(dashboard: Running, clip: Path) -> str:
    """A counted video."""
    made: str = dashboard.upload(clip, source="Gate", start_time="2026-03-01T10:00:00Z")["id"]
    dashboard.comes_to(made, "ready")
    return made


def open_tab(page: Page, name: str) -> Any:
    page.get_by_role("tab", name=name).click()
    return page.get_by_role("tabpanel")


def test_the_file_is_described_in_full_and_the_description_can_be_downloaded(
    dashboard: Running, video_id: str, visit: Visits
) -> None:
    window = visit(None, url=dashboard.url)
    page = window.open(f"videos?v={video_id}", wait_for=OPEN)
    about = open_tab(page, "About")
    table = about.locator(".fact-table").first
    expect(table).to_contain_text("h264", timeout=PATIENCE_MS)
    frames = table.locator("tr", has_text="Frames counted").locator("td")
    expect(frames).to_have_text(str(LENGTH_S * FPS))
    expect(about).to_contain_text("Contains the filming location" + "no")
    with page.expect_download() as taken:
        about.get_by_role("link", name="Download the metadata (JSON)").click()
    told = json.loads(taken.value.path().read_text())
    assert (told["video_id"], told["pictures"][0]["frames_counted"]) == (video_id, LENGTH_S * FPS)
    expect(page).to_have_url(f"{window.url}/videos?v={video_id}&tab=about")


def test_checks_are_shown_with_their_measurements_and_link_to_the_place(
    dashboard: Running, visit: Visits, tmp_path: Path
) -> None:
    covered = make_covered_video(tmp_path / "covered.mp4", covered_s=(3, 14))
    video_id = dashboard.upload(covered, source="Gate", start_time="2026-03-03T10:00:00Z")["id"]
    page = visit(None, url=dashboard.url).open(f"videos?v={video_id}", wait_for=OPEN)
    quality = open_tab(page, "Quality")
    checks = quality.locator(".check-result")
    expect(checks.first).to_be_visible(timeout=PATIENCE_MS)
    told = dashboard.ask(f"/api/v1/videos/{video_id}/quality")["checks"]
    expect(checks).to_have_count(len(told))
    for one in told:
        shown = quality.locator(f"[data-check={one['name']}]")
        expect(shown).to_have_attribute("data-passed", str(one["passed"]).lower())
        expect(shown).to_contain_text(one["sentence"])
    black = quality.locator("[data-check=black]")
    expect(black).to_have_attribute("data-passed", "false")
    expect(black).to_contain_text("measured 50%, limit 5%")
    page.locator(".seek").focus()
    page.keyboard.press("End")
    black.get_by_role("button", name=re.compile(r"^0:03 .*: Black$")).click()
    player = "document.querySelector('.player video').currentTime"
    wait_until(page, lambda: abs(page.evaluate(player) - 3) < 1.5 / FPS)


def test_an_enhancement_can_be_previewed_made_played_downloaded_and_removed(
    dashboard: Running, video_id: str, visit: Visits
) -> None:
    page = visit(None, url=dashboard.url).open(f"videos?v={video_id}&tab=enhance", wait_for=OPEN)
    panel = page.get_by_role("tabpanel")
    make = panel.get_by_role("button", name="Create version")
    expect(make).to_be_disabled()  # there is nothing to make of an unchanged video
    split = page.locator(".split")
    expect(split).to_have_attribute("data-state", "ready", timeout=PATIENCE_MS)
    as_it_is = page.locator(".split-after").get_attribute("src")
    panel.get_by_label("Brightness", exact=True).fill("0.3")
    expect(panel.get_by_label("Brightness, -1 to 1")).to_have_value("0.3")
    wait_until(page, lambda: page.locator(".split-after").get_attribute("src") != as_it_is)
    expect(split).to_have_attribute("data-state", "ready")
    wait_until_loaded(page)
    before = page.evaluate(MEAN_LIGHT)
    make.click()
    made = panel.locator(".made")
    expect(made).to_have_count(1, timeout=PATIENCE_MS)
    expect(made).to_contain_text("Enhanced: brightness 0.3")
    made.get_by_role("button", name="Play").click()
    stage = page.locator(".player .video-stage")
    expect(stage).not_to_have_attribute("data-version", "original")
    wait_until_loaded(page)
    wait_until(page, lambda: abs(page.evaluate(MEAN_LIGHT) - before - 0.3 * 255) < 12)
    page.get_by_label("Version", exact=True).select_option("original")
    wait_until(page, lambda: abs(page.evaluate(MEAN_LIGHT) - before) < 3)
    with page.expect_download() as taken:
        made.get_by_role("link", name="Download").click()
    assert b"ftyp" in taken.value.path().read_bytes()[:16]
    # A repeated request makes nothing new.
    make.click()
    expect(page.locator("#spoken")).to_have_text("You already have this version; it is listed below.")
    made.get_by_role("button", name="Delete").click()
    expect(made).to_have_count(0)
    assert dashboard.ask(f"/api/v1/videos/{video_id}/derivatives")["derivatives"] == []


def test_two_browsers_get_news_only_of_their_own_videos_and_of_all_of_them_after_a_disconnection(
    dashboard: Running, visit: Visits, tmp_path: Path
) -> None:
    told: list[list[dict[str, Any]]] = [[], []]
    ids: list[str] = []
    pages = []
    for number in (0, 1):
        window = visit(None, url=dashboard.url)
        mine = told[number]

        def listen(socket: Any, mine: list[dict[str, Any]] = mine) -> None:
            socket.on("framereceived", lambda frame: mine.append(json.loads(frame)))

        window.page.on("websocket", listen)
        page = window.open("videos", wait_for=LISTED)
        clip = make_video(tmp_path / f"clip-{number}.mp4", frames=(LENGTH_S + number + 1) * FPS)
        page.evaluate(DROP, [clip.name, base64.b64encode(clip.read_bytes()).decode()])
        row = page.locator(".upload-row")
        row.get_by_label("Filmed from").fill("2026-03-02T10:00:00")
        page.locator("#upload-start").click()
        expect(row).to_have_attribute("data-state", "done", timeout=PATIENCE_MS)
        pages.append(page)
    for number, page in enumerate(pages):
        card = page.locator(".video-card", has_text=f"clip-{number}")
        expect(card).to_have_attribute("data-state", "ready", timeout=PATIENCE_MS)
        ids.append(card.get_attribute("data-id") or "")
    for number, page in enumerate(pages):
        mine = told[number]
        wait_until(page, lambda mine=mine: "job" in [one["type"] for one in mine])  # type: ignore[misc]
        named = {one["video_id"] for one in mine if "video_id" in one}
        named |= {video["video_id"] for one in mine if one["type"] == "hello" for video in one["videos"]}
        assert named == {ids[number]}
    # Disconnected and reconnected: it gets all news of its videos.
    first = pages[0]
    told[0].clear()
    first.reload()
    wait_until(first, lambda: any(one["type"] == "hello" for one in told[0]))
    (hello,) = [one for one in told[0] if one["type"] == "hello"]
    assert [video["video_id"] for video in hello["videos"]] == [ids[0]]
