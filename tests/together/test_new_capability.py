"""The recipe of a capability and of its first action runs, and the capability can be deleted again."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path

import pytest
from tests.kit.processes import run_program
from tests.together.test_without_capabilities import REPOSITORY, Clone, copy_without

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(1200)]

CHECKS = [
    f"tests/core/test_{name}.py" for name in ("docs", "guarantees", "house", "languages", "names", "settings")
]


def test_a_new_capability_has_an_action_of_the_api_and_the_command_line_and_can_be_deleted_again(
    tmp_path: Path,
) -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("needs a checkout")
    clone = Clone(tmp_path, frozenset())
    copy_without(clone.gone, clone.root)

    def python(*arguments: object) -> str:
        done = clone.python(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return run_program(command, cwd=clone.root).stdout

    git("add", "--all")
    python("docs/new_capability.py", "weather", "the weather beside counts")
    assert git("diff", "--numstat").splitlines() == [
        "7\t0\tdocs/api.md",
        "1\t0\tdocs/architecture.md",
        "1\t0\tpyproject.toml",
    ]
    git("add", "--all")
    install = ("uv", "pip", "install", "--quiet", "--offline", "--no-build-isolation", "--no-deps")
    python("-m", *install, "--target", clone.root / "site", "--editable", ".")
    (tmp_path / "data/store").mkdir(parents=True)
    answer = python("-m", "frametally", "api", "weather", "--data-dir", tmp_path / "data")
    assert json.loads(answer) == {"words": "the weather beside counts"}
    [recipe] = re.findall(
        r"```python\n(.*?)```", (clone.root / "docs/architecture.md").read_text(), re.DOTALL
    )
    weather = clone.root / "capabilities/frametally_weather"
    (weather / "hooks.py").write_text(textwrap.dedent(recipe).rstrip() + "\n", encoding="utf-8")
    plugin = (weather / "plugin.py").read_text(encoding="utf-8")
    hook = '    findings="frametally_weather.hooks:findings",\n)'
    (weather / "plugin.py").write_text(plugin.removesuffix(")\n") + f"{hook}\n", encoding="utf-8")
    for view in (("status",), ("doctor",), ("api", "status")):
        shown = clone.python("-m", "frametally", *view, "--data-dir", tmp_path / "data").stdout
        assert " ".join(shown.split()).count("check its network") >= 1, view
    python("docs/code_map.py")
    git("add", "--all")
    pytest_run = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    described = "tests/web/test_description_api.py"
    python(*pytest_run, "-m", "not thorough", *CHECKS, "tests/weather", described)
    python(*pytest_run, described, "-k", "weather")
    git("rm", "-rfq", "capabilities/frametally_weather", "tests/weather")
    assert "weather" not in python("-m", "frametally", "api", "--help")
    python(*pytest_run, "tests/core/test_docs.py")


@pytest.mark.parametrize(
    ("name", "purpose", "line"),
    [
        ("My-Weather", "weather", "small letters"),
        ("class", "weather", "small letters"),
        ("live", "weather", "exists: choose another"),
        ("weather", 'the "weather"', "without quotes"),
    ],
)
def test_a_name_or_purpose_that_cannot_be_written_is_refused_with_one_line(
    name: str, purpose: str, line: str
) -> None:
    done = run_program([sys.executable, "docs/new_capability.py", name, purpose], code=1, cwd=REPOSITORY)
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
