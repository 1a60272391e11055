"""With logs in JSON, one id leads from the producer to an answer, and programs can read each line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import urllib3
from tests.family.footage import SETTINGS, make_video
from tests.family.running import Running
from tests.kit.processes import run_program
from tests.kit.waiting import until

FRAMES = 20
START = "2026-03-01T10:00:00Z"


def produce(video: Path, data_dir: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["produce", str(video), "--start-time", START, "--data-dir", str(data_dir)]
    return run_program([sys.executable, "-m", "frametally", *command], env=os.environ | settings)


def steps(text: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, text.splitlines()) if "step" in line]


@pytest.mark.thorough
def test_one_id_leads_from_the_producer_through_each_stage_to_the_answer(tmp_path: Path) -> None:
    settings = SETTINGS | {"FRAMETALLY_LOG_LINES": "json"}
    video = make_video(tmp_path / "gate.mp4", frames=FRAMES)
    with Running(tmp_path, "up", settings=settings) as up:
        until(lambda: "Dashboard at" in up.said)
        url = next(
            line["message"].split("Dashboard at ")[1].split()[0]
            for line in map(json.loads, up.said.splitlines())
            if "Dashboard at " in line.get("message", "")
        )
        produced = produce(video, up.data_dir, settings)
        announced = [
            json.loads(line) for line in produced.stderr.splitlines() if '"step": "announced"' in line
        ]
        [medium] = {medium for line in announced for medium in line["media"]}
        assert sum(line["frames"] for line in announced) == FRAMES

        def lines(step: str) -> list[dict[str, Any]]:
            return [line for line in steps(up.said.rpartition("\n")[0]) if line["step"] == step]

        until(lambda: sum(line["frames"] for line in lines("detected")) == FRAMES)
        assert all(line["media"] == [medium] for line in lines("detected"))
        until(lambda: bool(lines("published")))

        def answered() -> bool:
            urllib3.request("GET", f"{url}/api/v1/counts?from=2026-03-01&to=2026-03-02&interval=86400")
            runs = {run for line in lines("answered") for run in line["runs"]}
            counted = {line["run"] for line in lines("counted") if medium in line["media"]}
            return bool(runs & counted & {line["run"] for line in lines("published")})

        until(answered)
        for line in map(json.loads, up.said.rpartition("\n")[0].splitlines()):
            assert {"time", "level", "command"} <= line.keys()
            assert "message" in line or "step" in line


@pytest.mark.thorough
def test_without_the_setting_no_line_is_json(tmp_path: Path) -> None:
    video = make_video(tmp_path / "gate.mp4", frames=FRAMES)
    done = produce(video, tmp_path / "data", SETTINGS)
    assert "announced" in done.stdout
    assert "{" not in done.stdout + done.stderr
