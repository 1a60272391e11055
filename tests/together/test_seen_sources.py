"""Visitors who may see some sources never see the others, in counts, lists and proof."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.accounts.people import KEPT, asking_as, give_accounts
from tests.traffic.zoned_footage import LEFT, count, draw, drive, put
from tests.web.conftest import MODEL, START_MS, Place, Serving
from tests.web.test_first_answers_api import answers_in, picture_in

from frametally_accounts.rights import UserAccount
from frametally_traffic.drawings.revisions import change_drawing
from frametally_traffic.line_counts.routes import LINES
from frametally_traffic.records import DrawnLine
from frametally_traffic.report_files.routes import REPORT

HIDDEN = "harbour"
DAY_MS = 86_400_000


@pytest.fixture
def two(place: Place) -> Place:
    """Two sources on one day; accounts may see one of them."""
    others = place.film({"boat": 3.0, "car": 2.0}, source=HIDDEN, name="Harbour", seed=2)
    place.film({"car": 1.0, "bus": 1.0}, source="gate", name="Gate", also=others)
    give_accounts(place, sources=("gate",))
    return place


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The one source on a server without others."""
    made = Place(tmp_path_factory.mktemp("alone"))
    made.film({"car": 1.0, "bus": 1.0}, source="gate", name="Gate")
    yield made
    made.close()


ASKED = [
    "/api/v1/counts",
    "/api/v1/counts?by=source",
    "/api/v1/labels",
    "/api/v1/sources",
    "/api/v1/catalogue",
    "/api/v1/summary",
    "/api/v1/heatmap",
    "/api/v1/export?format=csv",
    "/api/v1/counts?source=harbour",
    "/api/v1/counts?source=gate&source=harbour",
    "/api/v1/counts?label=boat",
    "/api/v1/differences?source=gate&compare=source:harbour",
    "/api/v1/frames?source=harbour&from=2024-05-01T08:00:00Z&to=2024-05-01T08:00:05Z&label=car",
    "/api/v1/gap?source=harbour&at=2024-05-01T08:00:00Z",
]


def test_a_limited_account_without_counts_is_not_advised_to_run_the_demo(
    place: Place, serving: Serving
) -> None:
    give_accounts(place, sources=("gate",))
    place.access.add_account(UserAccount("wanda", "look", ()))
    place.access.set_password("wanda", KEPT)
    url = serving(place.app())
    for name, is_limited in (("lukas", True), ("wanda", False)):
        with asking_as(url, name) as ask:
            page = ask("GET", "/", Accept="text/html").body.decode()
        assert ("no counts yet for the sources that you may see" in page) == is_limited
        assert ("make demo" in page) == (not is_limited)


@pytest.mark.thorough
@pytest.mark.parametrize("path", ASKED)
def test_answers_are_the_same_as_if_hidden_sources_did_not_exist(
    two: Place, alone: Place, serving: Serving, path: str
) -> None:
    with asking_as(serving(two.app()), "lukas") as limited:
        found = limited("GET", path)
    whole = alone.app().test_client().get(path)
    assert found.status == whole.status_code
    text = found.body.decode()
    assert HIDDEN not in text.replace("harbour'", "").replace('"value":"harbour"', "").lower()
    assert "boat" not in text or "label" in path
    if found.status == 200 and "json" in found.headers["content-type"]:
        assert numbers_of(found.json) == numbers_of(json.loads(whole.data))
    elif found.status == 200:
        assert text == whole.get_data(as_text=True)


def numbers_of(answer: Any) -> Any:
    """An answer without the keys of its frames, which differ between stores."""
    if isinstance(answer, dict):
        return {
            name: numbers_of(one) for name, one in answer.items() if "path" not in name and "url" not in name
        }
    return [numbers_of(one) for one in answer] if isinstance(answer, list) else answer


@pytest.mark.thorough
def test_frames_and_pictures_of_hidden_sources_are_not_found(two: Place, serving: Serving) -> None:
    url = serving(two.app())
    with asking_as(url, "lukas") as limited:
        told = limited("GET", "/api/v1/evidence").body.decode()
        own = re.findall(r'"image_path":"(images/[^"]+)"', told)[0]
        assert own.startswith("images/gate/")
        other = next(iter(two.store.list("images/harbour/"))).key
        assert limited("GET", f"/api/v1/frames/image?path={own}").status == 200
        for address in (f"/api/v1/frames/image?path={other}", f"/api/v1/frames/boxes?path={other}"):
            assert limited("GET", address).status == 404
        assert limited("GET", f"/api/v1/sources/{HIDDEN}/drawing").status == 404
        for refused in ("/api/v1/videos", "/api/v1/status", "/api/v1/dead-letters", "/api/v1/cameras"):
            answer = limited("GET", refused)
            assert answer.status == 403
            assert "may only see gate" in answer.json["detail"]


