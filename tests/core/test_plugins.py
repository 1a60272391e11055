"""A deleted plug-in leaves no trace."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from tests.kit.processes import run_program

from frametally import plugins as plugging
from frametally.plugins import CommandEntry, Plugin, plugin_commands

# A process without the packages of `gone`, as `git rm` leaves it: folders without modules.
WITHOUT = """
import sys
from importlib.machinery import ModuleSpec

gone = set(sys.argv[2:])

class Deleted:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return ModuleSpec(name, None, is_package=True) if name.removeprefix("frametally_") in gone else None

sys.meta_path.insert(0, Deleted)
"""
WITHOUT_TRAFFIC = """
import zipfile
from pathlib import Path
gone = {"traffic", "alerts", "gold"}
from frametally.plugins import hooks, plugins
assert gone.isdisjoint(plugin.name for plugin in plugins())
from frametally_hadoop.planning.plan import counting_steps
from frametally_hadoop.running.bundle import write_bundle
from frametally_web.requests.query import CHART
assert counting_steps() == ()
assert "zone" not in [parameter.name for parameter in CHART]
assert not [name for name in zipfile.ZipFile(write_bundle(Path(sys.argv[1]))).namelist() if "traffic" in name]
"""


def test_without_traffic_whole_pictures_are_counted_and_no_chart_is_filtered(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    bundle = tmp_path_factory.mktemp("without") / "job.zip"
    subprocess.run([sys.executable, "-c", WITHOUT + WITHOUT_TRAFFIC, str(bundle)], check=True)


PLACES = """
import sys
from frametally.ports.picture_places import picture_places
picture_places()
ours = {name.rpartition(".")[2] for name in sys.modules if name.startswith("frametally_") and "." in name}
assert ours <= {"plugin", "settings", "picture_places"}, ours
assert "numpy" not in sys.modules
"""


def test_the_code_knows_whether_pictures_have_places_without_loading_their_geometry() -> None:
    subprocess.run([sys.executable, "-c", PLACES], check=True)


def test_groups_with_the_same_name_become_one_with_all_their_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alerts, traffic = (
        Plugin(name=name, commands={"report": CommandEntry(f"{name}:report", name, {command: ("name",)})})
        for name, command in (("alerts", "add"), ("traffic", "draw"))
    )
    monkeypatch.setattr(plugging, "plugins", lambda: (alerts, traffic))
    entry = CommandEntry(
        "alerts:report", "alerts", {"add": ("name",), "draw": ("name",)}, ("traffic:report",)
    )
    assert plugin_commands() == {"report": entry}


PAGES = """
import re, sys
from contextlib import ExitStack
from pathlib import Path
from frametally.plugins import hooks, plugins
from frametally.settings.loading import load_settings
from frametally.work.family_members import MemberOptions
from frametally.openers.look_openers import open_to_look
from frametally_web.app import close_app, create_app
assert gone.isdisjoint(plugin.name for plugin in plugins())
settings = load_settings("web", data_dir=Path(sys.argv[1]))
with open_to_look(settings) as (ports, ledger), ExitStack() as opened:
    given = {}
    for serving in hooks("serving"):
        given |= opened.enter_context(serving(ports, MemberOptions(alone=True)))
    app = create_app(
        settings=settings, store=ports.store, index=ports.index, ledger=ledger, log=ports.log, **given
    )
    asks, seen = ["/"], {}
    while asks:
        path = asks.pop()
        answer = app.test_client().get(path, headers={"Host": "localhost"})
        seen[path] = answer.status_code
        links = re.findall(r'<a [^>]*href="(/[^"#?]*)', answer.text) if answer.mimetype == "text/html" else []
        asks += [link for link in links if link not in seen]
    close_app(app)
assert "/books" in seen and "/audit" in seen
assert not {path for path, status in seen.items() if status == 404 or status >= 500}, seen
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    "gone", [("alerts",), ("gold",), ("alerts", "gold", "live", "traffic", "videos")], ids="-".join
)
def test_no_page_links_to_a_page_of_a_missing_folder(gone: tuple[str, ...], tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WITHOUT + PAGES, str(tmp_path / "data"), *gone], check=True)


def test_a_folder_with_only_compiled_modules_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "frametally_removed/__pycache__").mkdir(parents=True)
    (tmp_path / "frametally_removed/__pycache__/plugin.cpython-311.pyc").write_bytes(b"")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("removed", "frametally_removed.plugin:PLUGIN", plugging.GROUP)
    monkeypatch.setattr(plugging, "entry_points", lambda group: [point])
    assert plugging.plugins.__wrapped__() == ()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "gone", [("alerts", "gold"), ("alerts", "gold", "live", "traffic", "videos")], ids="-".join
)
def test_commands_do_not_mention_a_missing_folder(gone: tuple[str, ...], tmp_path: Path) -> None:
    ask = (
        "from frametally_cli.main import main\n"
        "for command in (['--help'], ['doctor'], ['setup']):\n"
        "    print(main(command if command == ['--help'] else [*command, '--data-dir', sys.argv[1]]))\n"
    )
    said = run_program(
        [sys.executable, "-c", WITHOUT + ask, str(tmp_path / "data"), *gone],
        env={**os.environ, "FRAMETALLY_DETECTOR": "pixels", "COLUMNS": "200"},
    ).stdout
    assert "all good" in said
    words = {"gold": "gold", "alerts": "alerts ", "videos": "catalogue", "live": "live ", "traffic": "lines "}
    for name in gone:
        assert not [line for line in said.splitlines() if line.strip().startswith(words[name])], name
