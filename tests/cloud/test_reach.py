"""`frametally reach`: what a container's health check asks."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from frametally.settings.loading import Settings
from frametally_cli.main import main
from frametally_cli.servers.reach import Server, named_servers, why_unreachable


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_every_server_that_a_setting_names_is_asked() -> None:
    settings = Settings(
        store_url="s3://counts",
        store_endpoint="https://s3.example",
        log_url="kafka://one:9092,two:9192",
        index_url="elasticsearch+http://search:9200/counts",
        ledger_url="postgresql://books/frametally",
        catalogue_url="postgresql://videos:5433/frametally",
    )
    assert list(named_servers(settings)) == [
        Server("store", "s3.example", 443),
        Server("log", "one", 9092),
        Server("log", "two", 9192),
        Server("index", "search", 9200),
        Server("ledger", "books", 5432),
        Server("catalogue", "videos", 5433),
    ]


def test_embedded_parts_have_no_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reach"]) == 0
    assert capsys.readouterr().out == ""


def test_a_server_that_answers_is_well(listening: int) -> None:
    assert why_unreachable(Server("log", "127.0.0.1", listening)) == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_one_line_names_the_server_and_the_setting(host: str) -> None:
    port = closed_port()
    why = why_unreachable(Server("store", host, port))
    assert "\n" not in why
    assert f"the store's server {host}:{port} cannot be reached (" in why
    assert "is FRAMETALLY_STORE_ENDPOINT right?" in why


def test_one_that_is_away_makes_the_whole_unwell(
    listening: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMETALLY_LOG_URL", f"kafka://127.0.0.1:{listening}")
    monkeypatch.setenv("FRAMETALLY_INDEX_URL", f"postgresql://127.0.0.1:{closed_port()}/counts")
    assert main(["reach"]) == 2
    said = capsys.readouterr()
    assert said.out == f"log: 127.0.0.1:{listening} answers\n"
    assert "FRAMETALLY_INDEX_URL right?" in said.err.replace("\n", " ")