@pytest.mark.thorough
def test_an_answer_cached_for_one_account_is_not_given_to_another(two: Place, serving: Serving) -> None:

    assert two.access.add_account(UserAccount("wanda", "look"))
    assert two.access.set_password("wanda", KEPT)
    url = serving(two.app())
    with asking_as(url, "wanda") as all_of_it, asking_as(url, "lukas") as limited:
        whole, part = all_of_it("GET", "/api/v1/labels"), limited("GET", "/api/v1/labels")
        assert "boat" in whole.body.decode()
        assert "boat" not in part.body.decode()
        assert whole.headers["etag"] != part.headers["etag"]
        asked = limited("GET", "/api/v1/labels", If_None_Match=whole.headers["etag"])
        assert asked.status == 200


def test_the_page_contains_first_answers_only_of_sources_that_the_account_may_see(
    two: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_web.pages.MOST_S", 60)
    with asking_as(serving(two.app()), "lukas") as limited:
        page = limited("GET", "/", Accept="text/html").body.decode()
    answers = answers_in(page)
    assert [answer["route"] for answer in answers] == ["counts", "evidence", "catalogue", "summary"]
    assert answers[0]["body"]["sources"] == ["gate"]
    assert HIDDEN not in json.dumps(answers).lower()
    assert "/gate/" in picture_in(page)


def test_a_model_that_counted_only_hidden_sources_is_never_named(two: Place, serving: Serving) -> None:
    two.film({"boat": 1.0}, source=HIDDEN, model="boats-tiny-1a2b3c4d")
    with asking_as(serving(two.app()), "lukas") as limited:
        found = limited("GET", "/api/v1/models").json["models"]
        assert [one["model"] for one in found] == [MODEL]
        assert limited("GET", "/api/v1/counts").json["model"] == MODEL
        refused = limited("GET", "/api/v1/counts?model=boats-tiny-1a2b3c4d")
    assert refused.status == 400
    assert refused.json["remedy"] == f"Choose one of these: {MODEL}."


@pytest.mark.thorough
def test_a_label_counted_only_at_a_shorter_interval_is_among_the_visible_ones(
    two: Place, serving: Serving
) -> None:
    two.film({"tram": 2.0}, source="gate", start_ms=START_MS + 2 * DAY_MS, intervals=3)
    two.film(
        {"tram": 2.0, "kite": 1.0}, source="gate", start_ms=START_MS + DAY_MS, intervals=3, interval_s=60
    )
    with asking_as(serving(two.app()), "lukas") as limited:
        found = {one["label"]: one["detections"] for one in limited("GET", "/api/v1/labels").json["labels"]}
    assert set(found) == {"car", "bus", "tram", "kite"}
    whole = dict(two.real_index.labels(MODEL))
    assert [found[label] for label in ("bus", "tram", "kite")] == [
        whole[label] for label in ("bus", "tram", "kite")
    ]


@pytest.fixture
def zoned(place: Place) -> Place:
    """Objects of two sources, and a zone of each; accounts see one of them, and another that does not exist
    yet."""
    put(place, [*drive(), *drive(HIDDEN)])
    draw(place, ("left side", LEFT))
    draw(place, ("back gate", LEFT), source=HIDDEN)
    count(place)
    give_accounts(place, sources=("gate", "roof"))
    return place


@pytest.mark.thorough
@pytest.mark.parametrize("zone", ["", "&zone=left%20side"])
def test_objects_of_hidden_sources_are_not_among_those_of_a_bar(
    zoned: Place, serving: Serving, zone: str
) -> None:
    with asking_as(serving(zoned.app()), "lukas") as limited:
        found = limited("GET", f"/api/v1/objects?limit=100{zone}")
    assert {one["source"] for one in found.json["tracks"]} == {"gate"}
    assert len(found.json["tracks"]) == found.json["objects"]
    assert HIDDEN not in found.body.decode()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/counts?zone=back%20yard",
        "/api/v1/counts?zone=back%20gate",
        "/api/v1/counts?zone=back%20gate&source=harbour",
        "/api/v1/sources/roof/drawing",
        "/api/v1/sources/roof/frame",
    ],
)
def test_drawings_over_hidden_sources_are_never_named(zoned: Place, serving: Serving, path: str) -> None:
    with asking_as(serving(zoned.app()), "lukas") as limited:
        refused = limited("GET", path)
    assert refused.status == (400 if "zone" in path else 404)
    assert HIDDEN not in refused.body.decode()
    assert "back gate" not in refused.json["remedy"]


