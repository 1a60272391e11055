"""A point in time that the server has given up is opened anew; an index that is gone is not waited for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from frametally.errors import Misconfigured, Retryable
from frametally.opening import open_count_index
from frametally_search.index.layout import MAPPINGS

ALIAS = "counts"
EXPIRED = {"type": "search_context_missing_exception", "reason": "No search context found for id [7]"}
NO_INDEX = {"type": "index_not_found_exception", "reason": "no such index [counts-v1]"}


class Server(ThreadingHTTPServer):
    """An empty Elasticsearch whose searches are refused so many times with 404, as a real one words it."""

    def __init__(self, refusals: int, error: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.refusals, self.error, self.opened = refusals, error, 0

    def answer(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        if path.startswith(f"/{ALIAS}-v1/_mapping"):
            return 200, {f"{ALIAS}-v1": {"mappings": MAPPINGS}}
        if path.startswith(f"/{ALIAS}-v1/_settings"):
            return 200, {f"{ALIAS}-v1": {"settings": {"index": {"number_of_shards": "1"}}}}
        if path.startswith(f"/{ALIAS}-v1/_pit"):
            self.opened += 1
            return 200, {"id": f"moment {self.opened}"}
        if method == "DELETE":
            return 200, {"succeeded": True}
        self.refusals -= 1
        if self.refusals >= 0:
            return 404, {"error": self.error, "status": 404}
        return 200, {"_shards": {"failed": 0}, "hits": {"hits": []}}


class Answering(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = self.server.answer(self.command, self.path)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_DELETE = do_GET  # noqa: N815 - names of the library

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(*request.param) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def url(server: Server) -> str:
    return f"elasticsearch+http://127.0.0.1:{server.server_port}/{ALIAS}"


@pytest.mark.parametrize("server", [(1, EXPIRED)], indirect=True)
def test_a_point_in_time_that_has_expired_is_opened_anew(server: Server) -> None:
    with closing(open_count_index(url(server))) as index:
        assert index.current_runs() == []
    assert server.opened == 2


@pytest.mark.parametrize("server", [(99, EXPIRED)], indirect=True)
def test_points_in_time_that_expire_at_once_may_be_tried_again_later(server: Server) -> None:
    with closing(open_count_index(url(server))) as index, pytest.raises(Retryable, match="point in time"):
        index.version()
    assert server.opened == 2


@pytest.mark.parametrize("server", [(99, NO_INDEX)], indirect=True)
def test_an_index_that_is_gone_needs_a_person(server: Server) -> None:
    with closing(open_count_index(url(server))) as index, pytest.raises(Misconfigured, match="setup"):
        index.series()
    assert server.opened == 1
