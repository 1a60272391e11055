"""The API of the models page: the cost of models here, and a second count that keeps the first one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from tests.web.conftest import Place
from tests.web.second_counts import OTHER, PRESENT, command

__all__ = ["command"]
Command = Callable[..., Path]


@pytest.fixture
def client(place: Place) -> FlaskClient:
    place.film({"car": 2}, intervals=24, interval_s=60, seed=3, model=PRESENT)
    place.film({"car": 5}, intervals=24, interval_s=60, seed=2, model=OTHER)
    return place.app(web_uploads=True).test_client()


def send(client: FlaskClient, step: str, name: str = "", status: int = 202) -> Any:
    answer = client.post(f"/api/v1/presets/{step}", json={"name": name} if name else {})
    assert answer.status_code == status, answer.text
    return answer.json


def ended(client: FlaskClient) -> Any:
    for _ in range(600):
        answer = client.get("/api/v1/presets").json
        if answer["last"]["state"] != "running":
            return answer
        time.sleep(0.02)
    raise AssertionError("it does not end")


def test_the_command_measures_models_and_the_one_in_use_comes_first(
    client: FlaskClient, command: Command
) -> None:
    assert client.get("/api/v1/presets").json == {
        "models": None,
        "last": None,
        "with_counts": [OTHER, PRESENT],
    }
    send(client, "measure")
    answer = ended(client)
    assert [(one["name"], one["cpu_ms"], one["why_no_speed"]) for one in answer["models"]] == [
        ("tiny", 60.0, ""),
        ("fast", 20.0, ""),
        ("thorough", None, "not downloaded"),
    ]
    assert answer["with_counts"] == [PRESENT, OTHER]


def test_a_second_count_is_planned_then_made_and_both_counts_are_reported(
    client: FlaskClient, command: Command
) -> None:
    send(client, "measure")
    ended(client)
    plan = send(client, "plan", "fast", 200)
    assert plan["frames"] > 0
    assert "Both counts are kept. The present ones do not change." in plan["lines"]
    assert plan["lines"][-1].endswith("of CPU time.")
    assert "big is downloaded first: 24.3 MB." in send(client, "plan", "thorough", 200)["lines"]
    folder = command(labels=({"label": "car", "now": 48, "other": 120},), waits=True)
    assert send(client, "changes", "fast")["what"] == "count"
    assert send(client, "changes", "fast", 409)["detail"]
    (folder / "go").touch()
    last = ended(client)["last"]
    assert last["state"] == "done"
    assert last["lines"] == ["Both counts are kept.", "car: 120, with the model in use 48."]
    assert "count fast --json --data-dir" in (folder / "asked").read_text()


def test_footage_that_was_deleted_entirely_leaves_nothing_to_compare_with(
    client: FlaskClient, place: Place, command: Command
) -> None:
    send(client, "measure")
    ended(client)
    for run in place.real_index.current_runs():
        emptied = msgspec.structs.replace(
            run, sequence=run.sequence + 10, run_id=f"{run.sequence + 10:06d}-0123456789abcdef", frames=0
        )
        assert place.real_index.publish(emptied, [], [])
    plan = send(client, "plan", "fast", 200)
    assert (plan["frames"], plan["lines"]) == (0, ["There are no counts yet to compare with."])


def test_an_unusable_model_is_refused_and_a_failure_names_its_reason(
    client: FlaskClient, place: Place, command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(client, "plan", "fast", 404)["remedy"] == "Reload the page."
    send(client, "measure")
    ended(client)
    assert send(client, "plan", "tiny", 409)["detail"] == "tiny is in use already."
    command("the log is unavailable; start it")
    send(client, "changes", "fast")
    last = ended(client)["last"]
    [logged] = [record for record in caplog.records if record.name.startswith("frametally_web.changes")]
    assert (logged.getMessage(), logged.exc_info) == (
        "a change failed: the log is unavailable; start it",
        None,
    )
    assert last["state"] == "failed"
    assert last["lines"] == ["The log is unavailable; start it.", "Apply the remedy, then reload the page."]
    closed = place.app(web_uploads=False).test_client()
    for step, name in (("measure", ""), ("plan", "fast"), ("changes", "fast")):
        assert send(closed, step, name, 403)["detail"] == "You cannot run models here."
