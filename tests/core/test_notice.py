"""Third-party work is credited: NOTICE names the packages of the locks, and a release has a list of parts."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "notice.py"
CALLED = runpy.run_path(str(SCRIPT))


def named() -> dict[str, str]:
    """The version and licence in NOTICE, by canonical name."""
    text = (ROOT / "NOTICE").read_text(encoding="utf-8").partition("IN THE PACKAGES AND IMAGES\n")[2]
    lines = re.findall(r"^(\S+) (\S+): (.+)$", text, re.MULTILINE)
    assert len(lines) == len([line for line in text.splitlines() if not line.startswith("    ")])
    return {canonicalize_name(name): version for name, version, _ in lines}


def test_notice_names_each_locked_package_in_its_version_and_no_removed_one() -> None:
    page = {canonicalize_name(name) for name in CALLED["of_page"]()}
    told = {(name, version) for name, version in named().items() if name not in page}
    assert told == CALLED["locked"](), "a lock has changed: run `make notice`"
    assert len(told) > 50


def test_notice_names_the_pages_libraries_in_their_versions() -> None:
    package = json.loads((ROOT / "simple_frontend/package.json").read_text(encoding="utf-8"))
    of_page = CALLED["of_page"]()
    assert set(of_page) >= set(package["dependencies"]) - {"esbuild"}
    for name, locked in of_page.items():
        assert named()[canonicalize_name(name)] == locked["version"]


@pytest.mark.parametrize(
    "program", ["x264", "x265", "FFmpeg", "psycopg", "yolov4-tiny.weights", "traffic.mp4"]
)
def test_the_notice_says_what_binds_those_who_redistribute_an_image(program: str) -> None:
    assert program in (ROOT / "NOTICE").read_text(encoding="utf-8").partition("IN THE PACKAGES")[0]


@pytest.mark.thorough
def test_the_parts_list_is_valid_and_has_everything_that_the_notice_names(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx_py", reason="needs cyclonedx-bom, a tool (make .venv/dev)")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    target = tmp_path / "parts.json"
    subprocess.run([sys.executable, SCRIPT, "--sbom", target], check=True)
    text = target.read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document: dict[str, Any] = json.loads(text)
    assert {canonicalize_name(one["name"]): one["version"] for one in document["components"]} == named()
    assert not [one["name"] for one in document["components"] if not one.get("purl")]
    assert document["metadata"]["component"]["name"] == "frametally"
