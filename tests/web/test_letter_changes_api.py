"""Dead letters are retried or dropped by the API: first the expected effect, then the change in a thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.fakes.records import make_announcement
from tests.kit.clips import grey_jpeg
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS, make_lines, publish_lines, put_dead_letters
from tests.web.test_footage_changes_api import ended

from frametally.records import encode
from frametally_web.books.reader import BooksReader


@pytest.fixture
def client(place: Place) -> Iterator[FlaskClient]:
    """A gate with three dead letters: a picture that is back, one that is still gone, and no announcement."""
    publish_lines(place, make_lines("gate", frames=12))
    back, gone = make_lines("gate", frames=2, start_ms=START_MS + 60_000)
    picture = grey_jpeg(back.width_px, back.height_px, 120)
    place.store.put(back.image_path, picture)
    put_dead_letters(
        place,
        [
            (back, "missing", "no such object"),
            (gone, "missing", "no object"),
            (None, "malformed", "not JSON"),
        ],
        {back.image_path: encode(make_announcement(back, picture))},
    )
    place.log.create_topic("dead", 1)
    yield place.app().test_client()


def ask(client: FlaskClient, what: str, step: str, **wanted: Any) -> Any:
    answer = client.post(f"/api/v1/dead-letters/{step}", json={"what": what, **wanted})
    assert answer.status_code == (202 if step == "changes" else 200), answer.text
    return answer.json


def announced(place: Place) -> int:
    return sum(place.log.end_offsets("dead").values())


def left(client: FlaskClient) -> list[str]:
    return [one["cause"] for one in client.get("/api/v1/dead-letters").json["dead_letters"]]


def test_a_plan_shows_what_would_be_tried_again_and_changes_nothing(
    place: Place, client: FlaskClient
) -> None:
    plan = ask(client, "replay", "plan", cause="missing")
    assert plan["frames"] == 1
    assert plan["lines"] == [
        "1 frame can be read now and will be announced again.",
        "1 frame still cannot be read and will stay here.",
        "The consumer will analyse these frames next, and then the counts will change.",
    ]
    assert len(plan["left_alone"]) == 1
    assert announced(place) == 0
    assert client.get("/api/v1/changes").json == {"last": None, "unfinished": []}


def test_letters_that_can_be_read_again_are_announced_on_their_topic(
    place: Place, client: FlaskClient
) -> None:
    assert ask(client, "replay", "changes", cause="missing")["state"] == "running"
    last = ended(client)
    assert (last["state"], last["lines"][0]) == ("done", "1 frame announced again.")
    assert announced(place) == 1


def test_one_letter_or_all_with_one_cause_can_be_dropped_and_are_not_listed_again(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get("/api/v1/dead-letters?cause=missing").json["dead_letters"][0]["id"]
    assert ask(client, "drop", "plan", ids=[first])["frames"] == 1
    assert left(client) == ["missing", "missing", "malformed"]
    # As if each reading came too late: no request has to wait for it.
    monkeypatch.setattr(BooksReader, "_read", lambda self, **_: None)
    monkeypatch.setattr("frametally_web.books.reader._FRESH_READING_S", 0.01)
    ask(client, "drop", "changes", ids=[first])
    assert ended(client)["lines"] == ["1 frame dropped."]
    assert left(client) == ["missing", "malformed"]
    gone = client.post("/api/v1/dead-letters/plan", json={"what": "drop", "ids": [first]})
    assert gone.status_code == 404
    assert "Reload the page" in gone.json["remedy"]


def test_a_read_only_dashboard_refuses(place: Place, client: FlaskClient) -> None:
    closed = place.app(web_uploads=False).test_client()
    for step in ("plan", "changes"):
        answer = closed.post(f"/api/v1/dead-letters/{step}", json={"what": "drop"})
        assert answer.status_code == 403, answer.text


def test_only_one_change_runs_at_a_time(place: Place, client: FlaskClient) -> None:
    from frametally.actions.problems import Problem
    from frametally_web.changes.desk import ChangeDesk, ChangeOutcome, ChangeSteps

    desk = ChangeDesk(lambda: None)
    steps: list[ChangeSteps] = []

    def work(now: ChangeSteps) -> ChangeOutcome:
        steps.append(now)
        for done in range(10_000):
            now.update(done, 10_000)
            time.sleep(0.01)
        return ChangeOutcome(["done"])

    desk.start("drop", "all", work)
    with pytest.raises(Problem, match="Another change"):
        desk.start("drop", "all", work)
    desk.close()  # a stopping server does not wait for the last step
    assert desk.last.state == "running"
    assert desk.last.done < 9_000
