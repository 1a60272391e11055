"""The page of jobs: running, waiting and failed ones, by queue and worker; retried and cancelled there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.videos.test_library_api import stored
from tests.videos.video_records import make_video
from tests.web.browser import Locator, Page, Place, Route, Visits, expect

from frametally_videos.catalogue.catalogue_rows import Job, JobKind

READY = "#jobs-page[data-state=ready]:not([aria-busy])"
REASON = "its decoder was killed (SIGSEGV) 3 times"
NAME = "<b onclick=alert(1)>Gate \u202eon</b>"


class Yard:
    """Three videos and their jobs, in a catalogue as workers leave it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        records = [make_video(1, name=NAME), make_video(2), make_video(3)]
        self.ids = stored(place, *records)
        for record in records:
            for job in place.catalogue.jobs(record.id):
                place.catalogue.cancel_job(job.id)

    def queue(self, number: int, kind: JobKind, options: str = "") -> Job:
        return self.place.catalogue.queue(self.ids[number - 1], kind, options)

    def run(self, number: int, kind: JobKind, progress: float | None = None) -> Job:
        job = self.queue(number, kind)
        claimed = self.place.catalogue.claim("host-3:4711", [kind], lease_s=3600, job_id=job.id)
        assert claimed is not None
        assert self.place.catalogue.renew(claimed, lease_s=3600, progress=progress)
        return claimed

    def fail(self, number: int, kind: JobKind) -> Job:
        job = self.run(number, kind)
        assert self.place.catalogue.end(job, "failed", reason=REASON)
        return job

    def state(self, job: Job) -> str:
        return self.place.catalogue.job(job.id).state


@pytest.fixture
def yard(place: Place) -> Yard:
    return Yard(place)


def row(page: Page, job: Job) -> Locator:
    return page.locator(f".job[data-id='{job.id}']")


def section(page: Page, name: str) -> Locator:
    return page.locator(f"[data-section={name}]")


@pytest.mark.thorough
def test_running_waiting_and_failed_jobs_are_shown_with_their_reason_and_worker(
    yard: Yard, visit: Visits
) -> None:
    yard.fail(2, "frames")  # a newer job follows it: no action is needed
    running, failed = yard.run(1, "metadata", 0.31), yard.fail(2, "frames")
    waiting = yard.queue(3, "enhance", '{"contrast":1.3}')
    page = visit(yard.place).open("jobs", wait_for=READY)
    expect(row(page, running)).to_contain_text("running · 31%")
    expect(row(page, running)).to_contain_text("by host-3:4711")
    expect(row(page, running).locator("progress")).to_have_js_property("value", 0.31)
    expect(row(page, waiting)).to_contain_text("Enhanced version")
    expect(row(page, waiting)).to_contain_text("contrast 1.3")
    expect(row(page, failed)).to_contain_text(REASON)
    for name, one in (("running", running), ("queued", waiting), ("failed", failed)):
        expect(section(page, name).locator(".job").first).to_have_attribute("data-id", one.id)
    expect(page.locator("#jobs-words")).to_contain_text("1 running · 1 waiting · 2 failed")
    frames = page.locator(".jobs-overview tr", has_text="Frames")
    expect(frames.locator("td")).to_have_text(["0", "0", re.compile(r"^1, since .*\d:\d\d")])
    expect(page.locator("#jobs-workers")).to_contain_text("host-3:4711")
    # A name is text, whatever it contains.
    expect(row(page, running).locator(".job-video")).to_have_text("<b onclick=alert(1)>Gate [U+202E]on</b>")


@pytest.mark.thorough
def test_one_click_retries_a_failed_job_or_cancels_a_waiting_one(yard: Yard, visit: Visits) -> None:
    failed, other, waiting = yard.fail(1, "frames"), yard.fail(2, "metadata"), yard.queue(3, "checks")
    page = visit(yard.place).open("jobs", wait_for=READY)
    row(page, failed).get_by_role("button", name=re.compile("^Try again")).click()
    expect(section(page, "queued").locator(f".job[data-id='{failed.id}']")).to_be_visible()
    assert yard.state(failed) == "queued"
    row(page, waiting).get_by_role("button", name=re.compile("^Cancel")).click()
    expect(section(page, "ended").locator(f".job[data-id='{waiting.id}']")).to_contain_text("cancelled")
    assert [yard.state(one) for one in (other, waiting)] == ["failed", "cancelled"]
    expect(page.locator("#spoken")).to_have_text("It was cancelled")


