"""What `/healthz` says of parts that are away, and of a dashboard that cannot answer."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.types import Message
from tests.web.conftest import Place

from frametally.actions.problems import problem_of
from frametally.checkup.findings import SEVERITIES, Finding, Severity
from frametally.errors import Retryable
from frametally.process import meters
from frametally_web import asgi


def test_health_shows_since_when_the_index_has_been_down(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = meters.Meters()
    for module in ("frametally.process.retrying", "frametally.actions.problems"):
        monkeypatch.setattr(f"{module}.METERS", mine)
    monkeypatch.setattr(meters, "_now_ms", lambda: 1_788_000_000_000)

    def refuse() -> None:
        raise Retryable("the index refuses", part="count index")

    monkeypatch.setattr(place.index, "check", refuse)
    client = place.app().test_client()
    client.get("/healthz")
    monkeypatch.setattr(meters, "_now_ms", lambda: 1_788_000_060_000)
    since = "2026-08-29 10:40:00 UTC."
    detail = f"The count index is not responding at the moment. It has been unavailable since {since}"
    assert client.get("/healthz").json["detail"] == detail
    german = client.get("/healthz", headers={"Accept-Language": "de"}).json["detail"]
    assert problem_of(Retryable("asked by another route", part="count index")).detail == detail
    assert german == f"Der Zählindex antwortet zurzeit nicht. So ist es seit {since}"


def test_health_fails_with_the_words_of_each_finding_of_a_server_that_is_away(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = place.app().test_client()

    def answer(severity: Severity) -> tuple[int, str]:
        finding = Finding("part", "queue", "The task queue is away.", "", "Start it.", severity=severity)
        monkeypatch.setattr("frametally.checkup.findings.hooks", lambda _: [lambda _: [finding]])
        said = client.get("/healthz")
        return said.status_code, said.json.get("detail", "")

    answers = {severity: answer(severity) for severity in SEVERITIES}
    assert answers == dict.fromkeys(SEVERITIES, (200, "")) | {"away": (503, "The task queue is away.")}


async def get(application: asgi.Application, path: str) -> tuple[int, bytes]:
    """Return the status and the body of an answer, without a server."""
    request = {"type": "http.request", "body": b"", "more_body": False}
    sent: list[Message] = []

    async def receive() -> Message:
        return request

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http"}
    scope |= {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
    scope |= {"headers": [(b"host", b"localhost")], "server": ("localhost", 80), "client": ("127.0.0.1", 1)}
    scope |= {"asgi": {"version": "3.0"}}
    await application(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def test_health_fails_if_every_thread_is_busy_for_longer_than_a_request_may_take(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, released, now_s = place.app(web_query_timeout_s=2.5), threading.Event(), [1000.0]
    started = threading.Semaphore(0)
    monkeypatch.setattr(asgi, "monotonic", lambda: now_s[0])

    @app.get("/api/v1/busy")
    def busy() -> str:
        started.release()
        released.wait(60)
        return ""

    async def run() -> None:
        async def occupy() -> asyncio.Task[tuple[int, bytes]]:
            asked = asyncio.create_task(get(application, "/api/v1/busy"))
            assert await asyncio.to_thread(started.acquire, timeout=60)
            return asked

        try:
            first = await occupy()
            now_s[0] += 10
            second = await occupy()
            now_s[0] += 6
            assert await get(application, "/healthz") == (200, b'{"status":"ok"}'), "the second has time left"
            now_s[0] += 10
            status, body = await get(application, "/healthz")
            assert (status, b"All 2 threads are busy" in body) == (503, True)
        finally:
            released.set()
        assert [await first, await second] == [(200, b""), (200, b"")]
        assert await get(application, "/healthz") == (200, b'{"status":"ok"}')

    application = asgi.Application(app, threads=2)
    try:
        with ThreadPoolExecutor(1) as thread:  # a browser of another test may have a loop in this one
            thread.submit(asyncio.run, run()).result()
    finally:
        application.close()
