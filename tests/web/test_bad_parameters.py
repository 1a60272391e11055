"""Bad queries: every one is a 400 that names its parameter and the remedy, never a 500."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from tests.web.conftest import Place

ROUTES = [
    *("models", "labels", "sources", "counts", "heatmap", "evidence", "frames", "objects", "runs", "status"),
    *("export", "frames/image", "frames/boxes", "summary", "differences", "dead-letters", "catalogue"),
]
MODEL = "yolov4-tiny-opencv-fp32-1a2b3c4d"


_SELECTION = "label, source, from, to, model, timezone, hours, weekdays, base"


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Any:
    place = make_place(tmp_path_factory.mktemp("bad"))
    place.film({"car": 4, "bus": 1}, interval_s=60, intervals=30)
    yield place
    place.close()


@pytest.fixture(scope="module")
def client(filmed: Place) -> FlaskClient:
    """A dashboard that refuses all requests."""
    return filmed.app().test_client()


@pytest.mark.parametrize(
    ("query", "parameter", "said"),
    [
        ("counts?interval=0", "interval", "seconds"),
        ("counts?interval=-60", "interval", "seconds"),
        ("counts?interval=1.5", "interval", "seconds"),
        ("counts?interval=minute", "interval", "seconds"),
        ("counts?interval=9999999999999", "interval", "seconds"),
        ("counts?interval=٣", "interval", "seconds"),
        ("counts?interval=90", "interval", "60"),
        ("counts?interval=60&interval=120", "interval", "once"),
        ("frames?base=minute", "base", "base=60"),
        ("frames?base=0", "base", "base=60"),
        ("frames?base=60&base=5", "base", "once"),
        ("counts?base=900&interval=60", "base", "(seconds): 60,"),
        ("heatmap?base=5", "base", "(seconds): 60,"),
        ("counts?from=yesterday", "from", "ISO 8601"),
        ("counts?from=2024-13-01", "from", "ISO 8601"),
        ("counts?to=2024-05-01T25:00", "to", "ISO 8601"),
        ("counts?to=1e3", "to", "ISO 8601"),
        ("counts?from=999999999999999999", "from", "1 to 9999"),
        ("counts?from=-" + "9" * 150, "from", "1 to 9999"),
        ("counts?from=2024-05-02&to=2024-05-01", "to", "the range stops just before it."),
        ("counts?from=2024-05-01&to=2024-05-01", "to", "Choose a later `to`"),
        ("counts?from=2024-05-01&from=2024-05-02", "from", "once"),
        ("counts?model=gpt", "model", MODEL),
        ("labels?model=gpt", "model", MODEL),
        ("sources?model=gpt", "model", MODEL),
        ("evidence?model=gpt", "model", MODEL),
        ("evidence?from=yesterday", "from", "ISO 8601"),
        (
            "counts?lable=car",
            "lable",
            "base, zone, interval, metric, by, top",
        ),
        ("models?model=x", "model", "no parameters"),
        ("models?=x", "", "no parameters"),
        (
            "evidence?interval=60",
            "interval",
            _SELECTION,
        ),
        ("counts?label=" + "x" * 201, "label", "200"),
        ("counts?source=a%00b", "source", "NUL"),
        ("counts?" + "&".join(f"label=l{n}" for n in range(201)), "label", "200"),
        ("counts?interval=60&from=0001-01-01&to=9999-01-01", "interval", "or longer"),
        ("counts?top=-1", "top", "top=6"),
        ("counts?top=few", "top", "top=6"),
        ("counts?label=bsu", "label", "Did you mean bus?"),
        ("counts?label=Cra", "label", "Did you mean car?"),
        ("heatmap?label=car&label=zebra", "label", "Choose from: car, bus."),
        ("export?label=zebra", "label", "Choose from: car, bus."),
        ("frames?source=junction-west", "source", "Did you mean junction-east?"),
        ("objects?label=zebra", "label", "Choose from: car, bus."),
        ("evidence?source=yard", "source", "Choose from: junction-east."),
        ("counts?timezone=Mars/Olympus", "timezone", "Europe/Berlin"),
        ("counts?timezone=../../etc/passwd", "timezone", "Europe/Berlin"),
        ("counts?metric=boxes", "metric", "detections, mean_per_frame, peak, objects, auto"),
        ("counts?by=label", "by", "source"),
        ("export?format=pdf", "format", "csv, json, parquet, xlsx"),
        ("frames?limit=0", "limit", "at most 100"),
        ("frames?limit=101", "limit", "at most 100"),
        ("frames?limit=0000000001", "limit", "at most 100"),
        ("frames?cursor=x", "cursor", "unchanged"),
        ("frames?cursor=WzEsMl0=", "cursor", "unchanged"),
        ("objects?cursor=" + "x" * 1001, "cursor", "1000"),
        ("runs?limit=many", "limit", "at most 200"),
        ("differences", "compare", "compare=week"),
        ("differences?compare=month", "compare", "week"),
        ("differences?compare=week&limit=101", "limit", "at most 100"),
        ("frames/boxes?path=x", "path", "images/"),
        ("frames/image", "path", "images/"),
        ("frames/image?path=media/0.json", "path", "images/"),
    ],
)
def test_a_bad_parameter_is_named_with_its_remedy(
    client: FlaskClient, query: str, parameter: str, said: str
) -> None:
    answer = client.get(f"/api/{query}")
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    problem = answer.json
    assert problem["type"] == "/api/docs#error-bad-request"
    assert problem["title"] == "Bad Request"
    assert problem["status"] == 400
    assert problem["parameter"] == parameter
    assert said in problem["remedy"]
    assert problem["detail"].endswith(".")


def test_an_answer_has_a_size_limit_and_says_how_to_request_less(
    filmed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_web.charts.counts.MOST_BARS", 100)
    app = filmed.app().test_client()
    refused = app.get("/api/counts?interval=60&from=2024-05-01&to=2024-05-02&label=car&label=bus").json
    assert "2880 bars" in refused["detail"]
    assert "FRAMETALLY" not in refused["detail"]
    assert "an interval of 1800 or longer" in refused["remedy"]
    chosen = app.get("/api/counts?from=2024-05-01&to=2024-05-02&label=car&label=bus").json
    assert chosen["interval_s"] == 1800


def test_more_labels_than_the_allowed_bars_are_a_bad_request_too(
    filmed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_web.charts.counts.MOST_BARS", 100)
    labels = "&".join(f"label=l{n}" for n in range(150))
    assert filmed.app().test_client().get(f"/api/counts?{labels}").status_code == 400


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
times = st.one_of(
    texts,
    st.integers(-(10**18), 10**18).map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
)
values = {
    "label": st.one_of(texts, st.just("car")),
    "source": st.one_of(texts, st.just("junction-east")),
    "from": times,
    "to": times,
    "interval": st.one_of(texts, st.integers(-10, 10**10).map(str)),
    "base": st.one_of(texts, st.integers(-10, 10**10).map(str), st.just("60")),
    "model": st.one_of(texts, st.just(MODEL)),
    "path": texts,
    "timezone": st.one_of(texts, st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "UTC", "../etc/passwd"])),
    "metric": st.one_of(texts, st.just("objects")),
    "by": st.one_of(texts, st.just("source")),
    "limit": st.one_of(texts, st.integers(-10, 1000).map(str)),
    "cursor": st.one_of(texts, st.just("WzEsIngiLDJd"), st.just("WzEsMiwzXQ==")),
    "compare": st.one_of(texts, st.sampled_from(["week", "source:junction-east", f"model:{MODEL}"])),
    "format": st.one_of(texts, st.just("parquet")),
}
pairs = st.sampled_from(sorted(values)).flatmap(lambda name: st.tuples(st.just(name), values[name]))


@pytest.mark.thorough
@given(st.sampled_from(ROUTES), st.lists(st.one_of(pairs, st.tuples(texts, texts)), max_size=6))
@example("models", [("", "")])
def test_no_query_makes_the_server_fail(filmed: Place, route: str, query: list[tuple[str, str]]) -> None:
    answer = filmed.app().test_client().get(f"/api/{route}?{urlencode(query)}")
    assert answer.status_code in (200, 400, 404)
    if answer.status_code == 400:
        problem = answer.json
        assert problem["parameter"] in {name for name, _ in query} | {"path", "to", "compare"}
        assert problem["remedy"]


@pytest.mark.thorough
@given(st.binary(max_size=40))
def test_no_bytes_after_the_question_mark_make_the_server_fail(filmed: Place, raw: bytes) -> None:
    query = raw.decode("latin-1")
    answer = filmed.app().test_client().get("/api/counts", query_string=query)
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize(
    ("query", "value", "instead"),
    [
        ("counts?label=car&label=bsu", "bsu", ["bus"]),
        ("frames?source=junction-west", "junction-west", ["junction-east"]),
        ("counts?label=zebra", "zebra", None),
        ("counts?interval=90", None, ["120"]),
        ("counts?interval=60&from=2024-05-01&to=2031-01-01", None, ["21600"]),
    ],
)
def test_a_program_gets_the_list_of_valid_values(
    filmed: Place, query: str, value: str | None, instead: list[str] | None
) -> None:
    client = filmed.app().test_client()
    problem = client.get(f"/api/v1/{query}").get_json()
    assert problem.get("value") == value
    assert problem.get("instead") == instead
    for other in instead or []:
        asked = re.search(rf"{problem['parameter']}=({value or '[0-9]+'})", query)
        mended = query[: asked.start(1)] + other + query[asked.end(1) :]
        assert client.get(f"/api/v1/{mended}").status_code == 200
