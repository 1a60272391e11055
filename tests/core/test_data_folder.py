"""The data folder: named by somebody, never by an empty variable, and never made by what only reads."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from frametally.opening import open_object_store
from frametally.ports.frame_log import NoSuchTopic
from frametally.settings.data_folder import demo_beside, embedded_folder
from frametally.settings.loading import load_settings
from frametally_cli import main as cli
from frametally_cli.options.ports import open_ports
from frametally_cli.stages.looking import open_to_look

READING = [
    ["status"],
    ["quality"],
    ["export"],
    ["explain", "--source", "a", "--label", "b", "--interval-start", "2026-05-01"],
    ["compare", "a", "b"],
    ["dead-letters", "list"],
    ["lines", "list"],
    ["lines", "export", "a"],
    ["lines", "remove", "a", "b"],
    ["forget", "a.mp4", "--yes"],
    ["retime", "a.mp4", "--start-time", "2026-05-01"],
    ["rename-source", "a", "b"],
    ["redetect", "--model", "pixels-1"],
    ["ledger", "rebuild"],
    ["log", "trim"],
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRAMETALLY_DATA_DIR", raising=False)


@pytest.mark.parametrize("command", READING, ids=" ".join)
@pytest.mark.parametrize("folder", ["missing", "."])
def test_what_only_reads_makes_nothing_where_there_is_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], folder: str
) -> None:
    assert cli.main([*command, "--data-dir", folder]) == 2
    assert (
        f"no data in {(tmp_path / folder).resolve()} yet: run `frametally produce`" in capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["produce", "a.mp4"], *READING], ids=" ".join)
def test_an_empty_name_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert cli.main([*command, "--data-dir", ""]) == 2
    assert "it is empty: name a folder" in capsys.readouterr().err
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", "")
    assert cli.main(command) == 2
    assert "FRAMETALLY_DATA_DIR is empty: name a folder, or unset it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_named_wins_over_an_empty_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", "")
    assert cli.main(["status", "--data-dir", "there"]) == 2
    assert "no data in" in capsys.readouterr().err


def test_a_folder_whose_name_is_no_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """URLs are made of it: the store would lie elsewhere than the rest."""
    assert cli.main(["produce", "a.mp4", "--data-dir", os.fsdecode(b"caf\xe9")]) == 2
    assert r"caf\xe9: no UTF-8" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_is_no_text_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "frametally-data/store").mkdir(parents=True)
    assert cli.main(["status", "--model", os.fsdecode(b"caf\xe9")]) == 2
    assert "is no text" in capsys.readouterr().err


def test_a_dashboard_makes_nothing_where_nothing_is_and_finds_what_is_made_later(
    tmp_path: Path,
) -> None:
    settings = load_settings("web", data_dir=tmp_path / "data")
    with open_to_look(settings) as (ports, ledger):
        assert ports.index.series() == []
        assert list(ports.store.list("media/")) == []
        with pytest.raises(NoSuchTopic):
            ports.log.end_offsets("frames")
        assert ledger.manifests() == []
        assert list(tmp_path.iterdir()) == []
        with open_ports(settings) as made:
            made.store.put("media/a.json", b"{}")
            assert [one.key for one in ports.store.list("media/")] == ["media/a.json"]
            ports.index.check()
        assert {one.name for one in (tmp_path / "data").iterdir()} >= {"store", "log.sqlite", "index.sqlite"}


def test_what_is_first_put_by_a_dashboard_makes_the_store(tmp_path: Path) -> None:
    settings = load_settings("web", data_dir=tmp_path / "data")
    with open_to_look(settings) as (ports, _):
        assert ports.store.head("uploads/a.json") is None
        assert list(tmp_path.iterdir()) == []
        ports.store.put("uploads/a.json", b"{}")
        assert [one.key for one in ports.store.list("uploads/")] == ["uploads/a.json"]
    with closing(open_object_store(settings.store_url)) as store:
        assert store.get("uploads/a.json") == b"{}"


def test_the_demos_folder_beside_is_found_if_there_are_counts_in_it(tmp_path: Path) -> None:
    folder = embedded_folder(load_settings("web", data_dir=tmp_path / "frametally-data"))
    assert folder == tmp_path / "frametally-data"
    assert demo_beside(folder) is None
    (tmp_path / "demo-data").mkdir()
    (tmp_path / "demo-data" / "index.sqlite").touch()
    assert demo_beside(folder) == tmp_path / "demo-data"
    assert demo_beside(tmp_path / "demo-data") is None
    assert embedded_folder(load_settings("web", index_url="postgresql://host/database")) is None
