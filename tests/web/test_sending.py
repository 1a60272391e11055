"""Network traffic: text is compressed as the browser accepts it, and unchanged answers are not sent again."""

from __future__ import annotations

import gzip

import brotli
import pytest
from tests.web.conftest import Place
from tests.web.counted_footage import make_lines, publish_lines

UNPACKED = {"gzip": gzip.decompress, "br": brotli.decompress}
CHARTS = ["labels", "sources", "counts", "heatmap", "summary"]


@pytest.mark.thorough
@pytest.mark.parametrize("path", ["/", "/api/v1/counts", "/api/v1/frames", "/api/v1/export", "/api/docs"])
@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("br;q=0.1, gzip", "gzip"),
        ("identity", None),
        ("", None),
    ],
)
def test_text_is_compressed_as_the_client_accepts_it(
    place: Place, path: str, accepts: str, encoding: str | None
) -> None:
    place.film({"car": 3, "person": 1})
    client = place.app().test_client()
    with client.get(path) as plain, client.get(path, headers={"Accept-Encoding": accepts}) as answer:
        body, wanted = answer.data, plain.data
    if path.endswith("export") and encoding == "br":
        encoding = "gzip"  # it is compressed while it is sent
    assert answer.headers.get("Content-Encoding") == encoding
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"]
    if encoding is not None:
        assert UNPACKED[encoding](body) == wanted
        assert len(body) < len(wanted)
    assert answer.headers.get("Content-Length") in (None, str(len(body)))


def test_already_compressed_pictures_and_tables_are_not_compressed_again(place: Place) -> None:
    place.film({"car": 3})
    client = place.app().test_client()
    image = client.get("/api/v1/evidence").json["frames"][0]["image_path"]
    for path in (f"/api/v1/frames/image?path={image}", "/api/v1/export?format=parquet"):
        with client.get(path, headers={"Accept-Encoding": "gzip, br"}) as answer:
            assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("route", CHARTS)
@pytest.mark.parametrize("accepts", ["", "br"])
def test_unchanged_data_is_neither_sent_nor_counted_again(
    place: Place, route: str, accepts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_web.api.answering.MOST_KEPT_BYTES", 0)
    lines = make_lines("gate", frames=24)
    publish_lines(place, lines)
    asked = place.index.asked
    client = place.app().test_client()
    first = client.get(f"/api/v1/{route}", headers={"Accept-Encoding": accepts})
    assert first.headers["Cache-Control"] == "no-cache"
    asked.clear()
    known = {"If-None-Match": first.headers["ETag"], "Accept-Encoding": "gzip"}
    again = client.get(f"/api/v1/{route}", headers=known)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == "no-cache"
    assert set(asked) == {"one_moment", "version"}
    # Other queries, and other counts, are other answers.
    assert client.get(f"/api/v1/{route}?model=", headers=known).status_code != 304
    publish_lines(place, make_lines("gate", frames=48))
    later = client.get(f"/api/v1/{route}", headers=known)
    assert later.status_code == 200
    assert later.headers["ETag"] != first.headers["ETag"]


def test_an_error_stays_an_error_whatever_the_browser_has_cached(place: Place) -> None:
    place.film({"car": 3})
    client = place.app().test_client()
    kept = client.get("/api/v1/counts").headers["ETag"]
    for query in ("labell=car", "from=never"):
        answer = client.get(f"/api/v1/counts?{query}", headers={"If-None-Match": kept})
        assert answer.status_code == 400
        assert "ETag" not in answer.headers
    place.go_away()
    assert client.get("/api/v1/counts", headers={"If-None-Match": kept}).status_code == 503


def test_after_a_restart_cached_answers_are_requested_again(place: Place) -> None:
    place.film({"car": 3})
    kept = place.app().test_client().get("/api/v1/counts").headers["ETag"]
    again = place.app().test_client().get("/api/v1/counts", headers={"If-None-Match": kept})
    assert again.status_code == 200


def test_a_bars_frames_are_sent_again_only_if_they_have_changed(place: Place) -> None:
    place.film({"car": 3})
    client = place.app().test_client()
    first = client.get("/api/v1/frames")
    again = client.get("/api/v1/frames", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