def test_all_failed_jobs_can_be_listed_and_retried_at_once(yard: Yard, visit: Visits) -> None:
    kinds: tuple[JobKind, ...] = ("frames", "previews", "metadata", "checks")
    failed = [yard.fail(number, kind) for number in (1, 2, 3) for kind in kinds]
    page = visit(yard.place).open("jobs", wait_for=READY)
    expect(section(page, "failed").locator(".job")).to_have_count(len(failed))
    page.get_by_role("button", name="Try all of them again").click()
    expect(section(page, "failed")).to_be_hidden()
    assert {yard.state(one) for one in failed} == {"queued"}


@pytest.mark.thorough
def test_a_failed_job_links_to_the_processing_of_its_video(yard: Yard, visit: Visits) -> None:
    failed = yard.fail(2, "metadata")
    page = visit(yard.place).open("jobs", wait_for=READY)
    row(page, failed).get_by_role("link").click()
    page.locator("#video .video-view").wait_for()
    expect(page.get_by_role("tab", name=re.compile("^Processing"))).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel")).to_contain_text(REASON)
    page.get_by_role("tabpanel").get_by_role("button", name="Try again: Metadata").click()
    expect(row(page, failed).first).to_have_attribute("data-state", "queued")
    assert yard.state(failed) == "queued"


@pytest.mark.thorough
def test_an_open_page_follows_the_work_of_workers(yard: Yard, visit: Visits) -> None:
    job = yard.run(1, "playable", 0.1)
    page = visit(yard.place).open("jobs", wait_for=READY)
    expect(row(page, job)).to_contain_text("running · 10%")
    yard.place.catalogue.renew(job, lease_s=3600, progress=0.8)
    expect(row(page, job)).to_contain_text("running · 80%")
    yard.place.catalogue.end(job, "done")
    expect(section(page, "ended").locator(f".job[data-id='{job.id}']")).to_contain_text("done")


@pytest.mark.thorough
def test_the_chosen_state_and_kind_are_in_the_address(yard: Yard, visit: Visits) -> None:
    failed, waiting = yard.fail(1, "frames"), yard.queue(2, "metadata")
    window = visit(yard.place)
    page = window.open("jobs", wait_for=READY)
    page.get_by_label("State").select_option("failed")
    expect(row(page, waiting)).to_be_hidden()
    expect(row(page, failed)).to_be_visible()
    expect(page).to_have_url(f"{window.url}/jobs?state=failed")
    expect(page.locator(".jobs-overview")).to_be_visible()
    expect(page.locator("#jobs-working")).to_be_hidden()
    page.get_by_label("Kind").select_option("metadata")
    expect(page.locator("#nothing")).to_contain_text("No jobs match")
    page.get_by_role("button", name="Show all jobs").click()
    expect(row(page, waiting)).to_be_visible()
    page.go_back()
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.get_by_label("Kind")).to_have_value("metadata")


@pytest.mark.thorough
@pytest.mark.parametrize("width", [390, 820, 1280])
def test_the_form_appears_before_the_answer_and_does_not_move(yard: Yard, visit: Visits, width: int) -> None:
    yard.fail(1, "frames")
    window = visit(yard.place, viewport={"width": width, "height": 900})
    held: list[Route] = []
    is_held = True
    window.page.route(
        re.compile(r"/api/v1/jobs\?"), lambda route: held.append(route) if is_held else route.continue_()
    )
    page = window.open("jobs?kind=frames", wait_for="#jobs-page[data-state=loading]")
    state, kind = page.get_by_label("State"), page.get_by_label("Kind")
    expect(kind).to_have_value("frames")
    expect(state.locator("option")).not_to_have_text([re.compile(r"\d")] * 5)
    before = state.bounding_box(), kind.bounding_box()
    is_held = False
    for route in held:
        route.continue_()
    page.locator(READY).wait_for()
    expect(state).to_contain_text("Failed (1)")
    assert (state.bounding_box(), kind.bounding_box()) == before


