"""The dashboard can redirect browsers to the S3 store for frames; and `doctor` on an S3 store."""

import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from s3_bucket import S3Place, new_place
from tests.fakes.memory import MemoryLog

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_cli.checkup.ports import port_rows
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_web.app import close_app, create_app

pytestmark = pytest.mark.services

FRAME = keys.image_key("gate", 1_767_268_800_000, "ab" * 32, 0)


@pytest.fixture
def place() -> S3Place:
    return new_place("/cameras")


@pytest.fixture
def client_of(tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    with ExitStack() as stack:

        def make(store: ObjectStore, **changed: object) -> FlaskClient:
            settings = Settings(data_dir=tmp_path, store_url=store.url, **changed).resolved()
            index = stack.enter_context(closing(open_count_index(settings.index_url)))
            ledger = stack.enter_context(closing(open_ledger(settings.ledger_url)))
            catalogue = stack.enter_context(closing(open_video_catalogue(settings.catalogue_url)))
            app = create_app(
                settings=settings,
                store=store,
                index=index,
                ledger=ledger,
                log=MemoryLog(),
                catalogue=catalogue,
            )
            stack.callback(close_app, app)
            return app.test_client()

        yield make


def policy_of(client: FlaskClient) -> str:
    return next(
        part.strip()
        for part in client.get("/api/frames/image?path=x").headers["Content-Security-Policy"].split(";")
        if "img-src" in part
    )


def test_frames_are_redirected_to_the_store_and_the_page_may_show_them(
    place: S3Place, client_of: Callable[..., FlaskClient]
) -> None:
    store = place.open()
    store.put(FRAME, b"jpeg")
    client = client_of(store, web_store_links=True)
    answer = client.get(f"/api/frames/image?path={FRAME}")
    assert answer.status_code == 302
    assert answer.headers["Cache-Control"] == "private, max-age=150"
    assert answer.data == b""
    link = answer.headers["Location"]
    assert "X-Amz-Expires=300" in link
    with urllib.request.urlopen(link) as picture:  # noqa: S310 - our own server
        assert picture.read() == b"jpeg"
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(link))
    assert origin == place.access.endpoint
    assert policy_of(client) == f"img-src 'self' {origin}"


def test_by_default_frames_come_only_from_the_dashboard(
    place: S3Place, client_of: Callable[..., FlaskClient]
) -> None:
    store = place.open()
    store.put(FRAME, b"jpeg")
    client = client_of(store)
    assert client.get(f"/api/frames/image?path={FRAME}").data == b"jpeg"
    assert policy_of(client) == "img-src 'self'"


def test_a_file_store_has_no_links_for_browsers(
    tmp_path: Path, client_of: Callable[..., FlaskClient]
) -> None:
    store = open_object_store((tmp_path / "store").as_uri())
    store.put(FRAME, b"jpeg")
    client = client_of(store, web_store_links=True)
    assert client.get(f"/api/frames/image?path={FRAME}").data == b"jpeg"
    assert policy_of(client) == "img-src 'self'"


def test_doctor_approves_an_s3_store_and_its_clock(place: S3Place, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        store_url=place.url,
        store_endpoint=place.access.endpoint,
        store_access_key=place.access.access_key,
        store_secret_key=place.access.secret_key,
    ).resolved()
    rows = [row for row in port_rows(settings) if row.area in ("store", "clock")]
    assert [(row.area, row.good) for row in rows] == [("store", True), ("clock", True)]
    assert rows[0].value == "put, create once, get, list, delete"
    assert list(place.open().list("")) == []
