"""A machine needs only the extras of the stages that it runs: the command itself needs none of them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from frametally.plugins import plugins

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Where a package is imported by another name than it is installed by.
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
LOCKS = [ROOT / "requirements.lock", *sorted((ROOT / "cloud-services/locks").glob("*.lock"))]
"""Of all parts, and of each part of the stack; all but `layers`, which is no part of `all`."""


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
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.thorough
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_runs_without_the_packages_of_any_stage(command: str, tmp_path: Path) -> None:
    assert {"cv2", "kafka", "boto3", "elasticsearch", "flask", "mrjob", "bcrypt"} <= BLOCKED
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *command.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: frametally" in done.stdout


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_only_the_extra_of_the_layers_brings_hamilton_and_pandas(lock: Path) -> None:
    locked = set(re.findall(r"^([a-z0-9.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE))
    assert locked
    assert not locked & {"apache-hamilton", "pandas", "graphviz", "nbformat"}
    assert any(line.startswith("apache-hamilton") for line in PROJECT["optional-dependencies"]["layers"])
    assert "layers" not in "".join(PROJECT["optional-dependencies"]["all"])
