"""Ten tasks of administrators, each on the pages: in six clicks, and by keyboard alone.

Clicks are counted from the start page. A drag counts as one, and so does choosing a file. The other ten tasks
are in tests/web/test_ten_tasks_in_browser.py.
"""

from __future__ import annotations

import datetime
import io
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.alerts.hook_server import Hook, hook_server
from tests.alerts.test_added_channels import SECRET
from tests.family.footage import FPS, SETTINGS, make_video
from tests.family.running import Running
from tests.kit.clips import grey_jpeg
from tests.traffic import crossroads
from tests.videos.filmed_video import wait_until
from tests.web.browser import Place, Visit, Visits, expect
from tests.web.hands import MOST_CLICKS, MouseHand, hand_of
from tests.web.recounted import three_changes

from frametally.settings.fields import SecretStr
from frametally_live.cameras.camera_form import CameraTrial
from frametally_web.serving import DashboardServer

Hand = Callable[..., MouseHand]
openpyxl = pytest.importorskip("openpyxl", reason="needs openpyxl (a development dependency)")


pytestmark = [pytest.mark.thorough, pytest.mark.timeout(900)]

PATIENCE_MS = 180_000  # the machine may be busy
MONDAY_MS = 1_794_182_400_000
"""2026-11-09T00:00Z; two weeks are filmed from then on."""
TUESDAY_AFTER = datetime.datetime(2026, 11, 24, 10, tzinfo=datetime.UTC)
JUNCTION = f"?source={crossroads.SOURCE}&model={crossroads.MODEL}&timezone=UTC"
PICTURE = grey_jpeg(320, 180, 90)


@pytest.fixture(params=["mouse", "keyboard"])
def hand(request: pytest.FixtureRequest, visit: Visits) -> Iterator[Callable[..., MouseHand]]:
    """Begins at the start page of a site, and checks the number of clicks at the end."""
    made: list[MouseHand] = []

    def start(url: str, query: str = "") -> MouseHand:
        window = visit(None, url=url, reduced_motion="no-preference")
        window.context.grant_permissions(["clipboard-read", "clipboard-write"])
        if query != "new":
            window.page.clock.set_fixed_time(TUESDAY_AFTER)
        made.append(hand_of(request.param, window))
        window.open("" if query == "new" else query, wait_for="#dashboard:not([data-state=loading])")
        return made[-1]

    yield start
    assert all(one.clicks <= MOST_CLICKS for one in made), [one.clicks for one in made]


def total(window: Visit) -> int:
    """The sum of the chart's values."""
    return sum(value or 0 for values in window.chart_values().values() for value in values)


def menu(hand: MouseHand, name: str) -> None:
    hand.click(hand.page.locator("#pages").get_by_role("link", name=name, exact=True))


# The uploads and drawings: `frametally serve` with all its children.


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "gate.mp4", frames=30 * FPS)


