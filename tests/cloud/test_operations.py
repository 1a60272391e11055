"""The docs are right about sizes, the older pipeline and bare installations."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
from tests.capabilities import CAPABILITIES, needs
from tests.kit.processes import run_program
from tests.kit.scripts import script

from frametally.plugins import plugins
from frametally.settings.loading import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TABLES = {
    table["title"]: {row[0]: row for row in table["rows"]}
    for table in json.loads((ROOT / "benchmarks" / "results" / "services.json").read_text())["tables"]
}


def cells(first: str) -> list[str]:
    [line] = [line for line in TEXT.splitlines() if line.startswith(f"| {first}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_megabytes_per_hour_match_the_measurements() -> None:
    measured = {what: row[2] for what, row in TABLES["What an hour of footage takes"].items()}
    assert cells("store: frames")[1] == f"{measured['store: frames (`images/`)']:,.0f}"
    assert cells("store: detections")[1] == f"{measured['store: detections (`metadata/`)']:.0f}"
    both = measured["store: counts (`mapreduce-output/`)"] + measured["store: tracks (`tracks/`)"]
    assert cells("store: counts")[1] == f"{both:.0f}"
    assert cells("log: SQLite / Kafka")[1] == f"{measured['log, SQLite']:.0f} / {measured['log, Kafka']:.0f}"


def test_seconds_per_round_match_the_measurements() -> None:
    [engines] = [rows for title, rows in TABLES.items() if title.startswith("Counting")]
    for engine, row in engines.items():
        said_s = re.match(r"([0-9.]+) s", cells(f"`{engine}`")[1])
        assert abs(float(said_s[1]) - row[1]) <= 0.5


LAYOUT_TEXT = (ROOT / "docs" / "older-layout.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in LAYOUT_TEXT.splitlines()
    if line.startswith("| `")
]
FILES = [row for row in ROWS if len(row) == 3]
SETTINGS = [row for row in ROWS if len(row) == 2]
# The parts of the older pipeline.
KNOWN = {
    *(
        f"{part}/requirements.txt"
        for part in ("producer", "consumer", "hadoop", "elasticsearch", "simple_frontend")
    ),
    *(f"{part}/.env" for part in ("producer", "consumer", "hadoop", "elasticsearch", "simple_frontend")),
    *("producer/main_producer.py", "producer/helpers/", "producer/new_pics/", "producer/extracted_frames/"),
    *("consumer/main_consumer.py", "consumer/helpers/", "consumer/helpers/download_models.py"),
    *("hadoop/object_counts.py", "hadoop/mapper.py", "hadoop/reducer.py"),
    "elasticsearch/index_hadoop_output.py",
    *("simple_frontend/app.py", "simple_frontend/templates/index.html"),
    *("simple_frontend/static/script.js", "simple_frontend/static/style.css"),
    *("cloud-services/docker-compose.yml", "cloud-services/.env", "cloud-services/traefik/traefik.yml"),
    *("cloud-services/traefik/auth/usersfile", "cloud-services/traefik/acme/acme.json"),
    "cloud-services/kafka-jaas/kafka_server_jaas.conf",
    *("README.md", "requirements.txt", ".env", "client.properties"),
}


@pytest.mark.parametrize("row", FILES, ids=lambda row: row[0].strip("`"))
def test_every_expected_file_exists_or_has_a_decision_that_explains_its_absence(row: list[str]) -> None:
    before, now, why = row
    if now.startswith("decision: "):
        assert len(now) > len("decision: ")
        assert len(why) > 20
        return
    path = now.strip("`")
    found = ROOT / path
    assert found.is_dir() if path.endswith("/") else found.is_file()
    assert path == before.strip("`") or why


def test_no_known_file_is_left_out() -> None:
    assert {row[0].strip("`") for row in FILES} >= KNOWN


@needs(*CAPABILITIES)
@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row[0])
def test_every_setting_named_there_exists(row: list[str]) -> None:
    names = re.findall(r"FRAMETALLY_([A-Z_]+)", row[1])
    assert names
    assert {name.lower() for name in names} <= set(Settings.model_fields)


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FOLDERS = ("producer", "consumer", "hadoop", "elasticsearch", "simple_frontend")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folders_requirements_cover_every_server_that_its_settings_can_name(folder: str) -> None:
    adapters = [places for group, places in PROJECT["entry-points"].items() if group != "frametally.plugins"]
    servers = {extra for places in adapters for extra in re.findall(r"\[(\w+)\]", " ".join(places.values()))}
    assert servers >= {"kafka", "s3", "postgres", "search", "queue"}
    text = (ROOT / folder / "requirements.txt").read_text(encoding="utf-8")
    [installed] = re.findall(r"^-e \.\.\[([\w,]+)\]$", text, re.MULTILINE)
    assert servers <= set(installed.split(","))


# Packages whose import name differs from their distribution's name.
IMPORTED_AS = {
    "apache-hamilton": "hamilton",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "kafka-python": "kafka",
    "psycopg": "psycopg",
    "standard-pipes": "pipes",
}
COMMANDS = [
    "--help",
    "index --help",
    "setup --help",
    "aggregate --help",
    "status --help",
    "cloud-setup --help",
    "media silver --help",
    *(f"{command} --help" for plugin in plugins() for command in plugin.commands),
]
LOCKS = script("docs/notice.py").LOCKS
"""Of all extras, and of each part of the stack; all except `layers`, which is not part of `all`."""


def names_of(requirements: list[str]) -> set[str]:
    names = {re.split(r"[\[<>=!;~ ]", line)[0] for line in requirements}
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names} - {"frametally", "setuptools"}


BLOCKED = set().union(*(names_of(lines) for lines in PROJECT["optional-dependencies"].values()))
SCRIPT = f"""
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {sorted(BLOCKED)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Nothing())
from frametally_cli.main import main
sys.exit(max(main(command.split()) for command in sys.argv[1:]))
"""


@pytest.mark.thorough
def test_commands_run_without_the_packages_of_any_stage(tmp_path: Path) -> None:
    assert {"cv2", "kafka", "boto3", "elasticsearch", "flask", "mrjob", "bcrypt"} <= BLOCKED
    done = run_program([sys.executable, "-c", SCRIPT, *COMMANDS], cwd=tmp_path)
    assert done.stdout.count("Usage: frametally") == len(COMMANDS)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_only_the_extra_of_the_layers_installs_hamilton_and_pandas(lock: Path) -> None:
    locked = set(re.findall(r"^([a-z0-9.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE))
    assert locked
    assert not locked & {"apache-hamilton", "pandas", "graphviz", "nbformat"}
    assert any(line.startswith("apache-hamilton") for line in PROJECT["optional-dependencies"]["layers"])
    assert "layers" not in "".join(PROJECT["optional-dependencies"]["all"])
