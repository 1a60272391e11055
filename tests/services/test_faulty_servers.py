"""The dashboard answers every request, whichever of its servers refuses, is silent, is slow or hangs up."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from elasticsearch_indices import fresh_alias
from flask import Flask
from postgres_schemas import fresh_schema
from s3_bucket import S3Place, new_bucket_name, root_access
from tcp_fault_proxy import FAULTS, Fault, TcpFaultProxy
from tests.kit.waiting import until
from tests.traffic.zoned_footage import drive, put
from tests.web.conftest import Place

from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.process.reports import NoProgress
from frametally_accounts.book import AccessBook
from frametally_cli.bucket import set_up_store
from frametally_hadoop.driver import aggregate
from frametally_search.indexer import index_runs

pytestmark = [pytest.mark.services, pytest.mark.thorough, pytest.mark.timeout(600)]

PARTS = ("store", "index", "ledger")
PAGES = ("/", "/videos", "/footage", "/books", "/jobs", "/models", "/dead-letters", "/data")
ANSWERS = ("counts", "labels", "sources", "status", "models", "frames?limit=1", "runs")
PATHS = [*PAGES, *(f"/api/v1/{name}" for name in ANSWERS), "/healthz"]
MOST_S = 60
"""After this time a request counts as never answered: a silent server is silent for as long as the test."""


class Answer(NamedTuple):
    status: int
    text: str


class Desk(NamedTuple):
    """A dashboard over three servers, each behind a proxy."""

    url: str
    proxies: dict[str, TcpFaultProxy]

    def get(self, path: str) -> Answer:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=MOST_S)
        with closing(connection):
            connection.request("GET", path, headers={"Accept": "text/html" if path in PAGES else "*/*"})
            response = connection.getresponse()
            return Answer(response.status, response.read().decode())

    def refused(self) -> dict[str, int]:
        with ThreadPoolExecutor(8) as clients:
            answers = dict(zip(PATHS, clients.map(self.get, PATHS), strict=True))
        return {path: answer.status for path, answer in answers.items() if answer.status != 200}


def behind(stack: ExitStack, url: str) -> tuple[TcpFaultProxy, str]:
    """A proxy for the server of a URL, and the URL through it."""
    address = urlsplit(url)
    proxy = stack.enter_context(closing(TcpFaultProxy(str(address.hostname), address.port or 0)))
    return proxy, url.replace(f"{address.hostname}:{address.port}", f"127.0.0.1:{proxy.port}")


@pytest.fixture
def desk(tmp_path: Path, serving: Callable[[Flask], str]) -> Iterator[Desk]:
    with ExitStack() as stack:
        place = Place(tmp_path)
        stack.callback(place.close)
        access, url = root_access(), f"s3://{new_bucket_name()}"
        set_up_store(url, access)
        store_proxy, endpoint = behind(stack, access.endpoint)
        index_url, index_access = stack.enter_context(fresh_alias())
        index_proxy, index_url = behind(stack, index_url)
        ledger_url, ledger_access = stack.enter_context(fresh_schema())
        ledger_proxy, ledger_url = behind(stack, ledger_url)
        place.store = open_object_store(url, S3Place(url, access).access_with(endpoint=endpoint))
        place.index = stack.enter_context(closing(open_count_index(index_url, index_access)))  # type: ignore[assignment]
        place.ledger = stack.enter_context(closing(open_ledger(ledger_url, ledger_access)))
        place.access = stack.enter_context(closing(AccessBook(place.settings.catalogue_url)))
        put(place, drive(frames=60))
        aggregate(settings=place.settings, store=place.store, progress=NoProgress())
        index_runs(store=place.store, index=place.index, progress=NoProgress())
        proxies = dict(zip(PARTS, (store_proxy, index_proxy, ledger_proxy), strict=True))
        try:
            yield Desk(serving(place.app(web_query_timeout_s=2.5)), proxies)
        finally:
            for proxy in proxies.values():
                proxy.become("")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_request_is_answered_and_every_page_is_shown_whatever_a_server_does(
    desk: Desk, part: str, fault: Fault
) -> None:
    until(lambda: desk.refused() == {}, desk.refused)
    labels = desk.get("/api/v1/labels")
    desk.proxies[part].become(fault)
    desk.refused()  # over connections that were open before
    refused = desk.refused()
    assert set(refused.values()) <= {503}
    assert refused.keys().isdisjoint(PAGES)
    if part != "index":
        assert "/healthz" not in refused
        assert desk.get("/api/v1/labels") == labels
    elif fault != "slow":
        assert {"/healthz", "/api/v1/counts"} <= refused.keys()
    desk.proxies[part].become("")
    until(lambda: desk.refused() == {}, desk.refused)
