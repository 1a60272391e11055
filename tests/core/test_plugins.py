"""A plug-in whose folder is gone is as if it had never been."""

from __future__ import annotations

import subprocess
import sys

import pytest

from frametally import plugins as plugging
from frametally.plugins import CommandEntry, Plugin, plugin_commands

WITHOUT_TRAFFIC = """
import sys, zipfile
from pathlib import Path
gone = {"traffic", "alerts", "gold"}
sys.path[:] = [place for place in sys.path if Path(place).name not in gone]
from frametally.plugins import hooks, plugins
assert gone.isdisjoint(plugin.name for plugin in plugins())
from frametally_hadoop.planning.counting_steps import counting_steps
from frametally_hadoop.running.bundle import write_bundle
from frametally_web.endpoints.parameters import CHART
assert counting_steps() == ()
assert "zone" not in [parameter.name for parameter in CHART]
assert not [name for name in zipfile.ZipFile(write_bundle(Path(sys.argv[1]))).namelist() if "traffic" in name]
"""


def test_without_traffic_whole_pictures_are_counted_and_no_chart_is_narrowed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bundle = tmp_path_factory.mktemp("without") / "job.zip"
    subprocess.run([sys.executable, "-c", WITHOUT_TRAFFIC, str(bundle)], check=True)


def test_groups_of_one_name_are_one_group_with_the_commands_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    alerts, traffic = (
        Plugin(name=name, commands={"report": CommandEntry(f"{name}:report", name, {command: ("name",)})})
        for name, command in (("alerts", "add"), ("traffic", "draw"))
    )
    monkeypatch.setattr(plugging, "plugins", lambda: (alerts, traffic))
    entry = CommandEntry(
        "alerts:report", "alerts", {"add": ("name",), "draw": ("name",)}, ("traffic:report",)
    )
    assert plugin_commands() == {"report": entry}
