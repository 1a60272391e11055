"""Each command that a document tells people to type is run here, or a reason says why it cannot be."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.commands import run_frametally
from tests.family.footage import make_video
from tests.kit.documents import PAGES, ROOT, TypedCommand, calls, complaint, fenced_commands, inline_calls
from tests.kit.ports import free_port
from tests.kit.waiting import until
from tests.retention.filmed import FRAMES, opened

from frametally.settings.loading import Settings
from frametally_cli.main import cli

ELSEWHERE = {
    r"sudo |docker[- ]|address=|echo 'COMPOSE_FILE|echo \"on your own": "Docker: `make test-compose`",
    r"kubectl |helm |docker build": "a cluster: tests/services/test_kubernetes.py renders the chart",
    r"(make|git|bash \.ci/run)\b": "the checkout itself: .ci/run runs these",
    r"pip |python -m venv|\.venv-airflow/|\. \.venv": "packages: `make setup` and .ci/run install them",
    r"airflow |export (AIRFLOW_\w+|FRAMETALLY_COMMAND|FRAMETALLY_DATA_DIR|PATH)=": "`make test-airflow`",
    r"spark-submit |spark-sql |.* --engine spark": "packages of Spark: `make test-spark`",
    r"hadoop jar ": "a cluster of Hadoop: tests/services/test_hadoop_runner.py",
    r"python (object_counts|mapper|-m frametally_hadoop.running.bundle)": "tests/hadoop/test_engines.py",
    r"python benchmarks/": "a benchmark runs for minutes",
    r"create(user|db) ": "an administrator of PostgreSQL",
    r"[0-9]+ [0-9]+ \* \* \*": "cron",
    r"(cp|editor|mkdir|htpasswd|printf '%s|chmod) ": "a server by hand: tests/cloud/test_cloud_setup.py",
    r"cat cloud-services/|cd cloud-services": "after the setup of the stack",
    r"(\.venv/bin/)?frametally (live (discover|add|stop|remove)|stream) ?": "a camera: tests/live",
    r"frametally mcp ": "tests/assistants",
    r"frametally produce dash\.mp4": "a file with two tracks: tests/producer",
    r"frametally redetect ": "names another model: tests/consumer/test_redetect.py",
    r"python -m frametally_cli.bucket ": "an account at AWS: tests/services/test_s3_store.py",
    r"(cd producer|python main_producer.py)": "tests/pipeline/test_component_readmes.py",
    r"python capabilities/frametally_gold/": "tests/gold/test_notebooks.py",
    r"curl -u USER": "tests/services/test_documents_for_others.py",
    r"curl -(F|X PUT)|curl .*/jobs$|frametally media ": "an upload: tests/videos, tests/web",
    r"frametally privacy set .*--blur": "a real network: tests/privacy",
    r"frametally alerts test|export FRAMETALLY_(SMTP_URL|MAIL_TO)": "a receiver: tests/alerts, tests/videos",
}
"""Commands that do not run here, by the pattern of their beginning, and where they are run instead."""
OTHER_PAGES = {
    "consumer/README.md": "tests/pipeline/test_component_readmes.py follows it",
    "elasticsearch/README.md": "tests/pipeline/test_component_readmes.py follows it",
    "hadoop/README.md": "tests/pipeline/test_component_readmes.py follows it",
    "simple_frontend/README.md": "tests/pipeline/test_component_readmes.py follows it",
    "docs/commands.md": "the same five commands as in those READMEs",
    "docs/count-index.md": "a server: tests/services/test_documents_on_servers.py",
    "docs/kafka.md": "a server: tests/services/test_documents_on_servers.py",
    "docs/object-store.md": "a server: tests/services/test_documents_on_servers.py",
    "docs/models.md": "networks that are downloaded, a GPU, or a network of your own: tests/models",
    "cloud-services/README.md": "a server: tests/services/test_stack.py",
}
INSTEAD = (
    ("http://127.0.0.1:5001", "$URL"),
    ("https://frames.example.org", "$URL"),
    ("Bearer $TOKEN", "X-No-Token: 1"),
    ("/mnt/nas", "nas"),
    ("~/", "./"),
    ("127.0.0.1:9464", f"127.0.0.1:{free_port()}"),
    ("MEDIUM", "gate.mp4"),
    ('{"ops": ', '{"people": "mailto:people@example.org", "ops": '),
    ("SECRET=...", "SECRET=a-secret-of-32-characters-or-more"),
    (".venv/bin/frametally", "frametally"),
    ("privacy erase", "privacy erase --yes"),  # there is no terminal here
)
"""What an example cannot know, and what it is here."""
UNTIL_STOPPED = re.compile(
    r"(FRAMETALLY_\w+=\S+ )?frametally (serve|up|consume$|run (?!.*--no-serve)|live work|"
    r"work --(workers|queue)|alerts run|gold --every|produce .* --watch)"
)
BEFORE = {
    "frametally backup": "frametally users list | grep -q clara || frametally users add clara --role run",
    "frametally tokens add": "frametally users add ben --source gate",
    "frametally retime trap/b/*": "frametally produce trap/ --time-pattern 'p_%Y%m%d_%H%M%S' --timezone UTC",
    "frametally restore": "rm frametally-data/catalogue.sqlite*",
    "frametally accuracy answer": "python answer.py <sample.json >answers.json",
}
"""What a person did before, by the beginning of the command."""
_RUNS_S = 3.0
"""How long a command that runs until Ctrl-C may show that it does not refuse."""


def commands(page: str) -> list[TypedCommand]:
    return [
        command
        for command in fenced_commands(page)
        if not any(re.match(pattern, command.text) for pattern in ELSEWHERE)
    ]


RUN_PAGES = [page for page in PAGES if page not in OTHER_PAGES and commands(page)]


def test_each_fenced_command_runs_here_or_has_a_reason_not_to() -> None:
    taken = ("frametally ", ".venv/bin/frametally ", "export ", "FRAMETALLY_", "AWS_REGION=", "curl ")
    unknown = [
        str(command)
        for page in PAGES
        for command in commands(page)
        if not command.text.startswith(taken)
        and not (page in OTHER_PAGES and re.match(r"cd |python |printf |HADOOP_HOME=", command.text))
    ]
    assert unknown == [], "run it here, or give the reason in ELSEWHERE"
    typed = [command.text for page in PAGES for command in fenced_commands(page)]
    assert len(typed) > 200
    reasons = " ".join([*ELSEWHERE.values(), *OTHER_PAGES.values()])
    assert [path for path in re.findall(r"tests/[\w/.]*\w", reasons) if not (ROOT / path).exists()] == []
    unused = [pattern for pattern in ELSEWHERE if not any(re.match(pattern, text) for text in typed)]
    assert unused == []


def test_the_program_accepts_each_command_and_option_in_a_document() -> None:
    refused = [
        f"{command}: {reason}"
        for page in PAGES
        for command in fenced_commands(page)
        for arguments in calls(command.text)
        if (reason := complaint(cli, arguments))
    ]
    named = [
        f"{page}: frametally {' '.join(arguments)}: {reason}"
        for page in PAGES
        for arguments in inline_calls(page)
        if (reason := complaint(cli, arguments)) and not reason.endswith("requires an argument.")
    ]
    assert refused + named == []


def test_every_setting_in_an_example_exists() -> None:
    settings = {f"FRAMETALLY_{name.upper()}" for name in Settings.model_fields}
    others = {
        "FRAMETALLY_COMMAND",
        "FRAMETALLY_CLOUD_PASSWORD",
    }  # of Airflow's DAGs, and of the stack's setup
    unknown = [
        f"{command}: {name}"
        for page in PAGES
        for command in fenced_commands(page)
        for name in re.findall(r"(?<![\w{])(FRAMETALLY_[A-Z0-9_]+)=", command.text)
        if name not in settings | others
    ]
    assert unknown == []


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FRAMETALLY_")}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}",
        "FRAMETALLY_DATA_DIR": str(folder / "frametally-data"),
        "FRAMETALLY_DETECTOR": "pixels",
        "FRAMETALLY_WEB_PORT": "0",
        "COLUMNS": "200",
    }


FILMED = {"gate": "2026-05-01T08:00Z", "gate-1": "2026-05-14T12:01Z", "crossroads": "2026-05-02T08:00Z"}
ANSWER = """
import json, sys
sample = json.load(sys.stdin)
json.dump([{"unit": n, "counts": {"person": 1}} for n in range(len(sample["units"]))], sys.stdout)
"""
"""Says of each frame of a sample that it shows one person."""


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with footage of a year, counted, and the files that the examples name."""
    folder = tmp_path_factory.mktemp("town")
    size = {"width_px": 640, "height_px": 480}
    line = {"name": "west", **size, "points": [[320, 480], [320, 0]], "to_right": "inbound"}
    zone = {"name": "gate", **size, "points": [[0, 0], [600, 0], [600, 470], [0, 470]]}
    for name in ("gate-lines.json", "calibration.json"):
        (folder / name).write_text(json.dumps({"lines": [line], "zones": [zone]}))
    manual = (ROOT / "docs/traffic-report.md").read_text(encoding="utf-8")
    (legs,) = re.findall(r"^ +```\n( +\{\"lines\".*?)```", manual, re.MULTILINE | re.DOTALL)
    (folder / "legs.json").write_text(legs)
    (folder / "answer.py").write_text(ANSWER)
    for name in ("pictures", "thermal", "trap/a", "trap/b"):
        (folder / name).mkdir(parents=True)
    heat = np.linspace(29_000, 32_000, 64 * 64, dtype=np.uint16).reshape(64, 64)
    cv2.imwrite(str(folder / "thermal/2026-05-04T08-00-00.png"), heat)
    for number, name in enumerate(("trap/a/p_20251026_010000.jpg", "trap/b/p_20251026_020000.jpg")):
        cv2.imwrite(str(folder / name), np.roll((heat // 128).astype(np.uint8), number))
    shutil.copy(ROOT / "docs/stack-dashboard.png", folder / "pictures/2026-05-03T08-00-00.png")
    for number, name in enumerate(("my", "gate", "site", "jump", "dash", "footage/one", "archive/two")):
        path = folder / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        make_video(path, frames=10 + number)
    data = folder / "frametally-data"
    with opened(data) as filmed:
        for source, start in FILMED.items():
            filmed.film(source, round(datetime.fromisoformat(start).timestamp() * 1000))
        for source, file in (("gate", "gate-lines.json"), ("crossroads", "legs.json")):
            done = run_frametally(*("lines", "import", source, file, "--data-dir", data), cwd=folder)
            assert done.code == 0, done
        filmed.count()
    return folder


@pytest.fixture
def here(town: Path, tmp_path: Path) -> Path:
    return shutil.copytree(town, tmp_path / "here")


def typed(command: TypedCommand) -> str:
    text = command.text
    for words, instead in INSTEAD:
        text = text.replace(words, instead)
    return text


class Shell:
    """A shell in which the commands of a page are typed, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.env, self.exports = folder, environment(folder), ""

    def type(self, command: TypedCommand) -> None:
        text = typed(command)
        if text.startswith("export "):
            self.exports += f"{text}\n"
        allowed: tuple[int, ...] = (0,)
        before = next((line for start, line in BEFORE.items() if text.startswith(start)), "true")
        with subprocess.Popen(
            ["bash", "-c", f"set -e\n{self.exports}{before}\n{text}"],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        ) as process:
            try:
                is_stopped = UNTIL_STOPPED.match(re.sub(r" *#.*", "", text))
                said, _ = process.communicate(timeout=_RUNS_S if is_stopped else 120)
            except subprocess.TimeoutExpired:
                assert is_stopped, f"{command} does not end"
                os.killpg(process.pid, signal.SIGINT)
                said, _ = process.communicate(timeout=60)
                allowed = (0, 130, -signal.SIGINT)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode in allowed, f"{command}\nended with {process.returncode}:\n{said}"


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", RUN_PAGES)
def test_the_commands_of_a_page_do_what_it_says(page: str, here: Path) -> None:
    shell = Shell(here)
    each_once = {re.sub(r" +#.*", "", command.text): command for command in reversed(commands(page))}
    for command in sorted(each_once.values(), key=lambda command: command.line):
        if not command.text.startswith("curl "):
            shell.type(command)


REQUESTS = [
    command
    for page in PAGES
    for command in fenced_commands(page)
    if re.match(r"curl '?http[^ ]+/counts\?", command.text)
]


@pytest.mark.thorough
def test_requests_in_the_documents_return_the_boxes_of_the_segments(town: Path) -> None:
    assert len(REQUESTS) >= 2
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = environment(town) | {"FRAMETALLY_WEB_PORT": str(port), "URL": url}
    with subprocess.Popen(
        ["frametally", "serve", "--alone"],
        cwd=town,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    ) as server:
        try:
            until(
                lambda: subprocess.run(["curl", "-sf", f"{url}/healthz"], capture_output=True).returncode == 0
            )
            for command in REQUESTS:
                text = command.text.replace("curl ", "curl -sf ").replace("http://127.0.0.1:5001", url)
                done = subprocess.run(["bash", "-c", text], env=env, capture_output=True, check=False)
                assert done.returncode == 0, command
                answer = json.loads(done.stdout)
                boxes = sum(bar["detections"] for bar in answer["buckets"])
                assert boxes == FRAMES * len(FILMED), command  # one car in each frame
        finally:
            server.send_signal(signal.SIGINT)
