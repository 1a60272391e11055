"""The page over real footage from the whole pipeline, from the chart to a number with its proof."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.web.browser import Page, Visits, expect

pytestmark = pytest.mark.thorough


TRAFFIC_START = "2026-01-01T08:00:00Z"
SQUARE_START = "2026-01-01T08:00:20Z"


def frametally(folder: Path, *arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "frametally", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def count(folder: Path, clip: Path, source: str, start: str, fps: int) -> None:
    """From a clip to counts, as a user does it."""
    given = ("--source", source, "--start-time", start, "--sample-fps", fps, "--interval", 1, "--no-serve")
    frametally(folder, "run", clip, *given)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The dashboard as started by `frametally serve`; its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "frametally", "serve", "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in process.stdout:
            if found := re.search(r"http://\S+", line):
                yield found[0].rstrip("/")
                break
        else:
            pytest.fail("the dashboard did not say where it listens")
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def one_clip(traffic_clip: Path, model_files: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one-clip")
    count(folder, traffic_clip, "Traffic", TRAFFIC_START, 6)
    return folder


@pytest.fixture(scope="module")
def two_clips(one_clip: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two-clips") / "data"
    shutil.copytree(one_clip, folder)
    count(folder, shared_data / "vtest" / "vtest.avi", "Town square", SQUARE_START, 6)
    return folder


@pytest.fixture(scope="module")
def dashboard(two_clips: Path) -> Iterator[str]:
    with served(two_clips) as url:
        yield url


def whole_sum(page: Page) -> str:
    more = page.locator(".proof-list button", has_text="Show more")
    while more.is_visible():
        before = page.locator(".proof-entry").count()
        more.click()
        expect(page.locator(".proof-entry").nth(before)).to_be_attached()
    return page.locator(".proof-sum").inner_text()


def test_the_page_leads_to_a_number_with_its_proof_and_its_file(
    dashboard: str, visit: Visits, picture: Callable[..., None], tmp_path: Path
) -> None:
    window = visit(None, url=dashboard)
    page = window.open("?metric=detections")
    expect(page.locator("#health-strip")).to_contain_text("Every frame is accounted for")
    picture(page, "whole-page")

    window.choose("sources", "Town square")
    window.choose("labels", "person")
    window.choose_more("interval", "5")
    window.settled()
    bars = window.chart_values()["person"]
    assert len(bars) >= 15
    window.click_bar(3, of=len(bars))
    window.settled()
    expect(page.locator(".proof-stage .picture.loaded")).to_be_visible()
    picture(page, "proof")
    assert whole_sum(page) == f"✓ The sum is {bars[3]:,}: the bar's value"
    added = page.locator(".proof-entry .adds").all_text_contents()
    assert sum(int(one) for one in added) == bars[3]

    window.choose_more("metric", "objects")
    window.settled()
    objects = window.chart_values()["person"]
    assert sum(one or 0 for one in objects) < sum(one or 0 for one in bars) / 5
    page.locator("#bar-close").click()
    busiest = max(range(len(objects)), key=lambda n: objects[n] or 0)
    window.click_bar(busiest, of=len(objects))
    window.settled()
    expect(page.locator(".proof-stage .picture.loaded")).to_have_count(2)
    picture(page, "objects")
    assert whole_sum(page) == f"✓ The sum is {objects[busiest]}: the bar's value"

    page.locator("#export summary").click()
    with page.expect_download() as coming:
        page.locator("#export-csv").click()
    coming.value.save_as(tmp_path / "counts.csv")
    text = (tmp_path / "counts.csv").read_bytes().decode("utf-8-sig")
    rows = [row for row in csv.DictReader(io.StringIO(text, newline="")) if row["coverage"] == "footage"]
    assert [int(row["objects"]) for row in rows] == objects
