"""Each fault of a runbook is injected: the dashboard's own figures make the alert fire, until it is mended.

promtool evaluates the rules on what `/metrics` says, as if it stayed so for an hour and a half.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_file import STACK
from prometheus_client.parser import text_string_to_metric_families as families
from tests.fakes.records import make_announcement
from tests.family.footage import SETTINGS, make_video
from tests.kit.ports import free_port
from tests.kit.waiting import until
from tests.web.conftest import START_MS, Place, Serving
from tests.web.counted_footage import make_lines

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.process.exit_codes import NOTHING_DONE
from frametally.records import encode
from frametally_cli import main as cli
from frametally_consumer.detectors.boxes import PixelDetector
from frametally_web.books import reader

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

DAY = "2026-03-01"
AWAY_BUCKET = {
    "FRAMETALLY_STORE_URL": "s3://frames",
    "FRAMETALLY_STORE_ENDPOINT": "http://127.0.0.1:1",
    "FRAMETALLY_STORE_ACCESS_KEY": "me",
    "FRAMETALLY_STORE_SECRET_KEY": "secret",
}
COUNTS = f"/api/v1/counts?from={DAY}&to=2026-03-02&interval=3600"
Figures = dict[str, float]


class SlowIndex:
    """An index each of whose histograms takes this long."""

    def __init__(self, index: Any, seconds: float) -> None:
        self._index, self._seconds = index, seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def histogram(self, query: Any) -> Any:
        time.sleep(self._seconds)
        return self._index.histogram(query)


class Pipeline:
    """A data folder, and its dashboard's figures."""

    def __init__(self, folder: Path, serving: Serving) -> None:
        self.folder, self.serving = folder, serving
        self.data_dir = folder / "data"

    def run(self, *command: str, code: int = 0) -> None:
        assert cli.main([*command, "--data-dir", str(self.data_dir)]) == code

    def film(self, name: str, at: str, frames: int) -> None:
        """Produce a video that begins at this time of `DAY`, or at a whole timestamp."""
        video = make_video(self.folder / f"{name}.mp4", frames=frames)
        at = at if "T" in at else f"{DAY}T{at}Z"
        self.run("produce", str(video), "--source", "gate", "--start-time", at)

    def count(self, *, is_dead: bool = False) -> None:
        self.run("consume", "--until-caught-up", code=NOTHING_DONE if is_dead else 0)
        self.run("aggregate")
        self.run("index")

    def figures(self, *asked: str, slow_s: float = 0.0) -> Figures:
        """The content of `/metrics` after these requests."""
        place = Place(self.data_dir)
        place.store = open_object_store((self.data_dir / "store").as_uri())
        place.log = open_frame_log(f"sqlite:///{self.data_dir}/log.sqlite", lease_s=10)
        place.index = SlowIndex(place.real_index, slow_s)  # type: ignore[assignment]
        try:
            url = self.serving(place.app())
            for number, path in enumerate(asked):
                with urllib.request.urlopen(f"{url}{path}&top={number + 1}") as answer:  # noqa: S310
                    assert answer.status == 200
            return figures_at(url)
        finally:
            place.close()


def figures_at(url: str) -> Figures:
    """The content of `/metrics`."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:  # noqa: S310
        body = answer.read().decode()
    return {series(sample): sample.value for family in families(body) for sample in family.samples}


def figures_of(port: int) -> Figures:
    """The content of `/metrics` of a process; empty until it listens."""
    try:
        return figures_at(f"http://127.0.0.1:{port}")
    except urllib.error.URLError:
        return {}


def series(sample: Any) -> str:
    labels = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sample.labels.items())
    return f"{sample.name}{{{','.join(labels)}}}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the pipeline; a module or a class may put it elsewhere."""
    return tmp_path


@pytest.fixture
def pipeline(folder: Path, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reader, "_FIRST_READING_S", 60.0)
    made = Pipeline(folder, serving)
    made.film("first", "10:00:00", 20)
    made.count()
    return made