@pytest.mark.thorough
def test_a_button_shows_the_jobs_that_do_not_fit(yard: Yard, visit: Visits) -> None:
    for number in range(60):
        yard.queue(1 + number % 3, "enhance", f'{{"contrast":{1.1 + number / 100:.2f}}}')
    page = visit(yard.place).open("jobs", wait_for=READY)
    waiting = section(page, "queued")
    expect(waiting.locator("h2")).to_have_text("Waiting (60)")
    expect(waiting.locator(".job")).to_have_count(50)
    waiting.get_by_role("button", name="Show more").click()
    expect(waiting.locator(".job")).to_have_count(60)


def test_an_empty_job_list_is_explained_and_fills_without_a_reload(place: Place, visit: Visits) -> None:
    page = visit(place).open("jobs", wait_for="#jobs-page[data-state=empty]")
    expect(page.locator("#nothing")).to_contain_text("There are no jobs yet")
    yard = Yard(place)
    failed = yard.fail(1, "frames")
    expect(row(page, failed)).to_be_visible()  # it arrived while the page was open


@pytest.mark.thorough
def test_jobs_are_read_only_where_videos_cannot_be_changed(
    yard: Yard, visit: Visits, serving: Callable[..., str]
) -> None:
    failed = yard.fail(1, "frames")
    page = visit(None, url=serving(yard.place.app(web_uploads=False))).open("jobs", wait_for=READY)
    expect(page.locator("#jobs-off")).to_contain_text("Jobs cannot be tried again or cancelled here.")
    expect(row(page, failed)).to_contain_text(REASON)
    expect(row(page, failed).get_by_role("button")).to_have_count(0)


@pytest.mark.thorough
def test_the_servers_outage_is_shown_and_the_jobs_stay(yard: Yard, visit: Visits) -> None:
    failed = yard.fail(1, "frames")
    page = visit(yard.place).open("jobs", wait_for=READY)

    def away(route: Any) -> None:
        route.abort()

    page.route("**/api/v1/jobs?*", away)
    expect(page.locator("#notice")).to_contain_text("The jobs cannot be loaded")
    expect(row(page, failed)).to_be_visible()
    page.unroute("**/api/v1/jobs?*")
    expect(page.locator("#notice")).to_be_hidden()
    page.route("**/api/v1/jobs?*", away)
    page.reload()
    expect(page.locator("#nothing")).to_contain_text("The jobs cannot be shown")
    page.unroute("**/api/v1/jobs?*")
    page.get_by_role("button", name="Try again").click()
    expect(row(page, failed)).to_be_visible()


@pytest.mark.thorough
def test_videos_and_jobs_link_to_each_other(yard: Yard, visit: Visits) -> None:
    yard.queue(1, "frames")
    page = visit(yard.place).open("videos", wait_for="#videos-page[data-state=ready]")
    page.get_by_role("link", name="Jobs").click()
    page.locator(READY).wait_for()
    expect(page.locator("#rooms [aria-current]")).to_have_text("Videos")
    page.locator("main .card-head").get_by_role("link", name="Videos").click()
    page.locator("#videos-page[data-state=ready]").wait_for()


@pytest.mark.thorough
def test_a_tab_without_results_shows_why_its_job_failed(yard: Yard, visit: Visits) -> None:
    video = f"videos?v={yard.ids[1]}&tab"
    page = visit(yard.place).open(f"{video}=quality", wait_for="#video .video-view")
    expect(page.get_by_role("tabpanel")).to_contain_text("It has not been checked yet.")
    yard.fail(2, "checks")
    expect(page.get_by_role("tabpanel")).to_contain_text(f"It could not be checked: {REASON}")
    yard.fail(2, "metadata")
    page.get_by_role("tab", name="About").click()
    expect(page.get_by_role("tabpanel")).to_contain_text(f"could not be read: {REASON}")


@pytest.mark.thorough
def test_the_selected_tab_is_visible_on_a_small_screen(yard: Yard, visit: Visits) -> None:
    page = visit(yard.place, viewport={"width": 390, "height": 844}).open(
        f"videos?v={yard.ids[1]}&tab=quality", wait_for="#video .video-view"
    )
    tab = page.get_by_role("tab", name="Quality")
    page.locator("#video .tabs").evaluate("(tabs) => scrollBy(0, tabs.getBoundingClientRect().top - 100)")
    expect(tab).to_be_in_viewport(ratio=0.95)
