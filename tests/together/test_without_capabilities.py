"""frametally without some of its capabilities: with their folders deleted, the rest works."""

from __future__ import annotations

import itertools
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.util import cache_from_source
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from tests.capabilities import CAPABILITIES, PACKAGES
from tests.examples import in_turn
from tests.family.footage import SETTINGS, make_video
from tests.kit.processes import run_program

from frametally.actions.endpoints import endpoints_in
from frametally.adapters_by_url import open_count_index
from frametally.plugins import Plugin, plugins

# Its cases take turns as a whole: each needs a copy of the checkout.
pytestmark = [pytest.mark.thorough(turns=False), pytest.mark.timeout(1200)]

REPOSITORY = Path(__file__).resolve().parents[2]
TOPS = sorted({package.parent for package in PACKAGES})
DELETABLE = tuple(name for name in CAPABILITIES if name != "accounts")
# Words that must not occur without them; `upload --calibration` keeps users' settings of a video.
WORDS = {
    "accuracy": r"\baccuracy checks?\b|`frametally accuracy",
    "alerts": r"\balerts?\b",
    "assistants": r"\bassistants?\b|`frametally mcp",
    "gold": r"\bgold\b",
    "live": r"\brtsp\b|`frametally (live|stream)",
    "privacy": r"`frametally privacy|/data-protection|\bprivacy polic",
    "retention": r"`frametally retention|\blegal hold|\bretention polic",
    "traffic": r"\b(?<!time )zones?\b|(?<!--)\bcalibrat(?!ed? on)|`frametally lines|\btraffic report",
    "videos": r"\bupload|\bcatalogue of videos\b|`frametally (work|catalogue)",
}
# The interpreter's packages have the checkout's folders on their path: the copy's replace them.
SITE = f"""\
import sys

here = {[str(top) for top in TOPS]!r}
sys.path[:] = [path for path in sys.path if path not in here]
"""
HELP = """\
import click
from frametally_cli.main import cli

def show(command, context):
    print(command.get_help(context))
    for name in command.list_commands(context) if isinstance(command, click.Group) else ():
        part = command.get_command(context, name)
        if name != "api":  # its options are the parameters of the API, which stay the same
            show(part, click.Context(part, parent=context, info_name=name))

show(cli, click.Context(cli, info_name="frametally", max_content_width=200))
"""
# All tests are imported, and of these folders those run that a missing helper, fixture or setting would stop.
SELECTION = """\
import os

def pytest_collection_modifyitems(items):
    print("\\ncollected in", *sorted({item.nodeid.split("/")[1] for item in items}))
    asked = [item for item in items if item.nodeid.split("/")[1] in os.environ["ASKED"].split()]
    texts = {path: path.read_text(encoding="utf-8") for path in {item.path for item in asked}}
    ask = {path for path, text in texts.items() if "plugins" in text or "tests.capabilities" in text}
    assert len(ask) >= 10
    items[:] = [item for item in asked if item.path in ask or "/core/" not in item.nodeid]
"""
LOOK_AROUND = """\
import json, re, sys
from pathlib import Path

from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.plugins import plugins
from frametally.settings.loading import load_settings
from frametally_web.app import close_app, create_app

settings = load_settings(data_dir=Path(sys.argv[1]))
given, here = {}, {plugin.name for plugin in plugins()}
if "videos" in here:
    from frametally_videos.catalogue_by_url import open_video_catalogue
    from frametally_videos.library.video_looks import inspect

    given |= {"catalogue": open_video_catalogue(settings.catalogue_url), "look": inspect}
if "live" in here:
    from frametally_live.book import LiveBook

    given |= {"feeds": LiveBook(settings.catalogue_url), "try_feed": print}
app = create_app(
    **given,
    settings=settings,
    store=open_object_store(settings.store_url),
    index=open_count_index(settings.index_url),
    ledger=open_ledger(settings.ledger_url),
    log=open_frame_log(settings.log_url),
)
client = app.test_client()
waiting, statuses, texts = ["/", "/docs"], {}, {}
waiting += [rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and "<" not in rule.rule]
waiting = [path for path in waiting if not path.startswith("/api/v1/events")]
linked = set()
while waiting:
    path = waiting.pop()
    if path in statuses:
        continue
    answer = client.get(path)
    statuses[path] = answer.status_code
    if answer.mimetype == "text/html":
        text = answer.get_data(as_text=True)
        texts[path] = re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(script|style).*?</\\1>", " ", text))
        links = [link.replace("&amp;", "&") for link in re.findall(r'(?:href|action)="(/[^"#]*)', text)]
        linked |= set(links)
        waiting += links
described = client.get("/api/openapi.json").get_json()
answers = {
    "statuses": {path: statuses[path] for path in linked | {"/"}},
    "texts": texts,
    "routes": sorted(described["paths"]),
    "rules": sorted(rule.rule for rule in app.url_map.iter_rules()),
}
json.dump(answers, sys.stdout)
close_app(app)
"""


