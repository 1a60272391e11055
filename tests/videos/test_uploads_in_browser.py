"""The page uploads videos: chosen, dropped or pasted, with any number of interruptions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.fakes.records import make_manifest
from tests.videos.made_up_videos import Shelf, make_video
from tests.videos.uploading import UploadServer, write_video
from tests.videos.video_records import fake_video, make_facts
from tests.web.browser import Locator, Page, Place, Visit, Visits, expect

from frametally.records import encode

if TYPE_CHECKING:
    from playwright.sync_api import Request

LISTED = "#videos-page:is([data-state=ready], [data-state=empty]):not([aria-busy])"


def open_panel(visit: Visits, place: Place, shelf: Shelf, **context: object) -> Page:
    window = visit(place, **context)
    shelf.serve(window.page)
    page = window.open("videos", wait_for=LISTED)
    page.locator("#upload-open").click()
    return page


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fields_of_a_file_are_checked_while_you_type(
    place: Place, visit: Visits, picture: Callable[[Page, str], None], tmp_path: Path, scheme: str
) -> None:
    shelf = Shelf(*(make_video(number) for number in range(3)))
    page = open_panel(visit, place, shelf, color_scheme=scheme)
    film = tmp_path / "gate.mp4"
    film.write_bytes(movie_head(3_797_395_200))
    other = tmp_path / "yard.avi"
    other.write_bytes(b"RIFF")
    page.locator("#upload input[type=file]").set_input_files([film, other])
    rows = page.locator(".upload-row")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("The file says 1 May 2024, 10:00:00,")
    expect(page.locator("#upload-start")).to_have_text("Upload 2 videos")
    expect(page.locator("#upload-source")).to_be_visible()
    rows.nth(0).locator("summary").click()
    region = rows.nth(0).get_by_label("Region as JSON")
    region.fill('{"x": 100, "y": 100, "width": 500}')
    expect(rows.nth(0)).to_contain_text("It must be x, y, width and height, or points.")
    picture(page, f"upload-panel-{scheme}")
    page.locator("#upload-start").click()
    expect(region).to_be_focused()
    region.fill('{"x": 100, "y": 100, "width": 500, "height": 300}')
    expect(rows.nth(0)).to_contain_text("A rectangle of 500 \N{MULTIPLICATION SIGN} 300 pixels.")
    rows.nth(0).get_by_label("Calibration as JSON").fill('{"points": [[0,0],[100,100]]}')
    expect(rows.nth(0)).to_contain_text(
        "2 points (at least 4 needed), none with coordinates in metres: no speed."
    )
    rows.nth(0).get_by_label("Time zone").fill("Atlantis/West")
    page.locator("#upload-start").click()
    expect(rows.nth(0).get_by_label("Time zone")).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, f"upload-panel-phone-{scheme}")


def movie_head(created_s: int) -> bytes:
    """Return the beginning of an MP4 that was created this many seconds after 1904 began."""
    times = bytes(4) + created_s.to_bytes(4, "big") + bytes(92)
    header = (len(times) + 8).to_bytes(4, "big") + b"mvhd" + times
    moov = (len(header) + 8).to_bytes(4, "big") + b"moov" + header
    return b"\0\0\0\x10ftypisom\0\0\0\0" + moov


@pytest.fixture
def server(tmp_path: Path) -> Iterator[UploadServer]:
    made = UploadServer(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def visits() -> list[Visit]:
    """The windows that `enter` has opened."""
    return []


@pytest.fixture
def enter(visit: Visits, server: UploadServer, visits: list[Visit]) -> Callable[..., Page]:
    """Opens the page of videos, with its panel."""

    def open_page(**context: object) -> Page:
        window = visit(None, url=server.url, **context)
        visits.append(window)
        page = window.open("videos", wait_for=LISTED)
        page.locator("#upload-open").click()
        return page

    return open_page


def choose(page: Page, *files: Path) -> None:
    page.locator("#upload input[type=file]").set_input_files(list(files))


class Line:
    """The network between a page and its server."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def set(self, *, bytes_per_s: int = -1, offline: bool = False) -> None:
        """Limit the upload to this many bytes a second; -1 for no limit."""
        self._session.send(
            "Network.emulateNetworkConditions",
            {"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_s},
        )


@pytest.mark.thorough
def test_uploaded_files_keep_the_fields_that_you_entered(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path
) -> None:
    digests = [write_video(tmp_path / name, number) for number, name in enumerate(["one.mp4", "two.avi"])]
    page = enter()
    choose(page, tmp_path / "one.mp4", tmp_path / "two.avi")
    first = page.locator(".upload-row").first
    first.get_by_label("Name").fill("Morning at the gate")
    first.get_by_label("Source", exact=True).fill("Gate North")
    first.get_by_label("Filmed from").fill("2124-05-01T08:00:05")
    expect(first.get_by_role("status")).to_contain_text("This time is in the future. Check the date")
    first.get_by_label("Filmed from").fill("2024-05-01T08:00:05")
    expect(first.get_by_role("status")).to_have_text("")
    first.locator("summary").click()
    first.get_by_label("Region as JSON").fill('{"points": [[0, 0], [100, 0], [100, 100]]}')
    page.locator("#upload-source").fill("Yard")
    page.locator("#upload-start").click()
    expect(page.locator(".upload-row[data-state=done]")).to_have_count(2)
    expect(page.locator("#upload-summary")).to_have_text("2 of 2 received")
    by_file = {one.file_name: one for one in server.videos()}
    one, two = by_file["one.mp4"], by_file["two.avi"]
    assert [one.sha256, two.sha256] == digests
    assert (one.name, one.source_name, two.source_name) == ("Morning at the gate", "Gate North", "Yard")
    assert (one.fields.start_time, one.fields.timezone) == ("2024-05-01T08:00:05", "Europe/Berlin")
    assert one.fields.roi == {"points": [[0, 0], [100, 0], [100, 100]]}
    modified_ms = (tmp_path / "two.avi").stat().st_mtime_ns // 1_000_000
    assert two.fields.last_modified_ms == modified_ms
    assert server.uploads() == []
    page.locator(".upload-row").first.get_by_role("link", name="Open").click()
    page.wait_for_url(f"**/videos?v={one.id}")
    page.locator("#upload-clear").click()
    expect(page.locator(".upload-row")).to_have_count(0)


@pytest.mark.thorough
def test_a_field_that_the_server_refuses_can_be_corrected_without_choosing_the_file_again(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path
) -> None:
    write_video(tmp_path / "gate.mp4", 1)
    page = enter()
    row = begin(page, tmp_path / "gate.mp4", region='{"points": [[0, 0], [-5, 0]]}')
    expect(row.get_by_role("status")).to_contain_text("points[1][0]: -5 is not a number from 0 to 100000.")
    region = row.get_by_label("Region as JSON")
    expect(region).to_be_focused()
    assert server.videos() == []
    page.locator("#upload-start").click()
    expect(region).to_be_focused()
    region.fill('{"points": [[0, 0], [5, 0]]}')
    expect(row.get_by_role("status")).to_have_text("")
    page.locator("#upload-start").click()
    expect(page.locator(".upload-row[data-state=done]")).to_have_count(1)
    assert [one.fields.roi for one in server.videos()] == [{"points": [[0, 0], [5, 0]]}]


MB = 1_000_000
SENT_AGAIN = 8 * 2**20  # at most, after an interruption


def row_of(page: Page, name: str) -> Locator:
    return page.locator(".upload-row", has_text=name)


def begin(page: Page, film: Path, *, region: str = "") -> Locator:
    """Begin to upload a file; returns its row."""
    choose(page, film)
    if region:
        row_of(page, film.name).locator("summary").click()
        row_of(page, film.name).get_by_label("Region as JSON").fill(region)
    page.locator("#upload-start").click()
    return row_of(page, film.name)


def wait_for_bytes(page: Page, least: int) -> None:
    """Wait until the server reports this many bytes of the upload."""
    offset = """async () => {
        const stored = Object.entries(localStorage).find(([key]) => key.startsWith("tus::"));
        const answer = stored && await fetch(JSON.parse(stored[1]).uploadUrl);
        return answer?.ok ? (await answer.json()).offset : 0;
    }"""
    give_up_s = time.monotonic() + 60
    while page.evaluate(offset) < least:
        assert time.monotonic() < give_up_s
        page.wait_for_timeout(100)


def began_at(page: Page) -> list[int]:
    """Record the first byte of each sent piece of an upload."""
    offsets: list[int] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            offsets.append(int(request.headers["upload-offset"]))

    page.on("request", note)
    return offsets


def test_a_paused_upload_resumes_where_it_was(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path, picture: Callable[[Page, str], None]
) -> None:
    film = tmp_path / "gate.mp4"
    digest = write_video(film, size_bytes=32 * MB)
    page = enter()
    offsets = began_at(page)
    line = Line(page)
    line.set(bytes_per_s=8 * MB)
    row = begin(page, film)
    expect(row.locator(".upload-words")).to_contain_text("per second")
    expect(row.locator(".upload-words")).to_contain_text("left")
    picture(page, "upload-under-way")
    wait_for_bytes(page, 16 * MB)
    row.get_by_role("button", name="Pause").click()
    expect(row.locator(".upload-words")).to_contain_text("Paused at")
    assert server.videos() == []
    line.set()
    row.get_by_role("button", name="Resume").click()
    expect(row).to_have_attribute("data-state", "done")
    (video,) = server.videos()
    assert video.sha256 == digest == server.digest(video.id)
    assert offsets[0] == 0
    assert offsets[-1] >= 16 * MB - SENT_AGAIN


@pytest.mark.thorough
def test_the_same_file_resumes_where_it_was_after_a_reload(
    enter: Callable[..., Page],
    server: UploadServer,
    tmp_path: Path,
    picture: Callable[[Page, str], None],
    visits: list[Visit],
) -> None:
    film = tmp_path / "gate.mp4"
    digest = write_video(film, size_bytes=32 * MB)
    page = enter()
    line = Line(page)
    line.set(bytes_per_s=8 * MB)
    begin(page, film)
    wait_for_bytes(page, 16 * MB)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    assert visits[0].complaints == ["dialog: "]  # it asked before leaving
    visits[0].complaints.clear()
    left = page.locator(".upload-row[data-state=left]")
    expect(left).to_contain_text("Choose or drop the same file to resume.")
    picture(page, "upload-left")
    offsets = began_at(page)
    line.set()
    choose(page, film)
    expect(page.locator(".upload-row")).to_have_count(1)
    expect(page.locator(".upload-row")).to_have_attribute("data-state", "done")
    (video,) = server.videos()
    assert video.sha256 == digest == server.digest(video.id)
    assert offsets[0] >= 16 * MB - SENT_AGAIN
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('tus::')).length") == 0