@pytest.fixture
def fires(tmp_path: Path) -> Iterator[Callable[..., bool]]:
    if shutil.which("promtool") is None:
        if os.environ.get("FRAMETALLY_REQUIRE_SERVICES") == "1":
            pytest.fail("no promtool: run `make services-up SERVICES=prometheus`")
        pytest.skip("needs promtool: run `make services-up SERVICES=prometheus`")
    shutil.copy(STACK / "prometheus/alerts.yml", tmp_path)

    def evaluate(alert: str, before: Figures, after: Figures | None = None) -> bool:
        """Whether the alert fires if the figures stay, or grow each minute as from `before` to `after`."""
        growth = {name: value - before.get(name, 0.0) for name, value in (after or before).items()}
        outcomes = []
        for expected in (0, 1):
            test = {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": f"{before.get(name, 0.0):f}{growth[name]:+f}x90"}
                    for name in growth
                ],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)',
                        "eval_time": "80m",
                        "exp_samples": [{"labels": "{}", "value": expected}],
                    }
                ],
            }
            file = tmp_path / "case.yml"
            file.write_text(yaml.safe_dump({"rule_files": ["alerts.yml"], "tests": [test]}))
            done = subprocess.run(
                ["promtool", "test", "rules", file.name],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            outcomes.append(done.returncode == 0)
        assert sorted(outcomes) == [False, True], done.stdout + done.stderr
        return outcomes[1]

    yield evaluate


def test_a_stopped_consumer_is_noticed_by_the_age_of_the_counts(
    pipeline: Pipeline, fires: Callable[..., bool]
) -> None:
    alerts = ("FrametallyFreshnessBurnFast", "FrametallyFreshnessBurnSlow")
    assert not any(fires(alert, pipeline.figures()) for alert in alerts)
    pipeline.film("second", "10:30:00", 25)  # and no consumer runs
    assert all(fires(alert, pipeline.figures()) for alert in alerts)
    pipeline.count()
    assert not any(fires(alert, pipeline.figures()) for alert in alerts)


def test_a_lost_object_is_noticed_at_once(pipeline: Pipeline, fires: Callable[..., bool]) -> None:
    assert not fires("FrametallyBooksBroken", pipeline.figures())
    [segment, *_] = sorted(pipeline.data_dir.glob("store/metadata/**/*.jsonl"))
    kept = segment.rename(pipeline.folder / segment.name)
    assert fires("FrametallyBooksBroken", pipeline.figures())
    kept.rename(segment)
    assert not fires("FrametallyBooksBroken", pipeline.figures())


def test_a_slow_index_is_noticed_by_its_answers(pipeline: Pipeline, fires: Callable[..., bool]) -> None:
    alerts = ("FrametallyAnswersBurnFast", "FrametallyAnswersBurnSlow")
    start = pipeline.figures(COUNTS)
    slow = pipeline.figures(COUNTS, COUNTS, slow_s=1.1)
    assert all(fires(alert, start, slow) for alert in alerts)
    mended = pipeline.figures(COUNTS, COUNTS)
    assert not any(fires(alert, slow, mended) for alert in alerts)


def test_counts_that_end_an_hour_before_the_footage_are_noticed(
    pipeline: Pipeline, fires: Callable[..., bool]
) -> None:
    pipeline.film("second", "11:30:00", 25)  # and no consumer runs
    assert fires("FrametallyNotUpToDate", pipeline.figures())
    pipeline.count()
    assert not fires("FrametallyNotUpToDate", pipeline.figures())


def test_unreadable_books_are_noticed(pipeline: Pipeline, fires: Callable[..., bool]) -> None:
    port = free_port()
    command = [sys.executable, "-m", "frametally", "serve", "--alone", "--port", str(port)]
    command += ["--data-dir", str(pipeline.data_dir)]
    away = {"FRAMETALLY_INDEX_URL": "postgresql://127.0.0.1:1/frametally"}
    with subprocess.Popen(command, env=os.environ | away) as dashboard:
        try:
            until(lambda: "frametally_books_up{}" in figures_of(port))
            assert fires("FrametallyBooksAway", figures_of(port))
        finally:
            dashboard.kill()
    assert not fires("FrametallyBooksAway", pipeline.figures())


def test_a_silent_source_is_noticed(pipeline: Pipeline, fires: Callable[..., bool]) -> None:
    assert not fires("FrametallyNoFootage", pipeline.figures()), "it was filmed long ago"
    now = datetime.datetime.now(datetime.UTC)
    pipeline.film("earlier", (now - datetime.timedelta(hours=1)).isoformat(), 25)
    assert fires("FrametallyNoFootage", pipeline.figures())
    pipeline.film("present", (now - datetime.timedelta(minutes=1)).isoformat(), 30)
    assert not fires("FrametallyNoFootage", pipeline.figures())


def test_frames_that_cannot_be_analysed_are_noticed(pipeline: Pipeline, fires: Callable[..., bool]) -> None:
    before = pipeline.figures()
    pipeline.film("second", "10:30:00", 25)
    frames = [
        path
        for path in pipeline.data_dir.glob("store/images/**/*.jpg")
        if path.stat().st_mtime_ns >= (pipeline.folder / "second.mp4").stat().st_mtime_ns
    ]
    bodies = {path: path.read_bytes() for path in frames}
    for path in frames:
        path.write_bytes(b"no picture")
    pipeline.count(is_dead=True)
    broken = pipeline.figures()
    assert fires("FrametallyDeadLetters", before, broken)
    for path, body in bodies.items():
        path.write_bytes(body)
    pipeline.run("dead-letters", "replay")
    pipeline.count()
    assert not fires("FrametallyDeadLetters", broken, pipeline.figures())


def test_frames_that_arrive_faster_than_they_are_analysed_are_noticed(
    pipeline: Pipeline, fires: Callable[..., bool]
) -> None:
    before = pipeline.figures()
    [line] = make_lines("yard", frames=1, step_ms=200, start_ms=START_MS, seed=1)
    with closing(open_frame_log(f"sqlite:///{pipeline.data_dir}/log.sqlite", lease_s=10)) as log:
        log.publish(
            "frames", [(b"yard", encode(make_announcement(line)))] * 11_000
        )  # the number is the fault
    behind = pipeline.figures()
    assert fires("FrametallyConsumersBehind", before, behind)
    assert not fires("FrametallyConsumersBehind", behind), "they no longer become more"


def test_an_unavailable_part_is_noticed(tmp_path: Path, fires: Callable[..., bool]) -> None:
    port = free_port()
    settings = AWAY_BUCKET | SETTINGS | {"FRAMETALLY_METRICS_ADDRESS": f"127.0.0.1:{port}"}
    command = [sys.executable, "-m", "frametally", "consume", "--data-dir", str(tmp_path / "data")]
    outage = 'frametally_outage_seconds_total{part="frame store"}'

    def outage_s() -> float:
        return figures_of(port).get(outage, 0.0)

    with subprocess.Popen(command, env=os.environ | settings) as consumer:
        try:
            until(lambda: outage_s() > 0)
            before, began_s = outage_s(), time.monotonic()
            until(lambda: outage_s() > before + 3)
            a_minute = (outage_s() - before) * 60 / (time.monotonic() - began_s)
        finally:
            consumer.kill()
    assert fires("FrametallyPartAway", {outage: 0.0}, {outage: a_minute})
    assert not fires("FrametallyPartAway", {outage: a_minute})


def test_a_slow_detector_is_noticed(
    pipeline: Pipeline, fires: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def detect(detector: PixelDetector, images: Any) -> Any:
        time.sleep(10.1)
        return usual(detector, images)

    usual, before = PixelDetector.detect, pipeline.figures()
    pipeline.film("second", "10:30:00", 1)
    with monkeypatch.context() as slow:
        slow.setattr(PixelDetector, "detect", detect)
        pipeline.count()
    behind = pipeline.figures()
    assert fires("FrametallyDetectorSlow", before, behind)
    pipeline.film("third", "10:40:00", 10)
    pipeline.count()
    assert not fires("FrametallyDetectorSlow", behind, pipeline.figures())


class TestSmallDisk:
    """A data folder on a disk of 64 MB."""

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        monkeypatch.setenv("FRAMETALLY_MIN_FREE_DISK_MB", "1")
        if os.geteuid() != 0 or not shutil.which("mount"):
            pytest.skip("mounting a small disk needs root")
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)

    def test_a_nearly_full_disk_is_noticed(self, pipeline: Pipeline, fires: Callable[..., bool]) -> None:
        assert not fires("FrametallyDiskFull", pipeline.figures())
        room = shutil.disk_usage(pipeline.folder).free
        (pipeline.folder / "in-the-way").write_bytes(bytes(room - 3_000_000))
        assert fires("FrametallyDiskFull", pipeline.figures())
        (pipeline.folder / "in-the-way").unlink()
        assert not fires("FrametallyDiskFull", pipeline.figures())
