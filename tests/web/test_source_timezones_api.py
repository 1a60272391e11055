"""The time zone of a source by the API: planned, set, named, and the default of all displays of its times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import unescape

import pytest
from flask.testing import FlaskClient
from tests.kit.waiting import until
from tests.web.conftest import Place
from tests.web.counted_footage import put_footage

from frametally.media.source_timezones import read_timezones


@pytest.fixture
def client(place: Place) -> Iterator[FlaskClient]:
    put_footage(place)
    yield place.app().test_client()


def set_zone(client: FlaskClient, source: str, timezone: str) -> None:
    answer = client.post("/api/v1/timezones/changes", json={"source": source, "timezone": timezone})
    assert answer.status_code == 202, answer.text
    until(lambda: client.get("/api/v1/changes").json["last"]["state"] == "done")
    until(lambda: zones(client).get(source, "") == timezone)


def zones(client: FlaskClient) -> dict[str, str]:
    sources = client.get("/api/v1/sources").json["sources"]
    return {one["source"]: one["timezone"] for one in sources if one["timezone"]}


def page_zones(client: FlaskClient) -> dict[str, str]:
    _, _, rest = client.get("/").text.partition('data-timezones="')
    return json.loads(unescape(rest.partition('"')[0])) if rest else {}


@pytest.mark.thorough
def test_a_sources_zone_is_planned_and_set_and_then_its_default(place: Place, client: FlaskClient) -> None:
    wanted = {"source": "gate", "timezone": "Europe/Berlin"}
    plan = client.post("/api/v1/timezones/plan", json=wanted).json
    assert plan["frames"] == 12
    assert "Its first frame: 2024-05-01 08:00:00 UTC becomes 2024-05-01 10:00:00 CEST." in plan["lines"]
    assert read_timezones(place.store) == {}
    assert client.get("/api/v1/counts?source=gate").json["timezone"] == "UTC"
    set_zone(client, "gate", "Europe/Berlin")
    assert client.post("/api/v1/timezones/plan", json=wanted).json["frames"] == 0
    assert client.get("/api/v1/footage?source=gate").json["timezone"] == "Europe/Berlin"
    for asked, timezone in (
        ("source=gate", "Europe/Berlin"),
        ("source=Gate", "Europe/Berlin"),
        ("source=gate&timezone=Asia/Tokyo", "Asia/Tokyo"),
        ("source=gate&source=yard", "UTC"),
        ("", "UTC"),
    ):
        assert client.get(f"/api/v1/counts?{asked}").json["timezone"] == timezone, asked
    assert page_zones(client) == {"gate": "Europe/Berlin"}
    set_zone(client, "yard", "Europe/Berlin")
    assert client.get("/api/v1/counts").json["timezone"] == "Europe/Berlin"
    assert page_zones(client) == {"": "Europe/Berlin", "gate": "Europe/Berlin", "yard": "Europe/Berlin"}
    assert "2024-05-01 10:00:00" in client.get("/history?source=gate&from=2024-05-01T10:00:00").text


@pytest.mark.parametrize(
    ("wanted", "status", "words"),
    [
        ({"source": "gate", "timezone": "Mars/Base"}, 400, "'Mars/Base' is not an IANA time zone."),
        ({"source": "gate", "timezone": "../../etc/passwd"}, 400, "is not an IANA time zone."),
        ({"source": "roof", "timezone": "UTC"}, 404, "No footage from source 'roof' has been produced."),
        ({"source": "gate"}, 400, "timezone"),
    ],
)
def test_an_impossible_zone_is_refused_with_a_remedy(
    place: Place, client: FlaskClient, wanted: dict[str, str], status: int, words: str
) -> None:
    for step in ("plan", "changes"):
        answer = client.post(f"/api/v1/timezones/{step}", json=wanted)
        assert answer.status_code == status, answer.text
        assert words in answer.json["detail"]
        assert answer.json["remedy"]
    assert read_timezones(place.store) == {}


def test_a_read_only_dashboard_sets_no_zone(place: Place, client: FlaskClient) -> None:
    closed = place.app(web_uploads=False).test_client()
    for step in ("plan", "changes"):
        answer = closed.post(f"/api/v1/timezones/{step}", json={"source": "gate", "timezone": "UTC"})
        assert answer.status_code == 403, answer.text