def with_dependents(name: str) -> frozenset[str]:
    """Return a capability and those that depend on it."""
    return frozenset({name, *(plugin.name for plugin in plugins() if name in plugin.needs)})


CASES = {
    "traffic": with_dependents("traffic"),
    "videos": with_dependents("videos"),
    "what judges, tells and helps": frozenset({"accuracy", "alerts", "assistants"}),
    "what watches and forgets": frozenset({"accuracy", "live", "retention"}),
    "tables and assistants": frozenset({"assistants", "gold", "retention"}),
    "what hides": frozenset({"privacy"}),
    "all": frozenset(DELETABLE),
}
"""Few, and yet each capability is in one of them without each that it does not depend on."""


class Clone(NamedTuple):
    """A copy of the checkout without the folders of some capabilities, and its counted footage."""

    root: Path
    gone: frozenset[str]

    def python(
        self, *arguments: object, settings: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        tops = [str(self.root / top.relative_to(REPOSITORY)) for top in TOPS]
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("FRAMETALLY_", "PYTEST_"))
        }
        path = os.pathsep.join([str(self.root / "site"), *tops])
        return run_program(
            [sys.executable, *map(str, arguments)],
            code=None,
            cwd=self.root,
            env=kept | {"PYTHONPATH": path, "COLUMNS": "200", **settings},
        )

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "frametally", *arguments, settings=SETTINGS)

    def of_gone(self, text: str) -> list[str]:
        """Return the lines of a text that mention the deleted capabilities."""
        words = "|".join(WORDS.get(name, rf"\b{name}\b") for name in sorted(self.gone))
        return [line for line in text.splitlines() if re.search(words, line, re.IGNORECASE)]


def folders_of(name: str) -> tuple[str, str]:
    """Return what the documented deletion of a capability removes."""
    return f"capabilities/frametally_{name}", f"tests/{name}"


def copy_without(gone: frozenset[str], root: Path) -> None:
    """Copy git's files of the working tree, without capabilities and their tests, as `git rm` does: it
    leaves compiled modules behind."""
    left_out = {path for name in gone for path in folders_of(name)}
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        first, _, rest = name.partition("/")
        if not (REPOSITORY / name).is_file():
            continue
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if f"{first}/{rest.partition('/')[0]}" not in left_out:
            shutil.copy2(REPOSITORY / name, root / name)
            copy_compiled(name, root)
        elif name.endswith(".py"):
            compiled = root / cache_from_source(name)
            py_compile.compile(str(REPOSITORY / name), str(compiled), doraise=True)
    for command in (["init", "-q"], ["add", "-A"]):  # the rest still has git's version of itself
        subprocess.run(["git", *command], cwd=root, capture_output=True, check=True)


