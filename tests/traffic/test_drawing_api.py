"""Drawings over a source, by the API: shown, replaced, and never over another user's change."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.fakes.at_once import at_once
from tests.web.conftest import FRAME_PX, START_MS, Place
from werkzeug.test import TestResponse

from frametally.errors import Misconfigured
from frametally_traffic.drawings.file_forms import encode_file
from frametally_traffic.drawings.revisions import read_drawing

SOURCE = "junction-east"
ADDRESS = f"/api/v1/sources/{SOURCE}/drawing"
SIZE = {"width_px": FRAME_PX[0], "height_px": FRAME_PX[1]}
LINE: dict[str, Any] = {"name": "stop", **SIZE, "points": [[100, 300], [540, 310]]}
ZONE: dict[str, Any] = {"name": "box", **SIZE, "points": [[10, 10], [90, 10], [90, 80]]}


@pytest.fixture
def client(place: Place) -> FlaskClient:
    place.film({"car": 3}, name="Junction East")
    return place.app().test_client()


def draw(client: FlaskClient, drawing: object, revision: int, **headers: str) -> TestResponse:
    sent = {"If-Match": f'"{revision}"', "Content-Type": "application/json", **headers}
    return client.put(ADDRESS, data=json.dumps(drawing), headers=sent)


def test_a_source_without_drawings_gives_an_empty_drawing_and_its_picture_size(client: FlaskClient) -> None:
    answer = client.get(ADDRESS)
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"0"'
    assert answer.json == {
        "source": SOURCE,
        "source_name": "Junction East",
        "revision": 0,
        **SIZE,
        "lines": [],
        "zones": [],
        "calibrations": [],
    }


def test_a_sent_drawing_is_stored_and_shown_and_replaces_the_previous_one(
    place: Place, client: FlaskClient
) -> None:
    first = draw(client, {"lines": [LINE], "zones": [ZONE]}, 0)
    assert (first.status_code, first.headers["ETag"]) == (200, '"1"')
    shown = client.get(ADDRESS)
    assert shown.json == first.json
    assert shown.json["lines"][0]["points"] == LINE["points"]
    assert shown.json["lines"][0]["to_right"] == "forward"
    second = draw(client, {"zones": [ZONE]}, 1)
    assert (second.json["lines"], second.json["revision"]) == ([], 2)
    assert read_drawing(place.store, SOURCE).zones[0].name == "box"


def test_an_exported_drawing_can_be_sent_and_makes_no_revision_if_nothing_changes(
    place: Place, client: FlaskClient
) -> None:
    draw(client, {"lines": [LINE]}, 0)
    exported = json.loads(encode_file(read_drawing(place.store, SOURCE)))
    assert draw(client, exported, 1).headers["ETag"] == '"1"'


@pytest.mark.thorough
def test_the_second_of_two_changes_is_refused_and_nothing_of_the_first_is_lost(client: FlaskClient) -> None:
    assert draw(client, {"lines": [LINE]}, 0).status_code == 200
    second = draw(client, {"zones": [ZONE]}, 0)
    assert second.status_code == 412
    assert second.mimetype == "application/problem+json"
    assert "it is now at revision 1, but your change is based on revision 0" in second.json["detail"]
    assert [one["name"] for one in client.get(ADDRESS).json["lines"]] == ["stop"]


def test_only_one_of_many_simultaneous_changes_succeeds(place: Place, client: FlaskClient) -> None:
    app = client.application
    drawn = [{"lines": [{**LINE, "name": f"l{number}"}]} for number in range(8)]
    answers = at_once(*(partial(draw, app.test_client(), lines, 0) for lines in drawn))
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 7]
    assert read_drawing(place.store, SOURCE).revision == 1


def test_a_change_must_name_the_revision_that_it_is_based_on(client: FlaskClient) -> None:
    sent = {"Content-Type": "application/json"}
    assert client.put(ADDRESS, data="{}", headers=sent).status_code == 428
    assert client.put(ADDRESS, data="{}", headers={**sent, "If-Match": "*"}).status_code == 412
    assert draw(client, {"lines": [LINE]}, 0, **{"If-Match": 'W/"0"'}).status_code == 200


@pytest.mark.thorough
@pytest.mark.parametrize(
    "sent_as", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"]
)
def test_a_request_that_another_sites_form_could_send_is_refused(client: FlaskClient, sent_as: str) -> None:
    assert draw(client, {"lines": [LINE]}, 0, **{"Content-Type": sent_as}).status_code == 415
    assert client.post("/api/v1/calibrations/try", data="{}", content_type=sent_as).status_code == 415
    assert client.get(ADDRESS).json["revision"] == 0


def test_an_allowed_sites_page_can_read_a_drawing_but_not_change_it(place: Place) -> None:
    site = "https://intranet.example"
    client = place.app(web_allowed_origins=site).test_client()
    asked = {"Origin": site, "Access-Control-Request-Method": "PUT"}
    answer = client.options(ADDRESS, headers=asked)
    assert "PUT" not in answer.headers["Access-Control-Allow-Methods"]


BAD = {
    "crosses itself": (
        {"lines": [{**LINE, "points": [[0, 0], [100, 100], [100, 0], [0, 100]]}]},
        "line 'stop'",
    ),
    "outside": ({"zones": [{**ZONE, "points": [[10, 10], [9000, 10], [90, 80]]}]}, "zone 'box'"),
    "another size": ({"lines": [{**LINE, "width_px": 1000, "height_px": 1000}]}, "line 'stop'"),
    "one name": ({"lines": [LINE], "zones": [{**ZONE, "name": "stop"}]}, "'stop' exists twice"),
    "a name": ({"lines": [{**LINE, "name": "<script>"}]}, "<script>"),
    "times": ({"lines": [{**LINE, "from_ms": 5, "to_ms": 5}]}, "ends before it begins"),
    "unknown": ({"lines": [{**LINE, "colour": "red"}]}, "'colour'"),
    "another form": ({"x": 1, "y": 1, "width": 10, "height": 10}, "the drawing"),
    "another source": ({"source": "elsewhere", "lines": [LINE]}, "'elsewhere'"),
    "many points": ({"lines": [{**LINE, "points": [[1, n] for n in range(9)]}]}, "points"),
    "horizon": (
        {
            "calibrations": [
                {
                    "name": "ground",
                    **SIZE,
                    "points": [[0, 400], [100, 400], [200, 400], [300, 400]],
                    "metres": [[0, 0], [1, 0], [2, 0], [3, 0]],
                }
            ]
        },
        "calibration 'ground'",
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("drawing, named", BAD.values(), ids=BAD)
def test_an_invalid_shape_is_a_400_that_names_it_and_changes_nothing(
    client: FlaskClient, drawing: object, named: str
) -> None:
    assert draw(client, {"lines": [{**LINE, "name": "kept"}]}, 0).status_code == 200
    answer = draw(client, drawing, 1)
    assert answer.status_code == 400
    assert named in answer.json["detail"]
    assert "\n" not in answer.json["detail"]
    assert "Nothing was changed" in answer.json["remedy"]
    assert client.get(ADDRESS).json["revision"] == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    "sent", ["", "[", "[]", "null", '{"lines": [NaN]}', "[" * 100_000, "\ud800", '{"v": 1e999}']
)
def test_a_body_that_is_not_a_drawing_is_a_400(client: FlaskClient, sent: str) -> None:
    headers = {"If-Match": '"0"', "Content-Type": "application/json"}
    body = sent.encode("utf-8", "surrogatepass")
    answer = client.put(ADDRESS, data=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert client.post("/api/v1/calibrations/try", data=body, headers=headers).status_code == 400


def test_a_body_larger_than_any_drawing_is_not_read(client: FlaskClient) -> None:
    answer = draw(client, {"lines": [{**LINE, "points": [[1, 1]] * 200_000}]}, 0)
    assert (answer.status_code, answer.mimetype) == (413, "application/problem+json")


def test_a_drawing_over_larger_earlier_frames_or_the_original_is_accepted(client: FlaskClient) -> None:
    original = {**LINE, "width_px": 1920, "height_px": 1440, "points": [[100, 300], [1900, 1400]]}
    assert draw(client, {"lines": [original]}, 0).status_code == 200


@pytest.mark.thorough
def test_a_read_only_dashboard_names_the_missing_permission(
    place: Place, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise Misconfigured(
            "drawings/junction-east/000001.json may not be written: give this key s3:PutObject"
        )

    monkeypatch.setattr(type(place.store), "put", refuse)
    answer = draw(client, {"lines": [LINE]}, 0)
    assert answer.status_code == 503
    assert "give this key s3:PutObject" in answer.json["detail"]
    assert client.get(ADDRESS).json["revision"] == 0


@pytest.mark.thorough
@pytest.mark.parametrize("source", ["junction-west", "x" * 500, "..", "%00", "<b>"])
def test_an_unknown_source_is_a_404_that_names_similar_ones(client: FlaskClient, source: str) -> None:
    answer = client.get(f"/api/v1/sources/{source}/drawing")
    assert answer.status_code in (400, 404)
    if source == "junction-west":
        assert answer.json["remedy"] == f"Did you mean {SOURCE}?"
        assert client.get(f"/api/v1/sources/{source}/frame").status_code == 404


def test_the_picture_to_draw_over_is_the_first_since_a_time_or_the_last(client: FlaskClient) -> None:
    address = f"/api/v1/sources/{SOURCE}/frame"
    last_ms = START_MS + 23 * 5000 + 200
    newest = client.get(address).json
    assert newest["captured_at_ms"] in range(START_MS, last_ms + 1)
    found = client.get(address, query_string={"at": START_MS + 7000}).json
    assert found["captured_at_ms"] == START_MS + 10_200
    assert (found["width_px"], found["height_px"]) == FRAME_PX
    assert client.get(found["image_url"]).status_code == 200
    assert client.get(address, query_string={"at": "2025-01-01T00:00:00Z"}).json == newest
    assert client.get(address, query_string={"at": START_MS - 10**9}).json["captured_at_ms"] == START_MS + 200


def test_a_calibration_can_be_tried_without_storing_it(place: Place, client: FlaskClient) -> None:
    def tried(**changes: object) -> Any:
        sent = {"name": "ground", **SIZE, **changes}
        return client.post("/api/v1/calibrations/try", json=sent).json

    points = [[100, 460], [540, 460], [420, 200], [220, 200]]
    metres = [[0, 0], [10, 0], [10, 40], [0, 40]]
    assert tried()["verdict"] == "incomplete"
    assert tried(points=points)["verdict"] == "incomplete"
    assert tried(points=points[:2], distance_m=12.0)["verdict"] == "rough"
    four = tried(points=points, metres=metres)
    assert (four["verdict"], len(four["matrix"]), len(four["errors_px"])) == ("unchecked", 9, 4)
    assert four["error_px"] == pytest.approx(0, abs=1e-6)
    line = tried(points=[[0, 400], [100, 400], [200, 400], [300, 400]], metres=metres)
    assert line["verdict"] == "refused"
    assert line["matrix"] is None
    assert "line" in line["words"]
    five = tried(points=[*points, [320, 276]], metres=[*metres, [5, 21]])
    assert five["verdict"] == "good"
    assert 0 < five["error_px"] < 5
    assert not list(place.store.list("drawings"))