@pytest.fixture(scope="module")
def workshop(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has counted one video of a gate."""
    with Running(tmp_path_factory.mktemp("workshop"), "serve", settings=SETTINGS) as running:
        video = running.upload(clip, source="Gate", start_time="2026-11-23T10:00:00Z")
        running.comes_to(video["id"], "ready")
        yield running.url


def test_you_can_upload_a_video_and_see_its_bar(
    workshop: str, hand: Hand, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    frames = 20 * FPS + (FPS if "mouse" in request.node.name else 0)  # not the bytes of another video
    name = f"yard {frames}"
    own = make_video(tmp_path / f"{name}.mp4", frames=frames)
    visitor = hand(workshop, "new")
    page = visitor.page
    menu(visitor, "Footage")
    visitor.click(page.locator("#upload-open"))
    visitor.choose_file(page.locator("#upload-choose"), own)
    row = page.locator(".upload-row")
    visitor.fill(row.get_by_label("Source"), name)
    visitor.fill(row.get_by_label("Filmed from"), "2026-11-23T12:00:00")
    visitor.click(page.locator("#upload-start"))
    card = page.locator(".video-card", has_text=name)
    expect(card).to_have_attribute("data-state", "ready", timeout=PATIENCE_MS)
    visitor.click(card.locator(".video-link"))
    visitor.click(page.locator(".video-leads a").first)
    visitor.window.settled()
    assert total(visitor.window) > 0


def test_you_can_find_where_a_video_is_fullest(workshop: str, hand: Hand) -> None:
    visitor = hand(workshop, "new")
    page = visitor.page
    menu(visitor, "Footage")
    visitor.click(page.locator(".video-card", has_text="gate").locator(".video-link"))
    visitor.click(page.get_by_role("button", name=re.compile("^Fullest moment")))
    wait_until(page, lambda: page.evaluate("document.querySelector('.player video').currentTime") > 0)


def test_you_can_draw_a_line_and_see_its_crossings(workshop: str, hand: Hand) -> None:
    visitor = hand(workshop, "?source=gate&timezone=UTC")
    page = visitor.page
    menu(visitor, "Lines")
    visitor.click(page.locator("#nothing-act:visible, #edit:visible").first)
    visitor.click(page.locator("#draw-line"))
    visitor.draw((0.3, 0.05), (0.3, 0.95))
    visitor.click(page.locator("#save"))
    expect(page.locator("#saved")).to_contain_text("Saved")
    visitor.click(page.locator("#counts"))
    expect(page.locator("#crossings-table tbody tr").first).to_be_visible(timeout=PATIENCE_MS)


def test_you_can_draw_a_zone_and_narrow_the_chart_to_it(workshop: str, hand: Hand) -> None:
    visitor = hand(workshop, "?source=gate&timezone=UTC&metric=detections")
    page = visitor.page
    visitor.window.settled()
    whole = total(visitor.window)
    menu(visitor, "Lines")
    visitor.click(page.locator("#nothing-act:visible, #edit:visible").first)
    visitor.click(page.locator("#draw-zone"))
    visitor.draw((0.02, 0.05), (0.4, 0.5))
    visitor.click(page.locator("#save"))
    expect(page.locator("#saved")).to_contain_text("Saved")
    visitor.click(page.locator("#zone-chart"))
    visitor.window.settled()
    expect(page.locator("#picture-zone-chip")).to_contain_text("zone")
    wait_until(page, lambda: 0 < total(visitor.window) < whole)  # once the zone is counted


# Questions about existing counts.


@pytest.fixture(scope="module")
def hook() -> Iterator[tuple[Hook, int]]:
    made = Hook()
    with hook_server(made) as port:
        yield made, port


@pytest.fixture(scope="module")
def town(
    make_place: Callable[[Path], Place], tmp_path_factory: pytest.TempPathFactory, hook: tuple[Hook, int]
) -> Iterator[str]:
    """A recounted gate, a crossroads with its legs, and a station with two weeks of footage."""
    place = make_place(tmp_path_factory.mktemp("town"))
    three_changes(place)
    crossroads.film(place, crossroads.make_drivers(1200, [20]), 1200)
    crossroads.draw_legs(place)
    place._sequence = 100  # the made-up rows are added after the count
    place.film(
        {"car": 6, "truck": 2},
        source="station",
        name="Station Road",
        start_ms=MONDAY_MS,
        intervals=24 * 14,
        interval_s=3600,
    )
    place.try_feed = lambda _: CameraTrial("it shows a picture", True, PICTURE)
    app = place.app(
        alert_channels=SecretStr(f'{{"ops": "http://127.0.0.1:{hook[1]}/hook"}}'),
        alert_secret=SECRET,
        alert_allow="127.0.0.1",
    )
    server = DashboardServer(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server.url
    server.stop()
    thread.join()
    place.close()


def test_you_can_download_a_quarter_hour_report_as_a_workbook_and_share_its_link(
    town: str, hand: Hand, visit: Visits
) -> None:
    visitor = hand(town, JUNCTION)
    page = visitor.page
    menu(visitor, "Reports")
    expect(page.locator(".quarters tbody tr")).not_to_have_count(0)
    with page.expect_download() as coming:
        visitor.click(page.locator("#file-xlsx"))
    book = openpyxl.load_workbook(io.BytesIO(Path(coming.value.path()).read_bytes()))
    assert any("06:15" in str(cell) for sheet in book for row in sheet.values for cell in row)
    shown = page.locator(".quarters").first.inner_text()
    other = visit(None, url=town, timezone_id="America/New_York")
    other.page.goto(page.url)
    expect(other.page.locator(".quarters").first).to_be_visible()
    assert other.page.locator(".quarters").first.inner_text() == shown


def test_you_can_have_a_report_sent_every_week(town: str, hand: Hand) -> None:
    visitor = hand(town, JUNCTION)
    page = visitor.page
    menu(visitor, "Reports")
    visitor.click(page.locator("#rooms").get_by_role("link", name="Alerts"))
    visitor.click(page.locator("#report-box summary"))
    name = f"weekly-{type(visitor).__name__.lower()}"
    visitor.fill(page.locator("#report-name"), name)
    visitor.click(page.locator("#report-form").get_by_label("ops"))
    visitor.click(page.locator("#report-form").get_by_role("button", name="Save"))
    expect(page.locator("#reports")).to_contain_text(name)


def test_you_can_add_an_alert_from_the_chart_and_test_its_channel(
    town: str, hand: Hand, hook: tuple[Hook, int]
) -> None:
    visitor = hand(town, "?source=station&label=car&metric=detections")
    page = visitor.page
    visitor.click(page.locator("#alert-me"))
    expect(page.locator(".chart-alert")).to_contain_text("would have sent")
    visitor.click(page.locator(".chart-alert").get_by_role("link", name="Set up this alert"))
    expect(page.locator("#trial")).to_contain_text("would have sent")
    name = f"crowd {type(visitor).__name__}"
    visitor.fill(page.locator("#rule-name"), name)
    visitor.click(page.locator("#rule-form").get_by_label("ops"))
    visitor.click(page.locator("#rule-form").get_by_role("button", name="Save"))
    expect(page.locator("#rules")).to_contain_text(name)
    before = len(hook[0].posted)
    visitor.click(page.locator("#channels").get_by_role("button", name=re.compile("ops")).first)
    wait_until(page, lambda: len(hook[0].posted) > before)


def test_you_can_preview_a_camera_and_add_it(town: str, hand: Hand) -> None:
    visitor = hand(town)
    page = visitor.page
    menu(visitor, "Footage")
    visitor.click(page.locator("#rooms").get_by_role("link", name="Live"))
    visitor.click(page.locator("#add-open"))
    name = f"Camera {type(visitor).__name__}"
    visitor.fill(page.locator("#add-source"), name)
    visitor.fill(page.locator("#add-address"), "rtsp://10.1.2.3:8554/stream")
    visitor.click(page.locator("#add-preview"))
    expect(page.locator("#add-picture")).to_be_visible()
    visitor.click(page.locator("#add").get_by_role("button", name="Add", exact=True))
    expect(page.locator(".live-camera", has_text=name)).to_be_visible()


def test_you_can_embed_a_chart_and_every_reader_sees_the_same_numbers(
    town: str, hand: Hand, visit: Visits
) -> None:
    visitor = hand(town, "?source=station&label=car&hours=07:00-09:00")
    page = visitor.page
    visitor.click(page.locator("#copy-embed"))
    expect(page.locator("#copy-embed")).to_have_text("Code copied")
    code = page.evaluate("navigator.clipboard.readText()")
    address = re.search(r'src="[^"]*/(embed\?[^"]*)"', code)
    assert address is not None, code
    query = address[1].replace("&amp;", "&")
    values = [
        visit(None, url=town, timezone_id=zone)
        .open(query, wait_for="#embed[data-state=ready]")
        .evaluate(
            "document.querySelector('canvas').timeChart.drawn().map(({name, values}) => [name, values])"
        )
        for zone in ("Europe/Berlin", "America/New_York")
    ]
    assert values[0] == values[1]


def test_two_clicks_show_why_a_number_changed(town: str, hand: Hand) -> None:
    visitor = hand(town, "?source=gate&model=tiny-1&metric=detections&interval=60&timezone=UTC")
    page = visitor.page
    visitor.open_bar(0, of=1)
    visitor.click(page.get_by_role("link", name="History of this number"))
    expect(page.locator("#history-changes")).to_contain_text("Late footage arrived")


def test_you_can_compare_the_weekday_rush_hours_of_two_weeks(town: str, hand: Hand) -> None:
    visitor = hand(town, "?source=station&metric=detections&timezone=UTC")
    page = visitor.page
    visitor.click(page.locator("#range-chip"))
    panel = page.locator("#range-panel")
    visitor.click(panel.get_by_role("button", name="7\u20139", exact=True))
    visitor.click(panel.get_by_role("button", name="Mon\u2013Fri", exact=True))
    visitor.click(panel.get_by_role("button", name="Last week", exact=True))
    visitor.window.settled()
    visitor.click(visitor.window.fact("week").get_by_role("button"))
    expect(page.locator("#compare-area tbody tr").first).to_be_visible()
    assert "hours=07:00-09:00" in page.url
    assert "weekdays=1,2,3,4,5" in page.url
