"""In Chromium: cameras of the network are listed, and a click leads from one to its preview and
its counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from tests.kit.waiting import until
from tests.live.capturing import Worker, camera_of, here, settled
from tests.live.onvif_camera import Answerer, OnvifCamera
from tests.live.showing import RtspCamera
from tests.web.browser import Page, Place, Visits, expect

from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.settings.loading import Settings
from frametally_live.book import LiveBook
from frametally_live.cameras.camera_form import try_feed
from frametally_live.discovery import probe
from frametally_live.discovery.search import search_cameras
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.library.video_looks import inspect
from frametally_web.app import close_app, create_app

GATE = "rtsp://127.0.0.1:8554/gate"
EMPTY = "#live-page[data-state=empty]"
SEARCHED = "#search:not([disabled])"
LOGIN = '{"127.0.0.1": "viewer:ge:he/im@"}'
PASSWORD = "ge:he/im@"  # noqa: S105 - of a test


@pytest.fixture(autouse=True)
def be_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "LISTEN_S", 1.0)


@pytest.fixture
def open_page(place: Place, visit: Visits, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Page]:
    """Open the page with a device that answers searches."""

    def opens(answers_at: tuple[str, int], **context: Any) -> Page:
        monkeypatch.setattr(probe, "MULTICAST", answers_at)
        settings = place.settings.model_copy(update={"live_allow": "127.0.0.1"})
        place.search_cameras = partial(search_cameras, settings)
        return visit(place, **context).open("live", wait_for=EMPTY)

    return opens


def search(page: Page) -> None:
    page.get_by_role("button", name="Find cameras").click()
    page.locator(SEARCHED).wait_for()


def test_a_click_on_a_stream_fills_the_form_and_names_from_strangers_are_plain_text(
    open_page: Callable[..., Page],
) -> None:
    with OnvifCamera(GATE, name="%3Cb%3EGate%3C/b%3E%1B") as camera:
        page = open_page(camera.answerer.place)
        search(page)
    expect(page.locator("#search-said")).to_have_text(
        "1 camera answered. Choose a stream to fill in the form."
    )
    expect(page.locator("#offers h2")).to_have_text("<b>Gate</b>")
    assert page.locator("#offers b").count() == 0
    expect(page.locator("#offers")).to_contain_text("Cyberdyne T-800 · 127.0.0.1")
    page.get_by_role("button", name="Use <b>Gate</b>, subStream").click()
    expect(page.get_by_label("Name")).to_have_value("<b>Gate</b>")
    expect(page.get_by_label("Name")).to_be_focused()
    expect(page.get_by_label("Address")).to_have_value(f"{GATE}?sub")
    expect(page.get_by_role("button", name="+ Add camera")).to_have_attribute("aria-expanded", "true")


@pytest.mark.thorough
def test_no_answer_and_a_failure_are_explained_with_a_remedy(
    open_page: Callable[..., Page], picture: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Answerer(lambda _: []) as nobody:
        page = open_page(nobody.place, viewport={"width": 390, "height": 844})
        page.get_by_role("button", name="Find cameras").click()
        expect(page.locator("#search-said")).to_contain_text("Searching the network")
        page.locator(SEARCHED).wait_for()
    expect(page.locator("#search-said")).to_contain_text("No camera answered. Switch on ONVIF")
    picture(page, "live-offers-none")
    monkeypatch.setattr("socket.if_nameindex", list)
    search(page)
    expect(page.locator("#search-failed")).to_contain_text(
        "This machine has no network to search for cameras"
    )
    expect(page.locator("#search-said")).to_be_hidden()
    picture(page, "live-offers-failed")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[tuple[Settings, Flask]]:
    """A dashboard over a folder, as with `frametally serve`."""
    settings = here(tmp_path, live_logins=LOGIN)
    with ExitStack() as stack:
        catalogue = stack.enter_context(closing(open_video_catalogue(settings.catalogue_url)))
        feeds = stack.enter_context(closing(LiveBook(settings.catalogue_url)))
        made = create_app(
            settings=settings,
            store=open_object_store(settings.store_url),
            index=stack.enter_context(closing(open_count_index(settings.index_url))),
            ledger=stack.enter_context(closing(open_ledger(settings.ledger_url))),
            log=stack.enter_context(closing(open_frame_log(settings.log_url))),
            catalogue=catalogue,
            look=inspect,
            feeds=feeds,
            try_feed=partial(try_feed, settings),
            search_cameras=partial(search_cameras, settings),
        )
        yield settings, made
        close_app(made)


@pytest.mark.thorough
def test_a_camera_can_be_found_previewed_saved_and_captured_into_the_chart_with_its_hosts_login(
    app: tuple[Settings, Flask],
    serving: Callable[[Flask], str],
    visit: Visits,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    picture: Callable[..., None],
) -> None:
    settings, made = app
    for name, value in {
        "FRAMETALLY_LIVE_ALLOW": "127.0.0.1",
        "FRAMETALLY_LIVE_LOGINS": LOGIN,
        "FRAMETALLY_DETECTOR": "pixels",
        "FRAMETALLY_COUNT_OBJECTS": "false",
    }.items():
        monkeypatch.setenv(name, value)
    window = visit(None, url=serving(made))
    with (
        RtspCamera(user="viewer", password=PASSWORD) as rtsp,
        OnvifCamera(rtsp.address, password=PASSWORD) as camera,
    ):
        monkeypatch.setattr(probe, "MULTICAST", camera.answerer.place)
        page = window.open("live", wait_for=EMPTY)
        search(page)
        page.get_by_role("button", name="Use Gate 1, mainStream").click()
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("img", name="Camera picture")).to_be_visible()
        expect(page.locator("#add-tried")).to_contain_text("It shows 160 x 120 pixels, H.264")
        picture(page, "live-offer-preview")
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.locator(".live-camera")).to_contain_text("Gate 1")
        with Worker(settings, tmp_path / "said.txt"):
            until(lambda: camera_of(settings).told.frames_announced > 10, str(camera_of(settings)))
        search(page)
        expect(page.locator("#offers")).to_contain_text("already added as Gate 1")
    assert "Gate 1" in settled(settings)
    page = window.open()
    expect(page.locator("#dashboard")).to_contain_text("Gate 1")
    assert page.request.get(f"{window.url}/api/v1/counts?source=gate-1").json()["frames"] > 10
    assert PASSWORD not in page.content()
