"""Board and alerts query existing metrics, with existing labels; promtool finds no fault."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families as families
from tests.kit.processes import run_program
from tests.telemetry.test_metrics_manual import exposed

from frametally_cli.main import COMMANDS

STACK = Path(__file__).resolve().parents[2] / "cloud-services"
RULES = STACK / "prometheus/alerts.yml"
RUNBOOKS = STACK.parent / "docs/runbooks.md"
BOARD = STACK / "grafana/boards/frametally.json"
TARGET = {"job", "instance", "service"}
"""Labels that Prometheus adds itself."""


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def panels() -> list[dict[str, Any]]:
    return list(json.loads(BOARD.read_text())["panels"])


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel.get("targets", ()))


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The labels in queries of each metric."""
    found: dict[str, set[str]] = {"up": set()}
    found |= {rule["record"]: {"source"} for rule in rules() if "record" in rule}
    for family in families(exposed(tmp_path, monkeypatch).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("asked", sorted(set(expressions())))
def test_every_queried_metric_exists_with_its_labels(asked: str, labels: dict[str, set[str]]) -> None:
    names = re.findall(r"\b(?:frametally|process)[_:][\w:]+|\bup\b", asked)
    assert names
    assert set(names) <= labels.keys()
    known = {"le"} | TARGET | {label for name in names for label in labels[name]}
    for named in re.findall(r"\bby \(([\w, ]+)\)", asked):
        assert {label.strip() for label in named.split(",")} <= known
    for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", asked):
        assert {label for label, _ in re.findall(r"(\w+)=(~?)", matchers)} <= labels[name] | TARGET


def test_each_metric_of_ours_is_on_the_board_or_in_an_alert(labels: dict[str, set[str]]) -> None:
    asked = " ".join(expressions())
    stems = {
        re.sub(r"_(bucket|sum|count|created)$", "", name) for name in labels if name.startswith("frametally_")
    }
    unused = {stem for stem in stems if stem not in asked}
    assert unused == {"frametally_build_info", "frametally_newest_footage_timestamp_seconds"}


def test_a_panel_says_what_it_shows_and_overlaps_no_other() -> None:
    places = set()
    for panel in panels():
        assert panel["title"]
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert x < 24
                assert (x, y) not in places
                places.add((x, y))
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in alerts():
        assert set(rule["annotations"]) == {"summary", "remedy", "runbook"}
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_each_alert_links_to_its_runbook_and_each_runbook_has_an_alert() -> None:
    sections = re.split(r"^## ", RUNBOOKS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert sorted(section.partition("\n")[0] for section in sections) == sorted(
        rule["alert"] for rule in alerts()
    )
    for rule in alerts():
        assert rule["annotations"]["runbook"] == f"docs/runbooks.md#{rule['alert'].lower()}"
        [section] = [section for section in sections if section.startswith(f"{rule['alert']}\n")]
        assert re.search(r"^1\. |^More than .*Do the same as", section, re.MULTILINE)
    commands = re.findall(r"`frametally ([a-z-]+)", RUNBOOKS.read_text(encoding="utf-8"))
    assert commands
    assert set(commands) <= COMMANDS.keys()


@pytest.mark.services
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts.test.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_no_fault(arguments: tuple[str, ...]) -> None:
    if shutil.which("promtool") is None:
        if os.environ.get("FRAMETALLY_REQUIRE_SERVICES") == "1":
            pytest.fail("no promtool: run `make services-up SERVICES=prometheus`")
        pytest.skip("needs promtool: run `make services-up SERVICES=prometheus`")
    done = run_program(["promtool", *arguments], code=None, cwd=RULES.parent)
    assert (done.returncode, done.stderr) == (0, "")


def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    tests = yaml.safe_load(RULES.with_name("alerts.test.yml").read_text())["tests"]
    come = {
        one["alertname"] for test in tests for one in test.get("alert_rule_test", ()) if one["exp_alerts"]
    }
    assert come == {rule["alert"] for rule in alerts()}
