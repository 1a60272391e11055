"""Runs of counting and indexing are reported as OpenLineage defines, off by default, without side effects."""

from __future__ import annotations

import datetime
import json
import logging
import re
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.family.footage import SETTINGS, make_video
from tests.kit.errors import one_line
from tests.telemetry.receiver import Manner, Receiver, receiving

from frametally.errors import Misconfigured, Retryable
from frametally.settings.loading import load_settings
from frametally.telemetry import lineage, sending
from frametally.telemetry.lineage import dataset, lineage_run
from frametally.telemetry.sending import Poster
from frametally_cli import main as cli

FRAMES = 20


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    lineage._sender.cache_clear()
    monkeypatch.delenv("FRAMETALLY_LINEAGE_URL", raising=False)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    yield
    lineage._sender.cache_clear()


def valid(event: dict[str, Any]) -> dict[str, Any]:
    """An event with exactly the fields that the specification's RunEvent, Run, Job and Dataset require."""
    required = {"eventTime", "run", "job", "producer", "schemaURL"}
    assert required <= event.keys() <= required | {"eventType", "inputs", "outputs"}
    assert event["eventType"] in ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
    assert datetime.datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
    assert event["run"].keys() <= {"runId", "facets"}
    assert event["job"].keys() == {"namespace", "name"}
    uri = re.compile(r"(https?://|urn:)\S+")
    assert uri.fullmatch(event["producer"])
    assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    for facet in event["run"].get("facets", {}).values():
        assert uri.fullmatch(facet["_producer"])
        assert uri.fullmatch(facet["_schemaURL"])
        assert {"message", "programmingLanguage"} <= facet.keys()
    for one in [*event["inputs"], *event["outputs"]]:
        assert one.keys() == {"namespace", "name"}
        assert all(isinstance(text, str) and text for text in one.values())
    return event


def events(receiver: Receiver) -> list[dict[str, Any]]:
    assert {headers["Content-Type"] for _, headers, _ in receiver.came} <= {"application/json"}
    return [valid(json.loads(body)) for _, _, body in receiver.came]


def counted(folder: Path) -> bytes:
    """The part files of the clip next to `folder`, produced, detected, counted and indexed in it."""
    folder.mkdir()
    video = folder.parent / "gate.mp4"
    if not video.exists():
        make_video(video, frames=FRAMES)
    there = ["--data-dir", str(folder / "data")]
    assert cli.main(["produce", str(video), "--start-time", "2026-03-01T10:00:00Z", *there]) == 0
    assert cli.main(["consume", "--until-caught-up", *there]) == 0
    assert cli.main(["aggregate", *there]) == 0
    assert cli.main(["index", *there]) == 0
    return b"".join(path.read_bytes() for path in sorted((folder / "data/store").rglob("part-*")))


def test_each_run_is_reported_from_start_to_end_with_its_inputs_and_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("FRAMETALLY_LINEAGE_URL", f"{receiver.url}/api/v1/lineage")
        monkeypatch.setenv("FRAMETALLY_LINEAGE_TOKEN", "secret-token")
        assert counted(tmp_path / "a")
        told = events(receiver)
        assert {path for path, _, _ in receiver.came} == {"/api/v1/lineage"}
        assert {headers["Authorization"] for _, headers, _ in receiver.came} == {"Bearer secret-token"}
        # A run without work reports nothing.
        assert cli.main(["aggregate", "--data-dir", str(tmp_path / "a/data")]) == 0
        assert cli.main(["index", "--data-dir", str(tmp_path / "a/data")]) == 0
        assert len(receiver.came) == len(told)
    store = tmp_path / "a/data/store"
    assert [(one["eventType"], one["job"]["name"]) for one in told] == [
        *(("START", "aggregate"), ("COMPLETE", "aggregate")),
        *(("START", "index"), ("COMPLETE", "index")),
    ]
    assert len({one["run"]["runId"] for one in told}) == 2
    (segments,) = told[0]["inputs"]
    assert segments["namespace"] == "file"
    assert list(Path(segments["name"]).rglob("*.jsonl"))
    assert Path(segments["name"]).is_relative_to(store)
    (run,) = told[1]["outputs"]
    assert list(Path(run["name"]).glob("part-*"))
    assert told[3]["inputs"] == [run]  # so that one leads to the other
    assert told[3]["outputs"][0]["name"].startswith(str(tmp_path / "a/data/index.sqlite"))


def test_a_failed_run_is_reported_with_its_reason() -> None:
    with receiving() as receiver:
        with pytest.raises(Retryable), lineage_run("aggregate", receiver.url) as run:
            run.reads([dataset("s3://bucket/prefix", "metadata/model=m")])
            raise Retryable("the store is away")
        start, fail = events(receiver)
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert fail["run"]["facets"]["errorMessage"]["message"] == "the store is away"
    assert fail["inputs"] == [{"namespace": "s3://bucket", "name": "prefix/metadata/model=m"}]


def test_no_login_of_a_store_or_database_is_sent() -> None:
    found = dataset("postgresql://user:password@host:5432/counts", "m")
    assert found == ("postgresql://host:5432", "counts/m")


def test_nothing_is_sent_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Poster, url: str, headers: object) -> None:
        raise AssertionError("nobody asked for it")

    monkeypatch.setattr(Poster, "__init__", refused)
    assert counted(tmp_path / "a")


@pytest.mark.thorough
@pytest.mark.parametrize("manner", ["away", "refuses", "redirects", "endless", "silent", "drips"])
def test_a_misbehaving_receiver_costs_no_count_and_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, manner: Manner | str
) -> None:
    monkeypatch.setattr(sending, "_WITHIN_S", 0.3)
    monkeypatch.setattr(lineage, "_LAST_WITHIN_S", 1.0)
    quiet = counted(tmp_path / "a")
    with receiving("well" if manner == "away" else manner) as receiver:  # type: ignore[arg-type]
        url = receiver.url
        if manner == "away":
            with socket.create_server(("127.0.0.1", 0)) as taken:
                url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("FRAMETALLY_LINEAGE_URL", url)
        with caplog.at_level(logging.WARNING, logger="frametally.telemetry.sending"):
            assert counted(tmp_path / "b") == quiet
            lineage._sender(url, "").flush(30.0)
        lines = [
            record.getMessage() for record in caplog.records if record.name.startswith("frametally.telemetry")
        ]
        assert len(lines) == (0 if manner == "endless" else 1), lines
        assert not any("\n" in line for line in lines)
        assert "/elsewhere" not in {path for path, _, _ in receiver.came}
        assert receiver.sent_bytes < 100_000_000  # of the 10 GB


def test_messages_beyond_the_limit_are_dropped_and_nobody_waits_for_them(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "_WITHIN_S", 0.3)
    with receiving("silent") as receiver, caplog.at_level(logging.WARNING):
        sender = Poster(receiver.url, {})
        for _ in range(5 * sending._MOST_WAITING):
            sender.put(b"x")
        sender.put(bytes(sending._MOST_BYTES + 1))
        sender.flush(0.1)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("setting", ["FRAMETALLY_LINEAGE_URL", "FRAMETALLY_TRACES_URL"])
@pytest.mark.parametrize(
    "url", ["zz", "ftp://host/x", "host:5000", "http://", "http://host:99999/", "file:///etc/passwd"]
)
def test_an_invalid_address_gives_one_line_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, setting: str, url: str
) -> None:
    monkeypatch.setenv(setting, url)
    with one_line(Misconfigured, match=f"^{setting}={url}: ."):
        load_settings()
