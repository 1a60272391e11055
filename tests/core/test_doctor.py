"""The check-up: each fault has one line and a remedy, and no secret is shown."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.capabilities import HERE, of_capabilities

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_ledger, open_object_store
from frametally.checkup.findings import Finding, disk_row
from frametally.errors import Misconfigured
from frametally.files.downloads import KnownFile
from frametally.openers.port_openers import open_books
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectInfo
from frametally.process.reports import NoProgress
from frametally.segments.contents import encode_segment
from frametally.settings.loading import Settings, load_settings
from frametally_cli import main as cli
from frametally_cli.checkup import machine as settings_checkup
from frametally_cli.checkup import ports
from frametally_cli.checkup.machine import clock_row, model_rows, provider_rows, setting_rows
from frametally_cli.checkup.ports import port_rows, runner_row
from frametally_cli.commands import doctor
from frametally_cli.commands.doctor import examine

THEIRS = {area for area, name in {"catalogue": "videos", "gold": "gold"}.items() if name in HERE}
UPKEEP = {area for area, name in {"jobs": "videos", "retention": "retention"}.items() if name in HERE}
MODEL_BYTES = b"weights"
FILE = KnownFile(
    name="model.weights",
    sha256=hashlib.sha256(MODEL_BYTES).hexdigest(),
    size_bytes=len(MODEL_BYTES),
    package="x==1",
    package_bytes=1,
    member="x",
)


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings_checkup, "component_folder", lambda name: tmp_path / name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    models = tmp_path / "models"
    models.mkdir()
    (models / FILE.name).write_bytes(MODEL_BYTES)
    return with_data(load_settings(data_dir=tmp_path / "data", models_dir=models, min_free_disk_mb=1))


def with_data(settings: Settings) -> Settings:
    """A folder with produced, counted and indexed footage, as far as a check-up can see."""
    with open_books(settings):
        for module in of_capabilities("made_data"):
            module.make_data(settings)
        return settings


def files() -> Sequence[KnownFile]:
    return [FILE]


def bad(rows: Iterator[Finding]) -> dict[str, str]:
    return {row.area: row.remedy for row in rows if not row.good}


def test_a_sound_installation_is_all_good(settings: Settings) -> None:
    rows = list(examine(settings, model_files=files))
    assert bad(iter(rows)) == {}
    areas = {row.area for row in rows}
    assert areas >= {"store", "clock", "log", "index", "ledger", "model", "software", "disk"} | THEIRS


WRONG = {
    "track_groups": "vehicle=car",
    "track_label_confidence": "car=2",
    "ca_file": "missing.pem",
    "live_allow": "10.0.0.0/99",
    "live_logins": '{"gate": "hunter2"}',
    "live_ca_file": "missing.pem",
    "alert_channels": '{"ops": "hunter2"}',
}


@pytest.mark.parametrize("name", [name for name in WRONG if name in Settings.model_fields])
def test_a_value_that_a_command_would_refuse_is_a_bad_row_for_its_setting(
    settings: Settings, name: str
) -> None:
    given = load_settings(data_dir=settings.data_dir, models_dir=settings.models_dir, **{name: WRONG[name]})
    [row] = [row for row in examine(given, model_files=files) if not row.good and row.area != "disk"]
    assert (row.area, row.name, row.value) == ("settings", f"FRAMETALLY_{name.upper()}", "not usable")
    assert row.remedy.startswith(row.name)
    assert "hunter2" not in row.remedy
    assert bad(examine(given, model_files=files, stage="consume")).keys() <= {"disk"}


def test_the_probe_leaves_nothing_behind(settings: Settings) -> None:
    list(port_rows(settings))
    assert list((settings.data_dir / "store").iterdir()) == []


def test_doctor_reports_that_nothing_exists_yet_and_creates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
    assert cli.main(["doctor", "--deep", "--json", "--data-dir", str(tmp_path / "data")]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["area"] for row in rows if row["value"] == "nothing there yet"} == {
        *("store", "log", "index", "ledger"),
        *THEIRS,
    }
    assert list(tmp_path.iterdir()) == []


def test_every_setting_is_listed_with_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("FRAMETALLY_TOPIC=from-root\nFRAMETALLY_TIMEZONE=Europe/Berlin\n")
    (tmp_path / "consumer").mkdir()
    (tmp_path / "consumer/.env").write_text("FRAMETALLY_BATCH_FRAMES=7\n")
    monkeypatch.setenv("FRAMETALLY_TIMEZONE", "Asia/Tokyo")
    monkeypatch.setenv("FRAMETALLY_BATCHFRAMES", "7")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    monkeypatch.setenv("KAFKA_RESULT_TOPIC", "results")
    rows = list(setting_rows({"data_dir": Path("elsewhere")}))
    found = {(row.name.removeprefix("FRAMETALLY_"), row.value): row.note for row in rows}
    assert found["DATA_DIR", "elsewhere"] == "command line"
    assert found["TIMEZONE", "Asia/Tokyo"] == "environment"
    assert found["TOPIC", "from-root"] == ".env"
    assert found["WEB_PORT", "5001"] == "default"
    assert found["BATCH_FRAMES", "500"] == "default"
    assert found["BATCH_FRAMES", "7"] == "consumer/.env, only for the consumer"
    assert "unknown setting" in found["BATCHFRAMES", "(not shown)"]
    assert found["DATABASE_URL", "(not shown)"].endswith("set FRAMETALLY_CATALOGUE_URL")
    assert "set FRAMETALLY_LIVE_TOPIC: the topic of results" in found["KAFKA_RESULT_TOPIC", "(not shown)"]
    assert {row.name for row in rows} >= {f"FRAMETALLY_{name.upper()}" for name in Settings.model_fields}


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMETALLY_INDEX_URL", "postgresql://someone:hunter2@db/frametally")
    monkeypatch.setenv("FRAMETALLY_KAFKA_PASSWORD", "hunter2")
    shown = repr(list(setting_rows()))
    assert "hunter2" not in shown
    assert "postgresql://someone:***@db/frametally" in shown


def break_store(settings: Settings) -> None:
    shutil.rmtree(settings.data_dir / "store")
    (settings.data_dir / "store").write_text("a file where a folder has to be")


def break_database(name: str) -> object:
    def break_it(settings: Settings) -> None:
        (settings.data_dir / f"{name}.sqlite").write_bytes(b"no database at all, and long enough " * 99)

    return break_it


def fill_with_another_database(settings: Settings) -> None:
    (settings.data_dir / "ledger.sqlite").unlink()
    with sqlite3.connect(settings.data_dir / "ledger.sqlite") as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("break_it", "area", "says"),
    [
        (break_store, "store", "FRAMETALLY_DATA_DIR"),
        (break_database("log"), "log", "log.sqlite"),
        (break_database("index"), "index", "frametally index"),
        (break_database("ledger"), "ledger", "frametally ledger rebuild"),
        (fill_with_another_database, "ledger", "recipes"),
        (break_database("catalogue"), "catalogue", "frametally catalogue rebuild"),
    ],
)
def test_a_broken_port_is_one_bad_row_with_its_remedy(
    settings: Settings, break_it: Any, area: str, says: str
) -> None:
    break_it(settings)
    found = bad(row for row in port_rows(settings) if row.area != "accounts")
    assert list(found) == [area]
    assert says in found[area]
    assert "\n" not in found[area]


class LogWithout:
    """A log that refuses one right."""

    def __init__(self, log: FrameLog, refused: str) -> None:
        self._log, self._refused = log, refused

    def __getattr__(self, name: str) -> object:
        if name == self._refused:
            raise Misconfigured(f"no right to {name} on this log; ask for it")
        return getattr(self._log, name)


@pytest.mark.parametrize("right", ["create_topic", "publish", "subscribe", "trim"])
def test_each_right_on_the_log_is_tried(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, right: str
) -> None:
    monkeypatch.setattr(
        ports,
        "open_frame_log",
        lambda url, access, lease_s: LogWithout(open_frame_log(url, access, lease_s=lease_s), right),
    )
    [row] = [row for row in port_rows(settings) if row.area == "log"]
    assert (row.good, row.remedy) == (False, f"no right to {right} on this log; ask for it")


def test_an_unreadable_topic_of_a_model_is_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_frame_log(settings.log_url)) as log:
        log.create_topic(settings.topic, 1)
        place: dict[str, Any] = {"log_id": log.log_id(settings.topic), "topic": "other", "partition": 0}
    segment = encode_segment(model="m", **place, first_offset=0, next_offset=0, frames=[], dead_letters=[])
    store = open_object_store(settings.store_url)
    store.put(keys.segment_key("m", place["log_id"], "other", 0, 0), segment)
    with closing(open_ledger(settings.ledger_url)) as ledger:
        ledger.refresh(store, NoProgress())

    class Unreadable(LogWithout):
        def end_offsets(self, topic: str) -> dict[int, int]:
            if topic == "other":
                raise Misconfigured("no right to read topic 'other'; ask for it")
            return self._log.end_offsets(topic)

    monkeypatch.setattr(
        ports,
        "open_frame_log",
        lambda url, access, lease_s: Unreadable(open_frame_log(url, access, lease_s=lease_s), ""),
    )
    [row] = [row for row in port_rows(settings) if row.area == "log"]
    assert (row.good, row.remedy) == (False, "no right to read topic 'other'; ask for it")


def test_trying_the_log_leaves_no_message_behind(settings: Settings) -> None:
    for _ in range(2):
        assert all(row.good for row in port_rows(settings) if row.area == "log")
    with closing(open_frame_log(settings.log_url)) as log:
        assert log.begin_offsets("frametally-doctor") == log.end_offsets("frametally-doctor") == {0: 2}


def test_an_unknown_kind_of_port_is_named_and_the_others_are_tried(settings: Settings) -> None:
    changed = settings.model_copy(update={"log_url": "carrier-pigeon://x"})
    rows = list(port_rows(changed))
    assert list(bad(iter(rows))) == ["log"]
    assert {row.area for row in rows} - UPKEEP - THEIRS == {
        *("store", "clock", "log", "index", "ledger", "accounts")
    }


def test_a_missing_or_wrong_model_file_is_bad(settings: Settings) -> None:
    path = settings.models_dir / FILE.name
    path.write_bytes(b"other weights")
    [row] = model_rows(settings, files)
    assert "expected" in row.value
    path.unlink()
    [row] = model_rows(settings, files)
    assert row.remedy == "run `frametally download-models`"


def test_ones_own_model_is_looked_for_where_the_setting_says(settings: Settings, tmp_path: Path) -> None:
    own = settings.model_copy(update={"model_weights": tmp_path / "mine.weights"})
    [row] = model_rows(own, files)
    assert row.remedy == "correct FRAMETALLY_MODEL_WEIGHTS"
    (tmp_path / "mine.weights").write_bytes(MODEL_BYTES)
    [row] = model_rows(own, files)
    assert (row.good, row.value) == (True, f"sha256 {FILE.sha256}")


def test_a_missing_model_is_not_reported_where_none_is_needed(settings: Settings) -> None:
    def not_installed() -> Sequence[KnownFile]:
        raise ImportError("no consumer here")

    pixels = settings.model_copy(update={"detector": "pixels", "models_dir": Path("nowhere")})
    assert bad(model_rows(pixels, files)) == {}
    assert bad(model_rows(settings, not_installed)) == {}


def test_a_missing_model_is_not_reported_without_the_detectors_packages(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = settings.model_copy(update={"models_dir": Path("nowhere"), "model_weights": Path("none.onnx")})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    [row] = model_rows(nowhere, partial(doctor._known_model_files, nowhere))
    assert (row.good, row.note) == (True, "the consumer is not installed")


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        (
            {"execution_providers": "CUDAExecutionProvider", "detector": "auto"},
            "DETECTOR=auto would compute on the",
        ),
        ({"execution_providers": "CUDAExecutionProvider", "detector": "onnxruntime"}, "locks/gpu.lock"),
        ({"execution_providers": "AzureExecutionProvider", "detector": "onnxruntime"}, "CPU"),
    ],
)
def test_unusable_providers_are_bad_and_the_available_ones_are_named(
    settings: Settings, changes: dict[str, str], remedy: str
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    [row] = provider_rows(settings)
    assert (row.good, row.value) == (True, ", ".join(onnxruntime.get_available_providers()))
    [row] = provider_rows(settings.model_copy(update=changes))
    assert remedy in row.remedy


def test_providers_configured_without_onnx_runtime_are_bad(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "frametally_consumer.backends.onnxruntime", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else name)
    assert list(provider_rows(settings)) == []
    on_gpu = {"detector": "onnxruntime", "execution_providers": "CUDAExecutionProvider"}
    [row] = provider_rows(settings.model_copy(update=on_gpu))
    assert row.remedy == "onnxruntime is not installed; run pip install 'frametally[gpu]'"


def test_two_packages_that_install_the_same_files_are_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"onnxruntime", "onnxruntime-gpu"}
    monkeypatch.setattr(settings_checkup, "_version", lambda name: "1.0" if name in there else None)
    assert bad(settings_checkup.software_rows()) == {
        "software": "run pip uninstall onnxruntime, then install onnxruntime-gpu again"
    }


def test_a_stage_is_checked_only_for_what_it_needs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a consumer in the stack: it may read frames, and does not have a password of the books."""
    with closing(open_frame_log(settings.log_url)) as log:
        for topic in (settings.topic, settings.live_topic, settings.results_topic):
            log.create_topic(topic, 1)

    class OfConsumer(LogWithout):
        def publish(self, topic: str, messages: Any) -> None:
            if topic != settings.results_topic:
                raise Misconfigured(f"no right to write to topic {topic!r}; ask for it")

    monkeypatch.setattr(
        ports,
        "open_frame_log",
        lambda url, access, lease_s: OfConsumer(open_frame_log(url, access, lease_s=lease_s), "create_topic"),
    )
    given = settings.model_copy(update={"index_url": "postgresql://127.0.0.1:1/x", "runner": "none"})
    assert {row.area for row in examine(given, model_files=files, stage="consume") if row.good} == {
        *("store", "clock", "log", "model", "software", "disk")
    }
    assert bad(examine(given, model_files=files, stage="consume")) == {}
    assert "no right to write to topic 'frames'" in bad(port_rows(given, "produce"))["log"]
    assert bad(port_rows(given)).keys() == {"log", "index"}


