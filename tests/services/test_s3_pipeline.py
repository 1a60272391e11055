"""The whole small pipeline over the real S3 server gives the same as over files, through any fault."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from s3_bucket import (
    S3Place,
    key_with_policy,
    known_to_the_test_server,
    new_place,
)
from s3_fault_proxy import FAULTS, Fault, FaultProxy, some_of
from tests.commands import CommandLine
from tests.fakes.records import make_frame, make_segment
from tests.kit.clips import crossing, write_clip

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_parts
from frametally.errors import Misconfigured
from frametally.ports.object_store import ObjectStore
from frametally.settings.access import StoreAccess
from frametally_cli.bucket import policy
from frametally_hadoop.job.reading import read_blocks

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]

NOON_MS = 1_767_268_800_000

ENV = {
    "FRAMETALLY_DETECTOR": "pixels",
    "FRAMETALLY_INTERVAL_S": "1",
    "FRAMETALLY_BATCH_FRAMES": "20",
    "FRAMETALLY_MIN_TRACKING_FPS": "5",
    "COLUMNS": "300",
}
STAGES = {
    "producer": ["produce", "--source", "gate", "--start-time", "2026-03-01T23:59:55Z"],
    "consumer": ["consume", "--until-caught-up"],
    "hadoop": ["aggregate"],
    "search": ["index"],
}


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds over midnight: one bright patch moves, and one is still."""
    return write_clip(tmp_path_factory.mktemp("footage") / "cam.mp4", crossing(60))


class Pipeline:
    """An empty data folder, and the command line on it, in this process."""

    def __init__(self, folder: Path, footage: Path) -> None:
        self._footage, self._frametally = footage, CommandLine(folder)

    def stage(self, name: str, **environment: Any) -> None:
        arguments = STAGES[name] + ([str(self._footage)] if name == "producer" else [])
        self("", *arguments, **environment)

    def __call__(self, said: str, *arguments: str, code: int = 0, **environment: Any) -> None:
        with pytest.MonkeyPatch.context() as patched:
            for variable, value in (ENV | environment).items():
                patched.setenv(variable, value)
            done = self._frametally(*arguments, code=code)
        assert said in done.out + done.err


def test_an_interrupted_download_by_link_continues_where_it_stopped() -> None:
    place = new_place()
    lines = [make_frame(NOON_MS + n, n, source="gate", size_px=(96, 64), model="m") for n in range(2000)]
    data = make_segment(lines, model="m", log_id="log")
    faults = iter(["cut short", "503", "cut short", "refused", "lost answer"])
    with FaultProxy(place.access.endpoint, lambda method, path: next(faults, "")) as proxy:
        store = place.open(link_endpoint=proxy.url)
        store.put("metadata/a.jsonl", data)
        blocks = list(read_blocks(store.address("metadata/a.jsonl"), "a", block_bytes=10_000))
        assert proxy.spoilt == {"cut short": 2, "503": 1, "refused": 1, "lost answer": 1}
    assert [frame.captured_at_ms - NOON_MS for block in blocks for frame in block.frames] == list(range(2000))


def parts(store: ObjectStore) -> dict[str, bytes]:
    """The part files of the current runs, by day."""
    return {run.day: b"".join(lines for _, lines in read_parts(store, run)) for run in current_runs(store)}


@pytest.fixture
def over_files(tmp_path: Path, footage: Path) -> dict[str, bytes]:
    pipeline = Pipeline(tmp_path / "files", footage)
    for stage in STAGES:
        pipeline.stage(stage)
    with closing(open_object_store((tmp_path / "files/frametally-data/store").as_uri())) as store:
        counted = parts(store)
    assert sorted(counted) == ["2026-03-01", "2026-03-02"]
    assert b'"objects":2' in counted["2026-03-01"]
    return counted


