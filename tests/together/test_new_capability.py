"""The recipe of a capability runs: its folder, one line of `pyproject.toml`, and it can be deleted again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.together.test_without_capabilities import REPOSITORY, copy_without

pytestmark = pytest.mark.thorough

CHECKS = [
    f"tests/core/test_{name}.py" for name in ("docs", "guarantees", "house", "languages", "names", "settings")
]


class Checkout:
    """A copy of the checkout, installed as `make setup` does."""

    def __init__(self, folder: Path) -> None:
        self.root, self.site = folder / "frametally", folder / "site"
        copy_without(frozenset(), self.root)

    def run(self, *command: object) -> str:
        tops = sorted({str(path.parent.parent) for path in self.root.glob("*/frametally*/__init__.py")})
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=self.root,
            env=environment | {"PYTHONPATH": os.pathsep.join([str(self.site), *tops])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self) -> None:
        uv = ("-m", "uv", "pip", "install", "--quiet", "--offline", "--no-build-isolation", "--no-deps")
        self.run(*uv, "--target", self.site, "--editable", ".")

    def git(self, *command: str) -> str:
        return subprocess.run(
            ["git", *command], cwd=self.root, capture_output=True, text=True, check=True
        ).stdout


def test_a_new_capability_is_its_folder_and_one_line_and_can_be_deleted_again(tmp_path: Path) -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("needs a checkout")
    checkout = Checkout(tmp_path)
    checkout.git("add", "--all")
    checkout.run("docs/new_capability.py", "weather", "the weather beside counts")
    numbers = checkout.git("diff", "--numstat").splitlines()
    assert numbers == ["1\t0\tdocs/architecture.md", "1\t0\tpyproject.toml"]
    checkout.git("add", "--all")
    checkout.install()
    assert checkout.run("-m", "frametally", "weather") == "Shows the weather beside counts\n"
    pytest_run = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    checkout.run(*pytest_run, *CHECKS, "tests/weather")
    checkout.git("rm", "-rfq", "capabilities/frametally_weather", "tests/weather")
    assert "weather" not in checkout.run("-m", "frametally", "--help")
    checkout.run(*pytest_run, "tests/core/test_docs.py")


@pytest.mark.parametrize(
    ("name", "line"), [("My-Weather", "small letters"), ("live", "exists: choose another")]
)
def test_a_name_that_cannot_be_a_new_package_is_refused_with_one_line(name: str, line: str) -> None:
    done = subprocess.run(
        [sys.executable, "docs/new_capability.py", name, "weather"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