def test_a_nearly_full_disk_is_bad(settings: Settings) -> None:
    assert disk_row(settings).good
    free_mb = shutil.disk_usage(settings.data_dir.parent).free // 1_000_000
    row = disk_row(settings.model_copy(update={"min_free_disk_mb": free_mb * 10}))
    assert "free some space" in row.remedy


@pytest.mark.parametrize(
    ("now_s", "put_at_s", "good"),
    [
        (1_790_000_000, 1_790_000_000, True),
        (1_790_000_000, 1_790_000_050, True),
        (1_790_000_000, 1_789_999_000, False),
        (0.5, 0, False),
        (-5, 0, False),
        (10**12, 0, False),
    ],
)
def test_a_clock_that_cannot_be_right_is_bad(now_s: float, put_at_s: float, good: bool) -> None:
    assert clock_row(now_s, ObjectInfo("probe/x", 1, "", int(put_at_s * 1000))).good is good


def test_the_table_starts_with_the_checks_lists_only_changed_settings_and_ends_with_the_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = Finding("settings", "FRAMETALLY_INTERVAL_S", "7", "default", remedy="use 6")
    changed = Finding("settings", "FRAMETALLY_DATA_DIR", "here", "command line")
    usual = [Finding("settings", f"FRAMETALLY_{name}", "1", "default") for name in ("A", "B")]
    doctor.print_rows([usual[0], changed, usual[1], Finding("disk", "here", "5 GB")])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [line[1] for line in lines[2:4]] == ["disk", "settings"]
    assert [" ".join(line) for line in lines[4:]] == [
        "2 settings have their defaults; `frametally doctor --json` lists all",
        "all good",
    ]
    doctor.print_rows([bad, usual[0]])
    said = " ".join(capsys.readouterr().out.split())
    assert said.endswith("lists all bad: settings, FRAMETALLY_INTERVAL_S: 7; use 6")
    assert said.count("use 6") == 1