@pytest.mark.thorough
def test_an_unfinished_upload_can_be_removed_from_the_page_and_the_server(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path, visits: list[Visit]
) -> None:
    film = tmp_path / "gate.mp4"
    write_video(film, size_bytes=32 * MB)
    page = enter()
    line = Line(page)
    line.set(bytes_per_s=8 * MB)
    begin(page, film)
    wait_for_bytes(page, 16 * MB)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    visits[0].complaints.clear()
    left = page.locator(".upload-row[data-state=left]")
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as told:
        left.get_by_role("button", name="Remove").click()
    assert told.value.status == 204
    assert server.uploads() == []
    page.reload()
    page.locator(LISTED).wait_for()
    expect(page.locator(".upload-row")).to_have_count(0)


@pytest.mark.thorough
def test_the_page_waits_for_a_server_that_was_unavailable_and_does_not_start_again(
    enter: Callable[..., Page],
    server: UploadServer,
    tmp_path: Path,
    picture: Callable[[Page, str], None],
    visits: list[Visit],
) -> None:
    film = tmp_path / "gate.mp4"
    digest = write_video(film, size_bytes=32 * MB)
    page = enter()
    made: list[str] = []
    page.on("request", lambda one: made.append(one.url) if one.method == "POST" else None)
    line = Line(page)
    line.set(bytes_per_s=8 * MB)
    row = begin(page, film)
    wait_for_bytes(page, 16 * MB)
    server.stop()
    expect(row.locator(".upload-words")).to_contain_text(
        "The server is not responding. The upload resumes automatically"
    )
    expect(page.locator("#notice")).to_contain_text("The videos cannot be loaded")
    picture(page, "upload-server-away")
    # A server that has just started may answer that it is not ready.
    page.route("**/api/v1/uploads/*", lambda route: route.fulfill(status=503, json={"detail": "Not yet."}))
    server.start()
    expect(row.locator(".upload-words")).to_contain_text("The upload resumes automatically")
    expect(row.locator(".upload-words")).to_contain_text("Not yet. The upload resumes automatically")
    page.unroute("**/api/v1/uploads/*")
    line.set()
    expect(row).to_have_attribute("data-state", "done", timeout=60_000)
    (video,) = server.videos()
    assert video.sha256 == digest == server.digest(video.id)
    assert len(made) == 1
    visits[0].complaints.clear()  # the browser's own message about a server that is unavailable


