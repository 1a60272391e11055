"""Pages of other sites in a real browser: they change nothing here, unless their site is allowed."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.kit.http_server import Answers, answering
from tests.videos.filmed_video import make_file
from tests.videos.test_playback_api import store_video
from tests.videos.video_records import all_keys, make_facts
from tests.web.conftest import Place, Serving
from tests.web.test_other_sites import OtherSite, other_site

pytestmark = pytest.mark.thorough

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["other_site"]

USER, PASSWORD = "viewer", "of-the-tests"
PAGE = "<!doctype html><title>Another site</title><form method=post enctype=multipart/form-data></form>"
FORGE = """async ([url, id]) => {
    const file = () => new File([new Uint8Array(1000)], "forged.mp4");
    const form = document.querySelector("form");
    const input = Object.assign(document.createElement("input"), {type: "file", name: "file"});
    const chosen = new DataTransfer();
    chosen.items.add(file());
    input.files = chosen.files;
    form.append(input);
    const frame = Object.assign(document.createElement("iframe"), {name: "answer"});
    document.body.append(frame);
    Object.assign(form, {action: `${url}/upload`, target: "answer"});
    form.submit();
    const parts = new FormData();
    parts.append("file", file());
    const ask = (path, options) => fetch(url + path, {credentials: "include", ...options})
        .then((answer) => answer.type, () => "refused");
    return {
        simple: await ask("/api/videos/upload", {method: "POST", mode: "no-cors", body: parts}),
        read: await ask("/api/v1/videos/upload", {method: "POST", body: parts}),
        begin: await ask("/api/v1/uploads", {method: "POST", headers: {"Tus-Resumable": "1.0.0"}}),
        removal: await ask(`/api/v1/videos/${id}`, {method: "DELETE"}),
        edit: await ask(`/api/v1/videos/${id}`, {method: "PATCH", body: "{}"}),
        bytes: await ask(`/api/v1/videos/${id}/playable`, {}),
        plays: await new Promise((done) => {
            const video = Object.assign(document.createElement("video"), {muted: true});
            video.addEventListener("loadeddata", () => done(true));
            video.addEventListener("error", () => done(false));
            video.src = `${url}/api/v1/videos/${id}/playable`;
        }),
    };
}"""
SHARE = """async ([url, bytes]) => {
    const file = new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], "shared.mp4");
    const parts = new FormData();
    parts.append("file", file);
    const taken = await fetch(`${url}/api/v1/videos/upload`, {method: "POST", body: parts});
    const {id} = await taken.json();
    const tus = {"Tus-Resumable": "1.0.0"};
    const begun = await fetch(`${url}/api/v1/uploads`, {
        method: "POST",
        headers: {...tus, "Upload-Length": String(file.size), "Upload-Metadata": "filename YS5tcDQ="},
    });
    const sent = await fetch(new URL(begun.headers.get("Location"), url), {
        method: "PATCH",
        headers: {...tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
        body: file,
    });
    const play = (crossOrigin) => new Promise((done) => {
        const video = Object.assign(document.createElement("video"), {muted: true, crossOrigin});
        video.addEventListener("loadeddata", () => { video.currentTime = 1.5; }, {once: true});
        video.addEventListener("seeked", () => done([video.videoWidth, video.currentTime]));
        video.addEventListener("error", () => done(video.error.message));
        video.src = `${url}/api/v1/videos/${id}/playable`;
    });
    const part = await fetch(`${url}/api/v1/videos/${id}/playable`, {headers: {Range: "bytes=0-9"}});
    return {
        id,
        status: taken.status,
        again: [sent.status, sent.headers.get("Frametally-Video"), sent.headers.get("Frametally-Known")],
        plain: await play(null),
        shared: await play("anonymous"),
        part: [part.status, part.headers.get("Content-Range")],
    };
}"""


class Keeper:
    """A proxy that asks for a password, as the stack's does, and forwards the rest unchanged."""

    def __init__(self, target: str) -> None:
        keeper = self
        self.let_in: list[tuple[str, str, int]] = []
        secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

        class Handler(Answers):
            def respond(self) -> None:
                body = self.read()
                if self.headers.get("Authorization") != f"Basic {secret}":
                    self.answer(401, WWW_Authenticate='Basic realm="test"')
                    return
                inside = http.client.HTTPConnection(urlsplit(target).netloc, timeout=60)
                inside.request(self.command, self.path, body, dict(self.headers))
                answer = inside.getresponse()
                said = answer.read()
                inside.close()
                keeper.let_in.append((self.command, self.path, answer.status))
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_OPTIONS = respond  # noqa: N815

        self.handler, self.url = Handler, ""


@pytest.fixture
def keeping() -> Iterator[Callable[[str], Keeper]]:
    with ExitStack() as stack:

        def start(target: str) -> Keeper:
            keeper = Keeper(target)
            keeper.url = stack.enter_context(answering(keeper.handler))
            return keeper

        yield start


@pytest.mark.parametrize("is_kept", [False, True], ids=["open", "behind a password"])
def test_another_sites_page_can_neither_change_nor_show_a_video(
    place: Place,
    serving: Serving,
    keeping: Callable[[str], Keeper],
    browser: Browser,
    other_site: OtherSite,
    is_kept: bool,
) -> None:
    video = store_video(place, make_file(length_s=2))
    inside = serving(place.app(web_allowed_origins="https://intranet.example"))
    keeper = keeping(inside) if is_kept else None
    url = keeper.url if keeper else inside
    before = sorted(all_keys(place.store))
    other_site.page = PAGE
    context = browser.new_context(http_credentials={"username": USER, "password": PASSWORD})
    page = context.new_page()
    posted: list[int] = []
    page.on("response", lambda one: posted.append(one.status) if one.request.method == "POST" else None)
    page.goto(f"{url}/healthz")  # whose password the browser has from now on
    page.goto(other_site.origin.replace("127.0.0.1", "localhost"))
    told = page.evaluate(FORGE, [url, video.id])
    with page.expect_navigation() as going:  # its own link or form takes the password along
        page.evaluate("document.forms[0].target = '_top'; document.forms[0].submit()")
    answer = going.value
    assert (answer.status, "another site" in answer.text()) == (403, True)
    context.close()
    assert told.pop("simple") in ("opaque", "refused")  # its page learns nothing of it either way
    assert told == {**dict.fromkeys(("read", "begin", "removal", "edit", "bytes"), "refused"), "plays": False}
    assert set(posted) <= {401, 403}
    assert 403 in posted
    if keeper:  # the browser did send the password with the page's requests
        assert ("POST", "/upload", 403) in keeper.let_in
        assert all(status == 403 for method, _, status in keeper.let_in if method == "POST")
    assert sorted(all_keys(place.store)) == before
    row = place.catalogue.video(video.id)
    assert (row.record.state, place.catalogue.open_uploads()) == ("received", 0)


def test_an_allowed_sites_page_can_upload_and_play(
    place: Place, serving: Serving, browser: Browser, other_site: OtherSite
) -> None:
    origin = other_site.origin.replace("127.0.0.1", "localhost")
    place.look = lambda *_: make_facts(duration_s=2.0)
    url = serving(place.app(web_allowed_origins=origin))
    other_site.page = PAGE
    page = browser.new_page()
    page.goto(origin)
    data = make_file(length_s=2)
    told = page.evaluate(SHARE, [url, base64.b64encode(data).decode()])
    page.close()
    assert told["status"] == 201
    assert told["again"] == [204, told["id"], "true"]
    assert told["plain"] == told["shared"] == [320, 1.5]
    assert told["part"] == [206, f"bytes 0-9/{len(data)}"]