@pytest.mark.thorough
def test_the_command_prints_a_table_and_exits_with_0_or_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
    monkeypatch.setenv("FRAMETALLY_MIN_FREE_DISK_MB", "1")
    with_data(load_settings(data_dir=tmp_path / "data"))
    assert cli.main(["doctor", "--data-dir", str(tmp_path / "data")]) == 0
    assert "all good" in capsys.readouterr().out
    (tmp_path / "data/index.sqlite").write_bytes(b"x" * 5000)
    assert cli.main(["doctor", "--json", "--data-dir", str(tmp_path / "data")]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert [row["area"] for row in answer["rows"] if not row["good"]] == ["index"]
    monkeypatch.setenv("FRAMETALLY_INTERVAL_S", "7")
    assert cli.main(["doctor"]) == 2
    assert "FRAMETALLY_INTERVAL_S=7" in capsys.readouterr().out


@pytest.mark.thorough
def test_a_test_job_tries_the_runner_and_one_without_other_programs_is_marked_untried(
    settings: Settings,
) -> None:
    inline = runner_row(settings)
    assert (inline.good, inline.note) == (True, "not tried: it needs no other program")
    local = runner_row(settings.model_copy(update={"runner": "local"}))
    assert local.good
    assert local.value == "an empty job ran successfully"


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (None, "HADOOP_HOME"),
        (
            "echo 'Call From here to namenode:8020 failed: Connection refused' >&2; exit 255",
            "Connection refused",
        ),
    ],
)
def test_a_missing_cluster_is_one_line_with_a_remedy(
    settings: Settings, tmp_path: Path, does: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HADOOP_HOME", str(tmp_path))
    (tmp_path / "bin").mkdir()
    hadoop = tmp_path / "bin" / "hadoop"
    if does is not None:
        hadoop.write_text(f"#!/bin/sh\n{does}\n")
        hadoop.chmod(0o755)
    row = runner_row(settings.model_copy(update={"runner": "hadoop"}))
    assert (row.area, row.name, row.good) == ("runner", "hadoop", False)
    assert said in row.remedy
    assert "\n" not in row.remedy


def test_an_unresponsive_cluster_is_not_waited_for_without_end(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HADOOP_HOME", str(tmp_path))
    (tmp_path / "bin").mkdir()
    hadoop = tmp_path / "bin" / "hadoop"
    hadoop.write_text('#!/bin/sh\nwhile [ -e "$0" ]; do sleep 0.1; done; exit 1\n')
    hadoop.chmod(0o755)
    row = runner_row(settings.model_copy(update={"runner": "hadoop"}), within_s=0.5)
    hadoop.unlink()
    assert not row.good
    assert "did not end within" in row.value
    assert "FRAMETALLY_RUNNER=inline" in row.remedy


@pytest.mark.parametrize("name", [".env", "config/frametally.env"])
def test_a_file_of_secrets_that_every_account_can_read_is_named_with_its_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)

    def rows(text: str, mode: int) -> list[tuple[int, str, str]]:
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)
        code = cli.main(["doctor", "--json", "--stage", "produce"])
        found = json.loads(capsys.readouterr().out)["rows"]
        return [(code, row["value"], row["remedy"]) for row in found if row["name"].endswith(file.name)]

    login = "FRAMETALLY_STORE_ACCESS_KEY=key\nFRAMETALLY_STORE_SECRET_KEY=hidden-0815\n"
    [(code, value, remedy)] = rows(login, 0o644)
    assert (code, value) == (2, "every account can read its secrets")
    assert remedy.startswith("run `chmod o= ")
    assert remedy.endswith(f"{file.name}`")
    assert rows(login, 0o600) == []
    assert rows("FRAMETALLY_STORE_SECRET_KEY=\nFRAMETALLY_WEB_PORT=5005\n", 0o644) == []