@pytest.mark.thorough
def test_an_upload_resumes_as_soon_as_the_computer_is_online_again(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path, visits: list[Visit]
) -> None:
    film = tmp_path / "gate.mp4"
    digest = write_video(film, size_bytes=2 * MB)
    page = enter()
    line = Line(page)
    line.set(offline=True)
    row = begin(page, film)
    expect(row.locator(".upload-words")).to_contain_text(
        "This computer is offline. The upload resumes automatically"
    )
    line.set()
    expect(row).to_have_attribute("data-state", "done", timeout=60_000)
    (video,) = server.videos()
    assert video.sha256 == digest == server.digest(video.id)
    visits[0].complaints.clear()  # the browser's own


@pytest.mark.thorough
def test_a_file_that_is_not_a_video_is_refused_with_the_reason_and_leaves_nothing(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path, picture: Callable[[Page, str], None]
) -> None:
    notes = tmp_path / "notes <img src=x onerror=window.caught=1>.mp4"
    notes.write_text("What I wanted to film")
    (tmp_path / "empty.mp4").write_bytes(b"")
    write_video(tmp_path / "gate.mp4")
    page = enter()
    choose(page, notes, tmp_path / "empty.mp4", tmp_path / "gate.mp4")
    page.locator("#upload-start").click()
    refused = page.locator(".upload-row[data-state=refused]")
    expect(refused).to_have_count(2)
    expect(refused.nth(0).locator(".upload-words")).to_have_text(
        "It does not begin like a video (57 68 61 74). Choose a video file."
    )
    expect(row_of(page, "gate.mp4")).to_have_attribute("data-state", "done")
    expect(page.locator("#upload-summary")).to_have_text("1 of 3 received, 2 refused")
    expect(page.locator("#spoken")).not_to_be_empty()
    picture(page, "upload-refused")
    assert [video.file_name for video in server.videos()] == ["gate.mp4"]
    assert server.uploads() == []
    assert page.evaluate("window.caught") is None
    # Choosing it again does not resume it: it starts over.
    page.locator("#upload-clear").click()
    choose(page, notes)
    expect(page.locator(".upload-row")).to_have_attribute("data-state", "chosen")


