"""From a file that is dropped on the page to its counts in the chart: without commands or restarts."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.family.footage import FPS, SETTINGS, make_video
from tests.family.running import Running, of_group
from tests.videos.filmed_video import wait_until
from tests.web.browser import Page, Visits, expect

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_run

LENGTH_S = 20
START_TIME = "2026-03-01T10:00:00Z"
SOON = {"FRAMETALLY_BATCH_S": "0.5"}
COUNTING_SOON = [
    *(sys.executable, "-c"),
    """
import sys
from frametally_cli.main import main
from frametally.work.family_members import MemberOptions
MemberOptions.__new__.__defaults__ = tuple(MemberOptions(every="1s"))
sys.exit(main(["serve", *sys.argv[1:]]))
""",
]
"""`frametally serve`, counting every second instead of every five, because the browser waits for a round."""
PATIENCE_MS = 180_000  # the machine may be busy
LISTED = "#videos-page:is([data-state=ready], [data-state=empty]):not([aria-busy])"

DROP = """([name, bytes]) => {
  const dropped = new DataTransfer();
  dropped.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    const about = { bubbles: true, cancelable: true, dataTransfer: dropped };
    document.body.dispatchEvent(new DragEvent(kind, about));
  }
}"""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_video(tmp_path / "gate.mp4", frames=LENGTH_S * FPS)


@pytest.fixture
def run_rows(clip: Path, tmp_path: Path) -> Iterator[Callable[[], dict[str, list[int]]]]:
    """Return the counts of a concurrent `frametally run` for the same file: by label, by second."""
    folder = tmp_path / "run"
    folder.mkdir()
    command = [sys.executable, "-m", "frametally", "run", str(clip), "--no-serve"]
    with subprocess.Popen(
        [*command, "--source", "Gate", "--start-time", START_TIME],
        cwd=folder,
        env=os.environ | SETTINGS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        yield lambda: _rows(folder, running)


def _rows(folder: Path, running: subprocess.Popen[str]) -> dict[str, list[int]]:
    said, _ = running.communicate()
    assert running.returncode == 0, said
    with closing(open_object_store(f"file://{folder}/frametally-data/store")) as store:
        counts = [count for run in current_runs(store) for count in read_run(store, run)[0]]
    rows: dict[str, list[int]] = {}
    for count in sorted(counts, key=lambda one: one.interval_start_ms):
        rows.setdefault(count.label, []).append(count.detections)
    assert {label: len(values) for label, values in rows.items()} == {"white": LENGTH_S}
    return rows


def now_at(page: Page) -> float:
    seconds: float = page.evaluate("document.querySelector('.player video').currentTime")
    return seconds


def test_a_dropped_video_plays_and_shows_the_counts_of_run_in_the_chart(
    clip: Path,
    run_rows: Callable[[], dict[str, list[int]]],
    visit: Visits,
    picture: Callable[[Page, str], None],
    tmp_path: Path,
) -> None:
    with Running(tmp_path, "serve", settings=SETTINGS | SOON, program=COUNTING_SOON) as dashboard:
        window = visit(None, url=dashboard.url)
        page = window.open("videos", wait_for=LISTED)
        page.evaluate(DROP, [clip.name, base64.b64encode(clip.read_bytes()).decode()])
        row = page.locator(".upload-row")
        expect(row).to_contain_text("gate.mp4")
        row.get_by_label("Source").fill("Gate")
        row.get_by_label("Filmed from").fill("2026-03-01T10:00:00")
        row.get_by_label("Time zone").fill("UTC")
        seen = page.evaluate_handle(
            """() => {
              const seen = [];
              new MutationObserver(() => {
                const bar = document.querySelector(".upload-row progress:not([hidden])");
                if (bar?.hasAttribute("value")) seen.push(Number(bar.value));
              }).observe(document.body, { attributes: true, childList: true, subtree: true });
              return seen;
            }"""
        )
        page.locator("#upload-start").click()
        expect(row).to_have_attribute("data-state", "done", timeout=PATIENCE_MS)
        assert len(seen.json_value()) > 0

        card = page.locator(".video-card")
        expect(card).to_have_count(1)
        expect(card).to_have_attribute("data-state", "ready", timeout=PATIENCE_MS)
        expect(card.locator("img")).to_be_visible(timeout=PATIENCE_MS)
        wait_until(page, lambda: page.evaluate("document.querySelector('.video-card img').naturalWidth") > 0)
        card.locator(".video-link").click()

        player = page.locator(".player")
        expect(player.locator(".seek-bars rect").first).to_be_attached()
        player.locator("video").click()
        expect(player).to_have_attribute("data-playing", "true")
        wait_until(page, lambda: now_at(page) > 0.5)
        player.locator("video").click()
        expect(player).to_have_attribute("data-playing", "false")
        seek = page.locator(".seek")
        box = seek.bounding_box()
        assert box is not None
        seek.click(position={"x": box["width"] * 0.75, "y": box["height"] / 2})
        wait_until(page, lambda: abs(now_at(page) - LENGTH_S * 0.75) < 0.5)
        wait_until(page, lambda: not page.evaluate("document.querySelector('.player video').seeking"))
        picture(page, "dropped-and-counted")
        page.keyboard.press("Home")
        wait_until(page, lambda: now_at(page) < 0.1)

        window.open("?source=gate&metric=detections&interval=1")
        assert window.chart_values() == run_rows()
        assert dashboard.ends_by(signal.SIGTERM) == 0
        assert of_group(dashboard.process.pid) == {}