@pytest.mark.parametrize("seed", [1, 2])
def test_with_one_call_in_five_failing_the_counts_equal_those_over_files(
    seed: int, tmp_path: Path, footage: Path, over_files: dict[str, bytes]
) -> None:
    place, pipeline = new_place("/cameras"), Pipeline(tmp_path / "s3", footage)
    with FaultProxy(place.access.endpoint, some_of(0.2, seed)) as proxy:
        for stage in STAGES:
            pipeline.stage(stage, **place.environment(endpoint=proxy.url))
        pipeline("settled", "status", **place.environment(endpoint=proxy.url))
        assert set(proxy.spoilt) == set(FAULTS)
        assert 0.1 < sum(proxy.spoilt.values()) / len(proxy.calls) < 0.3
    assert parts(place.open()) == over_files


def test_producer_and_consumer_wait_for_an_unavailable_store(
    tmp_path: Path, footage: Path, over_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "frametally.process.retrying.time",
        SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None),
    )
    place, calls = new_place(), [0]

    def away_for_a_while(method: str, path: str) -> Fault:
        calls[0] += 1
        return "refused" if 10 <= calls[0] < 50 else ""

    pipeline = Pipeline(tmp_path / "s3", footage)
    for stage in STAGES:
        calls[0] = 0 if stage in ("producer", "consumer") else 50
        with FaultProxy(place.access.endpoint, away_for_a_while) as proxy:
            pipeline.stage(stage, **place.environment(endpoint=proxy.url))
            assert calls[0] > 50
    assert parts(place.open()) == over_files


def key_of(root: S3Place, stage: str) -> StoreAccess:
    whole = policy(root.url.removeprefix("s3://"), stage)
    return key_with_policy(root.access, known_to_the_test_server(whole))


def test_every_stage_needs_only_the_rights_of_its_policy(
    tmp_path: Path, footage: Path, over_files: dict[str, bytes]
) -> None:
    root = new_place()
    places: dict[str, Any] = {
        stage: S3Place(root.url, key_of(root, stage)).environment() for stage in (*STAGES, "web", "admin")
    }
    pipeline = Pipeline(tmp_path / "s3", footage)
    for stage in STAGES:
        pipeline.stage(stage, **places[stage])
    pipeline("settled", "status", **places["web"])
    pipeline(
        "",
        "explain",
        *["--source", "gate", "--label", "white", "--interval-start", "2026-03-01T23:59:56Z"],
        **places["web"],
    )
    assert parts(root.open()) == over_files
    line = {"name": "stop", "width_px": 96, "height_px": 64, "points": [[40, 0], [40, 64]]}
    (tmp_path / "line.json").write_text(json.dumps({"lines": [line]}))
    pipeline("", "lines", "import", "gate", str(tmp_path / "line.json"), **places["web"])
    for stage in ("hadoop", "search"):
        pipeline.stage(stage, **places[stage])
    assert {run.day for run in current_runs(root.open()) if "~flows" in run.model} == over_files.keys()
    pipeline("", "forget", "--source", "gate", "--delete-images", "--yes", **places["admin"])
    assert list(root.open().list("media")) == []
    for stage in ("producer", "consumer", "hadoop", "search"):
        pipeline.stage(stage, **places[stage])
    assert parts(root.open()).keys() == over_files.keys()
    pipeline("settled", "status", **places["web"])


def test_a_cameras_key_can_put_only_images_and_manifests() -> None:
    root = new_place()
    folders = ("images", "media", "metadata", "mapreduce-output", "tombstones", "corrections", "models")
    with closing(root.open()) as store:
        for folder in folders:
            store.put(f"{folder}/there", b"what others have stored")
    with closing(S3Place(root.url, key_of(root, "producer")).open()) as store, closing(root.open()) as whole:
        for folder in ("images", "media"):
            store.put(f"{folder}/mine", b"what a camera has filmed")
        for folder in folders:
            with pytest.raises(Misconfigured):
                store.delete(f"{folder}/there")
            if folder not in ("images", "media"):
                with pytest.raises(Misconfigured):
                    store.put(f"{folder}/there", b"another")
            if folder in ("metadata", "mapreduce-output"):  # it reads the network that finds what to blur
                with pytest.raises(Misconfigured):
                    store.get(f"{folder}/there")
            assert whole.get(f"{folder}/there") == b"what others have stored"
