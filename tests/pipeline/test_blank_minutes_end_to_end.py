"""A video of 25 minutes with five black ones, by the commands of a user, from the file to the alert."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.commands import Finished, run_frametally
from tests.kit.clips import write_clip
from tests.pipeline.conftest import START_TIME

pytestmark = [pytest.mark.timeout(300), pytest.mark.thorough]
SECONDS_PER_FRAME = 2
HOOK_KEY = "any"
OF_MINUTE = 60 // SECONDS_PER_FRAME
BLACK = range(10 * OF_MINUTE, 15 * OF_MINUTE)


def film() -> Iterator[NDArray[np.uint8]]:
    """Yield a white car on a grey street with the camera's noise; black while its lens is covered."""
    noise = np.random.default_rng(1)
    for number in range(25 * OF_MINUTE):
        level, picture = 2.0, np.zeros((96, 128, 3), np.float64)
        if number not in BLACK:
            picture[:] = 60
            cv2.rectangle(picture, (40, 30), (80, 60), (255, 255, 255), -1)
        yield np.clip(picture + noise.normal(0, level, picture.shape), 0, 255).astype(np.uint8)


def test_a_video_with_five_black_minutes_has_the_mean_of_the_others_and_triggers_no_alert(
    tmp_path: Path,
) -> None:
    def run(*arguments: object, code: int = 0) -> Finished:
        finished = run_frametally(
            *arguments,
            cwd=tmp_path,
            FRAMETALLY_DATA_DIR=str(tmp_path / "data"),
            FRAMETALLY_DETECTOR="pixels",
            FRAMETALLY_ALERT_CHANNELS=json.dumps({"ops": "http://127.0.0.1:9/"}),  # an empty street
            FRAMETALLY_ALERT_SECRET=HOOK_KEY,
            FRAMETALLY_ALERT_ALLOW="127.0.0.1",
        )
        assert finished.code == code, (arguments, finished.err)
        return finished

    def rows(interval_s: int) -> list[dict[str, str]]:
        written = run("export", "--interval", interval_s, "--timezone", "UTC").out
        return [*csv.DictReader(written.removeprefix("\ufeff").splitlines())]

    video = write_clip(tmp_path / "gate.mp4", film(), fps=10)
    pace = ("--seconds-per-frame", SECONDS_PER_FRAME, "--sample-fps", "all")
    run("produce", video, "--source", "Gate", "--start-time", START_TIME, *pace)
    run("consume", "--until-caught-up")
    run("aggregate")
    run("index")

    black = {"coverage": "shows nothing", "mean_per_frame": "", "detections": "", "covered_s": ""}
    shown = {"coverage": "footage", "mean_per_frame": "1.0", "detections": "150", "covered_s": "300.0"}
    assert [{name: row[name] for name in shown} for row in rows(300)] == [shown, shown, black, shown, shown]
    assert [row["shows_nothing"] for row in rows(300)] == ["", "", "black 300 s", "", ""]
    (whole,) = rows(1800)
    assert (whole["frames_analysed"], whole["mean_per_frame"], whole["covered_s"]) == ("600", "1.0", "1200.0")
    assert whole["shows_nothing"] == "black 300 s"

    status = run("status").out
    line = "Gate: 5 min black, up to 20.0% of a day's footage; it shows nothing, so no number includes it"
    assert line in status
    assert "settled" in status
    history = run("history", "--from", START_TIME).out
    assert "in 600 frames analysed, without 150 frames of footage that shows nothing" in history

    rule = ("--what", "count", "--interval", "5m", "--since", "2026-01-01", "--channel", "ops")
    run("alerts", "add", "quiet", "--below", 100, *rule)
    run("alerts", "add", "busy", "--at-least", 100, *rule)
    run("alerts", "run", code=6)  # because no consumer takes the messages
    log = run("alerts", "log").out
    assert "busy: count (Gate): 150" in log
    assert "quiet" not in log
