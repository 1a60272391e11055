"""Stands in for `frametally models` behind the models page: a process with the same output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frametally_web.presets import routes

PRESENT, OTHER = "tiny-1", "nano-2"
_SCRIPT = """
import json, sys, time
from pathlib import Path
told = json.loads(Path(sys.argv[1]).read_text())
command = sys.argv[sys.argv.index("models") + 1]
with Path(sys.argv[1]).with_name("asked").open("a") as asked:
    asked.write(" ".join(sys.argv[sys.argv.index("models") + 1:]) + "\\n")
if command == "list":
    print(json.dumps(told["models"], indent=2))
elif told["problem"]:
    sys.exit("error: " + told["problem"])
else:
    print(json.dumps({"done": 1, "total": 2}), flush=True)
    while told["waits"] and not Path(sys.argv[1]).with_name("go").exists():
        time.sleep(0.02)
    print(json.dumps({"model": "tiny-1", "other": "nano-2", "labels": told["labels"]}))
"""


def a_model(name: str, **more: Any) -> dict[str, Any]:
    """A row of `frametally models list --json`."""
    row: dict[str, Any] = {
        "name": name,
        "model": name,
        "model_id": None,
        "is_preset": False,
        "input": "416x416",
        "in_use": False,
    }
    row |= {
        "licence": "MIT",
        "ap": 21.7,
        "megabytes": 24.3,
        "cpu_ms": 60.0,
        "of_present": 1.0,
        "why_no_speed": "",
    }
    return row | more


MODELS = [
    a_model("tiny", model_id=PRESENT, in_use=True),
    a_model("fast", model="nano", model_id=OTHER, is_preset=True, cpu_ms=20.0, of_present=0.33),
    a_model(
        "thorough", model="big", is_preset=True, cpu_ms=None, of_present=None, why_no_speed="not downloaded"
    ),
]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Set the command's output; return the folder with its recorded requests, in `asked`."""
    folder = tmp_path / "command"
    folder.mkdir()

    def say(problem: str = "", labels: tuple[dict[str, Any], ...] = (), *, waits: bool = False) -> Path:
        told = {"models": MODELS, "problem": problem, "labels": labels, "waits": waits}
        (folder / "told.json").write_text(json.dumps(told))
        return folder

    def instead(program: list[str]) -> list[str]:
        return [sys.executable, "-c", _SCRIPT, str(folder / "told.json"), *program]

    monkeypatch.setattr(routes, "bound", instead)
    say()
    return say