@pytest.mark.thorough
def test_a_gap_of_a_hidden_source_is_not_revealed_even_where_nothing_is_counted(
    place: Place, serving: Serving
) -> None:
    put(place, drive(HIDDEN))
    give_accounts(place, sources=("gate",))
    asked = f"/api/v1/gap?source={HIDDEN}&at=2024-05-01T08:00:00Z"
    with asking_as(serving(place.app()), "lukas") as limited:
        refused = limited("GET", asked)
    assert (refused.status, refused.json["value"]) == (400, HIDDEN)


def test_days_with_footage_only_of_hidden_sources_are_not_days_of_a_visible_line(
    place: Place, serving: Serving
) -> None:
    put(place, [*drive(frames=60), *drive(frames=60, start_ms=START_MS + 3 * DAY_MS)])
    put(place, drive(HIDDEN, frames=60, start_ms=START_MS + DAY_MS), number=1)
    draw_leg(place, LEG, "gate")
    count(place)
    give_accounts(place, sources=("gate",))
    with asking_as(serving(place.app()), "lukas") as limited:
        answer = limited("GET", "/api/v1/crossings?source=gate").json
    assert (answer["days"], answer["days_counted"]) == (2, 2)


LEG = "middle"
OF_LINES = [endpoint.path for endpoint in (*LINES.endpoints, *REPORT.endpoints)]


def draw_leg(place: Place, name: str, source: str) -> None:
    """A line that each car crosses on its way to the right."""
    leg = DrawnLine(
        name=name, points=((320, 480), (320, 0)), inward="to_right", side="W", width_px=640, height_px=480
    )
    change_drawing(place.store, source, lambda drawing: msgspec.structs.replace(drawing, lines=(leg,)))


@pytest.fixture
def lined(zoned: Place) -> Place:
    """A line of each of the two sources, besides the zones; wanda sees both sources."""
    draw_leg(zoned, LEG, "gate")
    draw_leg(zoned, "back door", HIDDEN)
    count(zoned)
    assert zoned.access.add_account(UserAccount("wanda", "look"))
    assert zoned.access.set_password("wanda", KEPT)
    return zoned


@pytest.mark.thorough
def test_lines_and_reports_of_visible_sources_are_answered_and_those_of_hidden_ones_not_found(
    lined: Place, serving: Serving
) -> None:
    url = serving(lined.app())
    with asking_as(url, "wanda") as all_of_it, asking_as(url, "lukas") as limited:
        for page in ("/lines", "/traffic"):
            assert limited("GET", page, Accept="text/html").status == 200
        for path in OF_LINES:
            asked = f"/api/v1/{path}?line={LEG}" if path == "crossings/objects" else f"/api/v1/{path}?"
            own, whole = (ask("GET", f"{asked}&source=gate") for ask in (limited, all_of_it))
            assert (own.status, whole.status) == (200, 200), path
            if "json" in own.headers["content-type"]:
                assert numbers_of(own.json) == numbers_of(whole.json)
                assert HIDDEN not in own.body.decode()
            others = limited("GET", f"{asked.replace(LEG, 'back%20door')}&source={HIDDEN}")
            assert (others.status, others.json["value"]) == (400, HIDDEN), path
            text = others.body.decode()
            assert "back" not in text.replace("back%20door", "").lower()
            both = limited("GET", f"{asked}&source=gate&source={HIDDEN}")
            assert both.status == 400
        crossed = limited("GET", "/api/v1/crossings?source=gate").json["totals"]
    assert [(total["line"], total["label"], total["to_right"] > 5) for total in crossed] == [
        (LEG, "car", True)
    ]