@pytest.mark.thorough
def test_a_file_that_is_too_large_is_refused_before_a_byte_is_sent(visit: Visits, tmp_path: Path) -> None:
    server = UploadServer(tmp_path / "data", upload_max_gb=0.001)
    try:
        film = tmp_path / "gate.mp4"
        write_video(film, size_bytes=2 * MB)
        page = visit(None, url=server.url).open("videos", wait_for=LISTED)
        page.locator("#upload-open").click()
        offsets = began_at(page)
        row = begin(page, film)
        expect(row).to_have_attribute("data-state", "refused")
        expect(row.locator(".upload-words")).to_contain_text(
            "It has 2 MB, but an upload can have at most 1 MB."
        )
        assert offsets == []
    finally:
        server.close()


@pytest.mark.thorough
def test_a_video_that_was_uploaded_before_is_recognised_and_linked(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path
) -> None:
    write_video(tmp_path / "gate.mp4")
    write_video(tmp_path / "copy.mp4")
    page = enter()
    expect(begin(page, tmp_path / "gate.mp4")).to_have_attribute("data-state", "done")
    row = begin(page, tmp_path / "copy.mp4")
    expect(row.locator(".upload-words")).to_have_text("This video has already been uploaded.")
    (video,) = server.videos()
    assert str(row.get_by_role("link", name="Open").get_attribute("href")).endswith(video.id)


@pytest.mark.thorough
def test_an_upload_that_would_move_counts_is_refused_until_you_press_move_counts(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path, picture: Callable[[Page, str], None]
) -> None:
    film = tmp_path / "gate.mp4"
    write_video(film)
    manifest = make_manifest(
        60,
        media=hashlib.sha256(film.read_bytes()).hexdigest(),
        source="traffic",
        start_ms=make_facts().started_at_ms,
    )
    server.ports.store.put(manifest.key, encode(manifest))
    page = enter()
    choose(page, film)
    row = row_of(page, "gate.mp4")
    row.locator("summary").click()
    row.get_by_label("Source", exact=True).fill("Gate")
    page.locator("#upload-start").click()
    expect(row).to_have_attribute("data-state", "refused")
    expect(row.locator(".upload-words")).to_contain_text("60 frames of Traffic")
    picture(page, "upload-would-move")
    assert server.videos() == []
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    row.get_by_role("button", name="Move counts").click()
    expect(row).to_have_attribute("data-state", "done")
    expect(row.locator(".upload-words")).to_contain_text("60 frames of Traffic")
    assert [video.source for video in server.videos()] == ["gate"]
    assert "POST" not in asked  # nothing is sent again


DROP = """async ([kind, name, text]) => {
    const carried = new DataTransfer();
    carried.items.add(new File([text], name, { type: "video/mp4" }));
    if (kind === "paste") {
        const said = { clipboardData: carried, bubbles: true, cancelable: true };
        document.body.dispatchEvent(new ClipboardEvent("paste", said));
        return;
    }
    for (const type of kind === "drop" ? ["dragenter", "dragover", "drop"] : [kind]) {
        const event = new DragEvent(type, { dataTransfer: carried, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
    }
}"""


