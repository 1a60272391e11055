"""The page contains the first answers of its query: the API's, for this visitor, and never late."""

from __future__ import annotations

import html
import json
import re
import time
from typing import Any
from urllib.parse import parse_qs

import pytest
from tests.web.conftest import Place

from frametally.process.time_limit import seconds_left

ADDRESSES = [
    "",
    "?timezone=Asia/Kolkata",
    "?source=East&source=west&label=car&metric=peak&interval=60&timezone=Europe/Berlin",
    "?from=2024-05-01T08:00:10Z&to=2024-05-01T08:01:00Z&hours=07:00-09:00&weekdays=3,1&timezone=UTC",
]
ROUTES = ["counts", "evidence", "catalogue", "summary"]


@pytest.fixture
def filmed(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Two sources; a busy machine has enough time for the first answers."""
    monkeypatch.setattr("frametally_web.pages.MOST_S", 60)
    east = place.film({"car": 6, "bus": 2}, source="east", name="East", seed=1)
    place.film({"car": 3, "</script><b>": 9}, source="west", seed=2, also=east)
    return place


def answers_in(page: str) -> list[dict[str, Any]]:
    [text] = re.findall(r'<script type="application/json" id="first-answers">(.*?)</script>', page)
    answers: list[dict[str, Any]] = json.loads(text)
    return answers


def picture_in(page: str) -> str:
    figure = page.partition('<figure id="sight"')[2].partition("</figure>")[0]
    return html.unescape("".join(re.findall(r'<img src="([^"]+)"', figure)))


@pytest.mark.parametrize("address", ADDRESSES)
def test_each_answer_in_the_page_equals_the_apis_answer_to_its_query(filmed: Place, address: str) -> None:
    client = filmed.app().test_client()
    page = client.get(f"/{address}").text
    answers = answers_in(page)
    assert [answer["route"] for answer in answers] == ROUTES
    for answer in answers:
        asked = client.get(f"/api/v1/{answer['route']}?{answer['query']}")
        assert (answer["body"], answer["version"]) == (asked.json, asked.headers["Frametally-Counts-Version"])
    asked_query = parse_qs(answers[0]["query"])
    for name in ("label", "metric", "interval", "hours", "timezone"):
        assert asked_query.get(name) in (parse_qs(address[1:]).get(name), ["auto"], ["UTC"])
    frames = answers[1]["body"]["frames"]
    busiest = max(frames, key=lambda frame: frame["count"])
    assert picture_in(page) == busiest["image_url"] + "&w=640"
    assert client.get(picture_in(page)).mimetype == "image/jpeg"


def test_an_open_bar_has_its_own_frames_so_the_page_brings_no_busiest_picture(filmed: Place) -> None:
    page = filmed.app().test_client().get("/?at=2024-05-01T08:00:00Z").text
    assert [answer["route"] for answer in answers_in(page)] == ["counts", "catalogue", "summary"]
    assert picture_in(page) == ""


def test_without_data_the_page_brings_empty_answers_and_no_picture(place: Place) -> None:
    page = place.app().test_client().get("/").text
    assert {answer["body"]["model"] for answer in answers_in(page)} == {None}
    assert picture_in(page) == ""


@pytest.mark.parametrize("address", ["?metric=wrong", "?from=2024-05-02&to=2024-05-01", "?label=nothing"])
def test_a_refused_query_brings_no_answers_and_the_script_shows_why(filmed: Place, address: str) -> None:
    answer = filmed.app().test_client().get(f"/{address}")
    assert (answer.status_code, answers_in(answer.text)) == (200, [])


def test_while_the_index_is_down_the_page_comes_without_answers(filmed: Place) -> None:
    client = filmed.app().test_client()
    filmed.go_away()
    answer = client.get("/")
    assert (answer.status_code, answers_in(answer.text), picture_in(answer.text)) == (200, [], "")


class SilentIndex:
    """An index that does not answer before the time limit of a query."""

    def __getattr__(self, name: str) -> Any:
        while seconds_left() is not None:
            time.sleep(0.01)
        raise AssertionError(f"{name} was asked without a time limit")


def test_an_index_that_does_not_answer_delays_the_page_only_for_a_moment(place: Place) -> None:
    place.index = SilentIndex()  # type: ignore[assignment]
    answer = place.app(web_query_timeout_s=1).test_client().get("/")
    assert (answer.status_code, answers_in(answer.text)) == (200, [])