def copy_compiled(name: str, root: Path) -> None:
    """Copy what Python and pytest have compiled of a file, which costs most of a test's run."""
    source = Path(name)
    for compiled in (REPOSITORY / source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"):
        target = root / compiled.relative_to(REPOSITORY)
        target.parent.mkdir(exist_ok=True)
        shutil.copy2(compiled, target)


@pytest.fixture(scope="module", params=in_turn(CASES))
def clone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("needs a checkout")
    root = tmp_path_factory.mktemp("without") / "frametally"
    gone = CASES[request.param]
    copy_without(gone, root)
    (root / "site").mkdir()
    (root / "site" / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    (root / "site" / "selection.py").write_text(SELECTION, encoding="utf-8")
    yield Clone(root, gone)
    shutil.rmtree(root)


@pytest.fixture
def documented(clone: Clone, tmp_path: Path) -> Clone:
    """The copy as the documented deletion leaves it: with the folders of those that build on what is gone."""
    names = [name for name in DELETABLE if with_dependents(name) == clone.gone != {name}]
    if not names:
        return clone
    root = shutil.copytree(clone.root, tmp_path / "frametally")
    for path in itertools.chain.from_iterable(map(folders_of, clone.gone - {*names})):
        shutil.copytree(REPOSITORY / path, root / path, dirs_exist_ok=True)
    return Clone(root, frozenset(names))


@pytest.fixture(scope="module")
def counted(clone: Clone) -> Path:
    """The data of a small run."""
    make_video(clone.root / "gate.mp4", frames=20)
    done = clone.command("run", "gate.mp4", "--start-time", "2026-01-01T08:00:00Z", "--no-serve")
    assert done.returncode == 0, done.stdout + done.stderr
    return clone.root / "frametally-data"


def plugins_of(names: frozenset[str]) -> list[Plugin]:
    return [plugin for plugin in plugins() if plugin.name in names]


def commands_in(text: str) -> set[str]:
    return set(re.findall(r"^\W*([a-z][a-z-]+)  ", text, re.MULTILINE))


def test_each_capability_is_tested_without_every_one_that_it_does_not_need() -> None:
    needs = {plugin.name: plugin.needs for plugin in plugins()}
    untried = [
        (name, other)
        for name, other in itertools.permutations(DELETABLE, 2)
        if other not in needs[name] and not any(other in gone and name not in gone for gone in CASES.values())
    ]
    assert untried == []


def test_deleted_packages_cannot_be_imported(clone: Clone) -> None:
    # Compiled modules that stay behind make a package without a place of origin, and without modules.
    code = """\
import sys
from importlib.util import find_spec

for package in sys.argv[1:]:
    if (spec := find_spec(package)) and (spec.origin or find_spec(f"{package}.plugin")):
        sys.exit(f"{package} is here")
"""
    done = clone.python("-c", code, *(f"frametally_{name}" for name in clone.gone))
    assert done.returncode == 0, done.stderr
    code = "from frametally.plugins import plugins; print(*(one.name for one in plugins()))"
    here = {plugin.name for plugin in plugins()} - clone.gone
    assert set(clone.python("-c", code).stdout.split()) == here


def test_help_lists_only_existing_commands(clone: Clone) -> None:
    done = clone.command("--help")
    assert done.returncode == 0, done.stderr
    left = {name for plugin in plugins() if plugin.name not in clone.gone for name in plugin.commands}
    gone = {name for plugin in plugins_of(clone.gone) for name in plugin.commands} - left
    listed = commands_in(done.stdout)
    assert {"run", "status", "doctor"} | left <= listed
    assert listed & gone == set()
    assert clone.command(min(gone), "--help").returncode == 2


def test_a_run_counts_what_is_in_the_footage(clone: Clone, counted: Path) -> None:
    with closing(open_count_index(f"sqlite:///{counted / 'index.sqlite'}")) as index:
        assert [one.model.partition("-")[0] for one in index.series()] == ["pixels"]


def test_no_commands_help_mentions_a_deleted_capability(clone: Clone) -> None:
    done = clone.python("-c", HELP, settings=SETTINGS)
    assert done.returncode == 0, done.stderr
    assert clone.of_gone(done.stdout) == []


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_books_and_doctor_do_not_mention_deleted_capabilities(
    clone: Clone, counted: Path, command: str
) -> None:
    done = clone.command(command, "--data-dir", counted)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (done.stdout + done.stderr).replace(str(clone.root), "")
    assert clone.of_gone(text) == []


def test_the_pages_have_no_dead_link_and_the_api_describes_what_exists(clone: Clone, counted: Path) -> None:
    built = REPOSITORY / "simple_frontend" / "frametally_web" / "static" / "built"
    if built.is_dir():
        target = clone.root / "simple_frontend" / "frametally_web" / "static" / "built"
        shutil.copytree(built, target, dirs_exist_ok=True)
    done = clone.python("-c", LOOK_AROUND, counted)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    # A route that needs parameters, and is linked without them, exists all the same.
    asking = {path for path, code in seen["statuses"].items() if code == 400 and path.startswith("/api/v1/")}
    dead = {path for path, code in seen["statuses"].items() if code not in (200, 302, 303)}
    assert dead - asking == set()
    endpoints = [one for plugin in plugins_of(clone.gone) for one in endpoints_in(plugin.actions)]
    assert {f"/{one.path}" for one in endpoints} & set(seen["routes"]) == set()
    assert {one.address for one in endpoints} & set(seen["rules"]) == set()
    pages = {page.path for plugin in plugins_of(clone.gone) for page in plugin.pages}
    assert pages & {*seen["rules"], *seen["statuses"]} == set()
    told = {path: found for path in seen["texts"] if (found := clone.of_gone(seen["texts"][path]))}
    # The API's description explains each status, including those of uploads.
    assert told.keys() <= {"/api/docs", "/docs", "/redoc"}


def test_the_remaining_tests_are_collected_and_those_that_ask_for_capabilities_pass(
    documented: Clone,
) -> None:
    quick = "not thorough and not services and not spark and not airflow and not demo"
    # The mission does not know any plug-in: without all of them, its tests pass as well.
    folders = "core hadoop search" if documented.gone == CASES["all"] else "core"
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "selection", "-m", quick, "tests")
    done = documented.python(*arguments, settings={"ASKED": folders})
    assert done.returncode == 0, done.stdout[-20_000:]
    (collected,) = re.findall(r"^collected in (.*)", done.stdout, re.MULTILINE)
    assert {"core", "consumer", "hadoop", "pipeline", "producer", "search", "web"} <= {*collected.split()}
    assert not documented.gone & {*collected.split()}
