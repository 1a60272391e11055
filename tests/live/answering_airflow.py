"""A server with a test's answers in the place of Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.kit.http_server import Answers, answering

TOKEN, DAG, RUNS = "/auth/token", "/api/v2/dags/frametally_stream", "/api/v2/dags/frametally_stream/dagRuns"
Answer = Callable[[Answers], None]


def says(status: int, said: object = None, **headers: str) -> Answer:
    """A JSON answer; `bytes` are sent unchanged."""

    def answer(request: Answers) -> None:
        request.answer(status, said if isinstance(said, bytes) else json.dumps(said).encode(), **headers)

    return answer


class AnsweringAirflow:
    """Answers as Airflow 3 does, except for the paths in `answers`; keeps the requests."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.runs: dict[str, dict[str, Any]] = {}
        self.url = ""

    def usual(self, request: Answers, body: dict[str, Any]) -> Answer:
        if request.path == TOKEN:
            is_right = body == {"username": "frametally", "password": self.password}
            return says(201, {"access_token": "a-token"}) if is_right else says(401, {"detail": str(body)})
        if request.headers["Authorization"] != "Bearer a-token":
            return says(403)
        if request.path == DAG:
            return says(200, {"dag_id": "frametally_stream", "is_paused": False})
        if body["dag_run_id"] in self.runs:
            return says(409)
        self.runs[body["dag_run_id"]] = body
        return says(200, {"dag_run_id": body["dag_run_id"]})


@contextmanager
def answering_airflow(airflow: AnsweringAirflow) -> Iterator[AnsweringAirflow]:
    class Handler(Answers):
        def respond(self) -> None:
            sent = self.read()
            airflow.asked.append((self.command, self.path, sent.decode()))
            answer = airflow.answers.get(self.path)
            with suppress(OSError):  # the client has hung up
                (answer or airflow.usual(self, json.loads(sent or b"{}")))(self)

        do_GET = do_POST = respond  # noqa: N815 - as the library has it

    with answering(Handler) as airflow.url:
        yield airflow
