"""The data folder: named by the user, never by an empty variable, and never created by read-only commands."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.capabilities import needs

from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.errors import Misconfigured, Retryable
from frametally.openers.look_openers import open_to_look
from frametally.openers.port_openers import open_ports
from frametally.ports.count_index import CountIndex
from frametally.ports.frame_log import NoSuchTopic
from frametally.settings.data_folder import demo_beside, embedded_folder, must_be_folder, must_be_writable
from frametally.settings.loading import load_settings
from frametally.work.children import Family
from frametally_cli import main as cli

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
    ["redetect", "--model", "pixels-0a1b2c3d"],
    ["ledger", "rebuild"],
    ["log", "trim"],
]
READING = [command for command in READING if command[0] in cli.COMMANDS]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FRAMETALLY_DATA_DIR", raising=False)


@pytest.mark.parametrize("command", READING, ids=" ".join)
@pytest.mark.parametrize("folder", ["missing", "."])
def test_commands_that_only_read_create_nothing_where_nothing_exists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], folder: str
) -> None:
    assert cli.main([*command, "--data-dir", folder]) == 2
    assert (
        f"no data in {(tmp_path / folder).resolve()} yet: run `frametally produce`" in capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["produce", "a.mp4"], *READING], ids=" ".join)
def test_an_empty_name_is_not_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert cli.main([*command, "--data-dir", ""]) == 2
    assert "it is empty: give a folder" in capsys.readouterr().err
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", "")
    assert cli.main(command) == 2
    assert "FRAMETALLY_DATA_DIR is empty: set it to a folder, or unset it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_named_folder_wins_over_an_empty_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", "")
    assert cli.main(["status", "--data-dir", "there"]) == 2
    assert "no data in" in capsys.readouterr().err


def test_a_folder_whose_name_is_not_text_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It becomes part of URLs: the store would be elsewhere than the rest."""
    assert cli.main(["produce", "a.mp4", "--data-dir", os.fsdecode(b"caf\xe9")]) == 2
    assert r"caf\xe9 is not UTF-8" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_is_not_text_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "frametally-data/store").mkdir(parents=True)
    assert cli.main(["status", "--model", os.fsdecode(b"caf\xe9")]) == 2
    assert "is not valid" in capsys.readouterr().err


def test_a_dashboard_creates_nothing_and_finds_data_that_is_created_later(tmp_path: Path) -> None:
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


def test_a_dashboard_recovers_by_itself_when_an_unavailable_index_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(
        "web", data_dir=tmp_path / "data", index_url="elasticsearch+http://index.invalid:9200"
    )
    is_answering = False

    def open_index(*_: object) -> CountIndex:
        if not is_answering:
            raise Retryable("count index: connection refused")
        return open_count_index(f"sqlite:///{tmp_path}/index.sqlite")

    monkeypatch.setattr("frametally.openers.port_openers.open_count_index", open_index)
    with open_to_look(settings) as (ports, _):
        for _attempt in range(2):
            with pytest.raises(Retryable, match="connection refused"):
                ports.index.series()
        is_answering = True
        assert ports.index.series() == []


def test_a_dashboards_first_write_creates_the_store(tmp_path: Path) -> None:
    settings = load_settings("web", data_dir=tmp_path / "data")
    with open_to_look(settings) as (ports, _):
        assert ports.store.head("uploads/a.json") is None
        assert list(tmp_path.iterdir()) == []
        ports.store.put("uploads/a.json", b"{}")
        assert [one.key for one in ports.store.list("uploads/")] == ["uploads/a.json"]
    with closing(open_object_store(settings.store_url)) as store:
        assert store.get("uploads/a.json") == b"{}"


def test_the_demos_neighbouring_folder_is_found_if_it_holds_counts(tmp_path: Path) -> None:
    folder = embedded_folder(load_settings("web", data_dir=tmp_path / "frametally-data"))
    assert folder == tmp_path / "frametally-data"
    assert demo_beside(folder) is None
    (tmp_path / "demo-data").mkdir()
    (tmp_path / "demo-data" / "index.sqlite").touch()
    assert demo_beside(folder) == tmp_path / "demo-data"
    assert demo_beside(tmp_path / "demo-data") is None
    assert embedded_folder(load_settings("web", index_url="postgresql://host/database")) is None


