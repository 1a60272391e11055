"""One workflow builds a release's images, with its tag and a list of parts, ready to be pushed."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text(encoding="utf-8"))
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
[JOB] = WORKFLOW["jobs"].values()
TARGETS = JOB["strategy"]["matrix"]["target"]


def built(folder: Path, target: str, **environment: str) -> tuple[int, str]:
    """The exit code, and the commands for docker; its password comes from standard input."""
    docker = folder / "docker"
    docker.write_text('#!/bin/sh\necho "$@"\n[ "$1" = login ] && cat\nexit 0\n')
    docker.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / ".ci/image"), target],
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_every_image_in_use_is_built_for_a_release() -> None:
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}  # YAML reads `on` as true
    files = ("docker-compose.yml", "docker-compose.gpu.yml")
    used = {
        target
        for name in files
        for target in re.findall(r"target: ([\w-]+)", (ROOT / "cloud-services" / name).read_text())
    }
    assert used == {*TARGETS}


@pytest.mark.parametrize("target", ["frametally", "consumer"])
def test_an_image_has_the_tag_of_its_release_and_a_list_of_parts(tmp_path: Path, target: str) -> None:
    code, said = built(tmp_path, target, GITHUB_REF_NAME=f"v{VERSION}", REGISTRY="")
    name = "frametally" if target == "frametally" else f"frametally-{target}"
    assert code == 0
    assert f"--tag {name}:{VERSION} --output type=oci,dest=dist/{name}.oci.tar" in said
    assert "--sbom=true" in said
    assert f"--target {target} " in said


def test_an_owner_of_a_registry_gets_the_image_pushed_there(tmp_path: Path) -> None:
    owner = {"REGISTRY": "registry.example.org/town", "REGISTRY_USER": "eva", "REGISTRY_PASSWORD": "of-eva"}
    code, said = built(tmp_path, "dashboard", GITHUB_REF_NAME=f"v{VERSION}", **owner)
    login, password, build = said.splitlines()
    assert (code, login) == (0, "login --username eva --password-stdin registry.example.org")
    assert password == "of-eva"  # noqa: S105
    assert f"--tag registry.example.org/town/frametally-dashboard:{VERSION} --output type=registry" in build
    assert "of-eva" not in login + build


def test_a_tag_of_another_version_builds_nothing(tmp_path: Path) -> None:
    code, said = built(tmp_path, "consumer", GITHUB_REF_NAME="v9.9.9")
    assert (code, said) == (1, f"the tag v9.9.9 is not that of pyproject.toml: v{VERSION}\n")