@pytest.mark.thorough
def test_files_can_be_dropped_anywhere_or_pasted(
    enter: Callable[..., Page], server: UploadServer, picture: Callable[[Page, str], None]
) -> None:
    page = enter()
    page.get_by_role("button", name="Close the upload panel").click()
    page.evaluate(DROP, ["dragenter", "gate.mp4", fake_video().decode("latin-1")])
    expect(page.locator("#drop-veil")).to_be_visible()
    picture(page, "upload-dropping")
    page.evaluate(DROP, ["dragleave", "gate.mp4", ""])
    expect(page.locator("#drop-veil")).to_be_hidden()
    page.evaluate(DROP, ["drop", "gate.mp4", fake_video().decode("latin-1")])
    page.evaluate(DROP, ["paste", "yard.mp4", fake_video(2).decode("latin-1")])
    expect(page.locator(".upload-row")).to_have_count(2)
    expect(page.locator("#drop-veil")).to_be_hidden()
    page.locator("#upload-start").click()
    expect(page.locator(".upload-row[data-state=done]")).to_have_count(2)
    assert {video.file_name for video in server.videos()} == {"gate.mp4", "yard.mp4"}


@pytest.mark.thorough
def test_where_uploads_are_off_no_file_is_accepted(place: Place, visit: Visits) -> None:
    window = visit(place)
    Shelf(make_video(1), allowed=False).serve(window.page)
    page = window.open("videos", wait_for=LISTED)
    page.evaluate(DROP, ["drop", "gate.mp4", "FAKEVIDEO"])
    page.evaluate(DROP, ["paste", "gate.mp4", "FAKEVIDEO"])
    expect(page.locator("#upload")).to_be_hidden()
    expect(page.locator(".upload-row")).to_have_count(0)
    expect(page.locator("#uploads-off")).to_be_visible()


@pytest.mark.thorough
def test_removing_a_file_during_its_upload_leaves_nothing(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path
) -> None:
    film = tmp_path / "gate.mp4"
    write_video(film, size_bytes=32 * MB)
    page = enter()
    line = Line(page)
    line.set(bytes_per_s=8 * MB)
    row = begin(page, film)
    wait_for_bytes(page, 16 * MB)
    with page.expect_response(lambda answer: answer.request.method == "DELETE") as told:
        row.get_by_role("button", name="Remove").click()
    assert told.value.status == 204
    expect(page.locator(".upload-row")).to_have_count(0)
    assert server.uploads() == []
    assert server.videos() == []


@pytest.mark.thorough
def test_two_files_upload_at_once_and_the_others_wait(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path
) -> None:
    films = [tmp_path / f"gate-{number}.mp4" for number in range(4)]
    digests = {write_video(film, number, size_bytes=4 * MB) for number, film in enumerate(films)}
    page = enter()
    line = Line(page)
    line.set(bytes_per_s=2 * MB)
    choose(page, *films)
    page.locator("#upload-start").click()
    expect(page.locator(".upload-row[data-state=queued]")).to_have_count(2)
    expect(page.locator(".upload-row[data-state=sending]")).to_have_count(2)
    expect(page.locator("#upload-open")).to_contain_text("Uploading 4")
    line.set()
    expect(page.locator(".upload-row[data-state=done]")).to_have_count(4)
    assert {video.sha256 for video in server.videos()} == digests


@pytest.mark.thorough
def test_the_same_file_is_added_only_once(enter: Callable[..., Page], tmp_path: Path) -> None:
    write_video(tmp_path / "gate.mp4")
    page = enter()
    choose(page, tmp_path / "gate.mp4")
    choose(page, tmp_path / "gate.mp4")
    expect(page.locator("#spoken")).to_have_text("gate.mp4 is already in the list.")
    expect(page.locator(".upload-row")).to_have_count(1)


@pytest.mark.thorough
def test_a_file_changed_during_its_upload_is_not_mistaken_for_a_server_outage(
    enter: Callable[..., Page], server: UploadServer, tmp_path: Path
) -> None:
    film = tmp_path / "gate.mp4"
    write_video(film, size_bytes=32 * MB)
    page = enter()
    choose(page, film)
    write_video(film, number=7, size_bytes=12 * MB)
    page.locator("#upload-start").click()
    row = page.locator(".upload-row")
    expect(row).to_have_attribute("data-state", "refused")
    expect(row.locator(".upload-words")).to_contain_text("can no longer be read")
    assert server.videos() == []
