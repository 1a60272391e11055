"""Each fault of a runbook is injected: the dashboard's own figures make the alert fire, until it is mended.

promtool evaluates the rules on what `/metrics` says, as if it stayed so for an hour and a half.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_file import STACK
from prometheus_client.parser import text_string_to_metric_families as families
from tests.family.footage import SETTINGS, make_video
from tests.web.conftest import Place, Serving

from frametally.opening import open_frame_log, open_object_store
from frametally_cli import main as cli
from frametally_web.books import reader

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

DAY = "2026-03-01"
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
        video = make_video(self.folder / f"{name}.mp4", frames=frames)
        self.run("produce", str(video), "--source", "gate", "--start-time", f"{DAY}T{at}Z")

    def count(self) -> None:
        for command in (["consume", "--until-caught-up"], ["aggregate"], ["index"]):
            self.run(*command)

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
            with urllib.request.urlopen(f"{url}/metrics") as answer:  # noqa: S310
                body = answer.read().decode()
        finally:
            place.close()
        return {series(sample): sample.value for family in families(body) for sample in family.samples}


def series(sample: Any) -> str:
    labels = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sample.labels.items())
    return f"{sample.name}{{{','.join(labels)}}}"


@pytest.fixture
def pipeline(tmp_path: Path, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(reader, "_FIRST_READING_S", 60.0)
    made = Pipeline(tmp_path, serving)
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


def test_a_stopped_consumer_is_noticed_by_how_old_the_counts_are(
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


def test_a_slow_index_is_noticed_by_the_answers(pipeline: Pipeline, fires: Callable[..., bool]) -> None:
    alerts = ("FrametallyAnswersBurnFast", "FrametallyAnswersBurnSlow")
    start = pipeline.figures(COUNTS)
    slow = pipeline.figures(COUNTS, COUNTS, slow_s=1.1)
    assert all(fires(alert, start, slow) for alert in alerts)
    mended = pipeline.figures(COUNTS, COUNTS)
    assert not any(fires(alert, slow, mended) for alert in alerts)
