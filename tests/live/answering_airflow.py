"""A server with a test's answers in the place of Airflow."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN, DAG, RUNS = "/auth/token", "/api/v2/dags/frametally_stream", "/api/v2/dags/frametally_stream/dagRuns"
Answer = Callable[[BaseHTTPRequestHandler], None]


def says(status: int, said: object = None, **headers: str) -> Answer:
    """A JSON answer; `bytes` are sent unchanged."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return answer


class AnsweringAirflow:
    """Answers as Airflow 3 does, except for the paths in `answers`; keeps the requests."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.runs: dict[str, dict[str, Any]] = {}
        self.url = ""

    def usual(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> Answer:
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
def answering(airflow: AnsweringAirflow) -> Iterator[AnsweringAirflow]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            airflow.asked.append((self.command, self.path, sent.decode()))
            answer = airflow.answers.get(self.path)
            with suppress(OSError):  # the client has hung up
                (answer or airflow.usual(self, json.loads(sent or b"{}")))(self)

        do_GET = do_POST = answer  # noqa: N815 - as the library has it

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    airflow.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield airflow
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
