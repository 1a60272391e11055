"""Footage is deleted, retimed and renamed by the API: first the expected effect, then the change
in a thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS, put_footage

from frametally.media import mending
from frametally.media.lookup import media_of_source
from frametally.media.manifests import list_manifests
from frametally.records import MediaManifest, encode
from frametally_web.app import parts_of
from frametally_web.changes.routes import footage_desk

DAY_MS = 86_400_000


@pytest.fixture
def client(place: Place) -> Iterator[FlaskClient]:
    put_footage(place)
    yield place.app().test_client()


def ask(client: FlaskClient, step: str, what: str, *, source: str = "gate", **wanted: Any) -> Any:
    answer = client.post(f"/api/v1/footage/{step}", json={"what": what, "source": source, **wanted})
    assert answer.status_code == (202 if step == "changes" else 200), answer.text
    return answer.json


def ended(client: FlaskClient) -> Any:
    for _ in range(600):
        last = client.get("/api/v1/changes").json["last"]
        if last["state"] != "running":
            return last
        time.sleep(0.05)
    raise AssertionError("the change does not end")


def media(place: Place) -> dict[str, MediaManifest]:
    return {one.source: one for one in list_manifests(place.store)}


def test_a_sources_footage_is_listed(client: FlaskClient) -> None:
    found = client.get("/api/v1/footage?source=Gate").json
    assert (found["source"], found["name"], found["frames"], found["from_ms"]) == (
        "gate",
        "Gate",
        12,
        START_MS,
    )
    assert [one["name"] for one in found["recordings"]] == ["Gate.mp4"]
    absent = client.get("/api/v1/footage?source=roof")
    assert absent.status_code == 404
    assert "Sources: Gate, Yard." in absent.json["remedy"]


def test_forgetting_first_shows_what_each_day_will_lose(place: Place, client: FlaskClient) -> None:
    before = media(place)
    plan = ask(client, "plan", "forget", from_ms=START_MS + 30_000)
    [day] = plan["days"]
    assert (day["name"], day["day"], day["frames_before"], day["frames_after"]) == (
        "Gate",
        "2024-05-01",
        12,
        6,
    )
    assert day["detections_before"] > day["detections_after"] > 0
    assert plan["lines"] == [
        "6 analysed frames of 1 recording will no longer count.",
        "The pictures stay stored. To undo it, produce the footage again.",
    ]
    assert media(place) == before
    assert ask(client, "changes", "forget")["state"] == "running"
    last = ended(client)
    assert (last["state"], last["target"]) == ("done", "Gate")
    assert last["changed"] == {"source": "gate", "from_ms": START_MS // DAY_MS * DAY_MS} | {
        "to_ms": START_MS // DAY_MS * DAY_MS + DAY_MS
    }
    assert media(place).keys() == {"yard"}
    assert client.get("/api/v1/changes").json["unfinished"] == []


def test_a_renamed_source_is_merged_with_an_existing_one_of_that_name(
    place: Place, client: FlaskClient
) -> None:
    plan = ask(client, "plan", "rename", name="Yard")
    assert "“Yard” already has footage: both will become one source." in plan["lines"]
    ask(client, "changes", "rename", name="Roof")
    assert ended(client)["state"] == "done"
    assert {(one.source, one.source_name) for one in media(place).values()} == {
        ("roof", "Roof"),
        ("yard", "Yard"),
    }


@pytest.mark.parametrize(
    ("wanted", "status", "words"),
    [
        ({"what": "forget", "source": "roof"}, 404, "No footage from source 'roof' has been produced."),
        ({"what": "forget", "source": "gate", "to_ms": 0}, 400, "There is no footage in this time range"),
        ({"what": "rename", "source": "gate", "name": "  "}, 400, "The source needs a name"),
        ({"what": "retime", "source": "gate"}, 400, "The time of the first frame is missing"),
        ({"what": "retime", "source": "gate", "start_ms": 10**18}, 400, "not a valid change of footage"),
        (
            {"what": "forget", "source": "gate", "medium": "0" * 12},
            404,
            "has been forgotten, or never existed",
        ),
    ],
)
def test_an_impossible_change_is_refused_in_one_sentence_and_changes_nothing(
    place: Place, client: FlaskClient, wanted: dict[str, Any], status: int, words: str
) -> None:
    before = media(place)
    for step in ("plan", "changes"):
        answer = client.post(f"/api/v1/footage/{step}", json=wanted)
        assert answer.status_code == status, answer.text
        assert words in answer.json["detail"]
    assert media(place) == before


def test_a_read_only_dashboard_refuses_every_change_and_resumes_none(
    place: Place, client: FlaskClient
) -> None:
    closed = place.app(web_uploads=False)
    forgetting = {"what": "forget", "source": "gate"}
    for path, body in (
        ("footage/plan", forgetting),
        ("footage/changes", forgetting),
        ("changes/finish", None),
    ):
        answer = closed.test_client().post(f"/api/v1/{path}", json=body)
        assert answer.status_code == 403, answer.text
    note_change(place)
    parts_of(closed).resume()
    assert parts_of(closed).context.shared(footage_desk).last is None


def note_change(place: Place) -> None:
    """As left by a server that was killed after it had begun."""
    gate = media_of_source(place.store, "gate")
    change = mending.plan_retiming(gate, "Gate", start_ms=START_MS + DAY_MS, delete=False)
    place.store.put(change.key, encode(change))


def test_a_change_interrupted_by_a_kill_continues_when_the_server_starts_again(
    place: Place, client: FlaskClient
) -> None:
    note_change(place)
    assert client.get("/api/v1/changes").json["unfinished"] == ["retime of Gate"]
    app = place.app()
    parts_of(app).resume()
    assert ended(app.test_client())["lines"] == ["12 frames announced again.", "Finished: retime of Gate."]
    assert media(place)["gate"].start_ms == START_MS + DAY_MS
    assert client.get("/api/v1/changes").json["unfinished"] == []
