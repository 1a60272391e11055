"""A newcomer follows the components' READMEs: each block in its folder, without settings, to one chart."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from PIL import Image
from tests.capabilities import PACKAGES
from tests.commands import run_frametally
from tests.family.footage import make_video
from tests.kit.processes import run_program

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("consumer", "producer", "hadoop", "elasticsearch", "simple_frontend")
"""In the order of a newcomer: the consumer waits first."""
ELSEWHERE = (
    "pip ",
    "python helpers/download_models.py",
    "python fetch_assets.py",
    "python main_consumer.py --w",
)
"""Output about installing, fetching or building, and a consumer command that occurs four times."""


def commands_of(folder: Path) -> list[str]:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^## Run it alone\n\n```\n(.*?)```", readme, re.DOTALL | re.MULTILINE)
    assert block is not None
    lines = block[1].splitlines()
    assert lines[0] == f"cd {folder.name}"
    return [line for line in lines[1:] if not line.startswith(ELSEWHERE)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this one, with a new data folder."""
    names = run_program(
        ["git", "ls-files", "*.py", "*.toml", "*README.md", "*.json", "*.html"], cwd=ROOT
    ).stdout.splitlines()
    for name in names:
        if not name.startswith(("tests/", "benchmarks/", "docs/")):
            (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "checkout" / name)
    return tmp_path / "checkout"


def environment(checkout: Path) -> dict[str, str]:
    packages = {str(checkout / package.parent.relative_to(ROOT)) for package in PACKAGES}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRAMETALLY_")}
    return kept | {
        "PYTHONPATH": os.pathsep.join(sorted(packages)),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
        "FRAMETALLY_DETECTOR": "pixels",
        "FRAMETALLY_WEB_PORT": "0",
    }


@contextmanager
def until_ctrl_c(line: str, folder: Path, env: dict[str, str], output: Path) -> Iterator[Path]:
    with (
        output.open("wb") as log,
        subprocess.Popen(  # noqa: S602 - a line as a shell has it
            line, shell=True, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        try:
            yield output
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(120)


def said(output: Path, pattern: str) -> re.Match[str]:
    """The expected output of a long-running process."""
    for _ in range(1200):
        if found := re.search(pattern, output.read_text(encoding="utf-8")):
            return found
        time.sleep(0.1)
    pytest.fail(f"{pattern} is not in: {output.read_text(encoding='utf-8')}")


def said_detections(data: Path) -> None:
    """The running consumer has written its results."""
    for _ in range(1200):
        if [*(data / "store/metadata").rglob("*.jsonl")]:
            return
        time.sleep(0.1)
    pytest.fail(f"there are no segments in {data}")


def test_following_the_components_readmes_gives_one_chart(checkout: Path, tmp_path: Path) -> None:
    (checkout / "producer/pictures").mkdir()
    Image.new("RGB", (64, 48)).save(checkout / "producer/pictures/gate.jpg")
    make_video(checkout / "producer/gate.mp4", frames=20)
    env = environment(checkout)
    data = checkout / "frametally-data"
    with ExitStack() as running:
        for folder in FOLDERS:
            for number, line in enumerate(commands_of(checkout / folder)):
                if "until Ctrl-C" in line:
                    output = tmp_path / f"{folder}-{number}.log"
                    running.enter_context(until_ctrl_c(line, checkout / folder, env, output))
                    if folder == "consumer":
                        said(output, rf"reading frames on topic 'frames' of sqlite:///{data}/log.sqlite")
                    continue
                subprocess.run(line, shell=True, cwd=checkout / folder, env=env, check=True)  # noqa: S602
            if folder == "producer":
                said_detections(data)
        port = said(tmp_path / "simple_frontend-0.log", r"http://127\.0\.0\.1:(\d+)")[1]
        question = f"http://127.0.0.1:{port}/api/counts?metric=detections&interval=60"
        with urllib.request.urlopen(question) as answer:
            totals = json.load(answer)["totals"]
    assert [(total["label"], total["detections"]) for total in totals] == [("white", 30)]
    assert [*checkout.glob("*/frametally-data")] == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("consume --until-caught-up", "no new frames on topic 'frames' of sqlite:///{}/log.sqlite"),
        ("aggregate", "no new footage in file://{}/store"),
        ("index", "no runs in file://{}/store"),
    ],
)
def test_a_stage_that_finds_nothing_says_where_it_searched(command: str, says: str, tmp_path: Path) -> None:
    finished = run_frametally(*command.split(), cwd=tmp_path, FRAMETALLY_DETECTOR="pixels")
    assert finished.code == 0
    assert finished.out.strip().endswith(says.format(tmp_path / "frametally-data"))