STARTING = [
    ["up"],
    ["serve"],
    ["work"],
    ["consume"],
    ["run", "a.mp4"],
    ["produce", "a.mp4"],
    ["alerts", "run"],
    ["aggregate"],
    ["index"],
    ["gold"],
    ["live", "work"],
    ["setup"],
    ["upload", "a.mp4"],
]
STARTING = [command for command in STARTING if command[0] in cli.COMMANDS]


@pytest.mark.thorough
@pytest.mark.parametrize("command", [*STARTING, *READING], ids=" ".join)
@pytest.mark.parametrize("folder", ["file", "file/below", "circle"])
def test_an_impossible_data_folder_is_one_line_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], folder: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "a.mp4").touch()
    assert cli.main([*command, "--data-dir", folder]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith(f"error: frametally cannot store data in {tmp_path / folder} (")
    assert "set another folder with --data-dir or FRAMETALLY_DATA_DIR" in line
    assert said.out == ""


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that not even root may write is Linux's /proc")
@pytest.mark.parametrize("command", ["up", "serve", "status"])
def test_an_unwritable_data_folder_is_one_line_and_starts_no_dashboard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "link").symlink_to("/proc/self/fdinfo")
    for folder, real in (("/proc/frametally", "/proc/frametally"), ("link", f"/proc/{os.getpid()}/fdinfo")):
        assert cli.main([command, "--data-dir", folder]) == 2
        said = capsys.readouterr()
        assert said.err.startswith(f"error: frametally cannot store data in {real} (")
        assert (len(said.err.splitlines()), said.out) == (1, "")


def test_checking_whether_a_folder_can_hold_data_leaves_no_trace(tmp_path: Path) -> None:
    must_be_writable(tmp_path / "not" / "yet")
    must_be_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_no_part_uses_need_not_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = load_settings(data_dir=tmp_path / "file")
    on_servers = {"store_url": "s3://bucket", "index_url": "postgresql://host/database"}
    must_be_folder(settings.model_copy(update=on_servers))
    with pytest.raises(Misconfigured, match="frametally cannot store data in"):
        must_be_folder(settings)


@pytest.mark.parametrize(
    "name",
    [pytest.param("QUEUE", marks=needs("videos")), pytest.param("GOLD", marks=needs("gold")), "LEDGER"],
)
def test_up_ends_with_one_line_if_a_part_can_never_be_opened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv(f"FRAMETALLY_{name}_URL", "nonsense://x")
    monkeypatch.setenv("FRAMETALLY_WEB_PORT", "0")
    monkeypatch.setattr(Family, "run", pytest.fail)
    assert cli.main(["up", "--data-dir", "data"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"FRAMETALLY_{name}_URL='nonsense://x'" in line


@needs("gold")
@pytest.mark.parametrize("command", ["serve", "work"])
def test_gold_tables_that_can_never_be_opened_end_their_loader_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("FRAMETALLY_GOLD_URL", "sqlite:////proc/none/gold.sqlite")
    monkeypatch.setenv("FRAMETALLY_WEB_PORT", "0")
    assert cli.main([command, "--data-dir", "data"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "gold database" in line and "FRAMETALLY_GOLD_URL" in line
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("command", "url", "says"),
    [
        (
            "up",
            "nonsense://x",
            "FRAMETALLY_STORE_URL='nonsense://x': this kind of object store is not supported",
        ),
        ("up", "file:///proc/none", "FRAMETALLY_STORE_URL"),
        ("serve", "file:///proc/none", "frametally cannot store data in /proc/none"),
        pytest.param("work", "file:///proc/none", "FRAMETALLY_STORE_URL", marks=needs("videos")),
    ],
)
def test_a_store_that_can_never_be_opened_ends_a_continuous_command_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, url: str, says: str
) -> None:
    monkeypatch.setenv("FRAMETALLY_STORE_URL", url)
    monkeypatch.setenv("FRAMETALLY_WEB_PORT", "0")
    assert cli.main([command, "--data-dir", "data"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert says in line and "FRAMETALLY_STORE_URL" in line
