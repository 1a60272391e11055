"""The rules of the layout: where files belong, which imports are allowed, how large a folder may grow."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from tests.capabilities import PACKAGES
from tests.kit.growth import growth_line
from tests.kit.processes import run_program

from frametally.plugins import load, plugins
from frametally_web.api.declared import MODULES as DECLARING

ROOT = Path(__file__).resolve().parents[2]
# Capabilities, each with those that its plug-in needs; the mission does not import any of them.
NEEDS = {plugin.name: plugin.needs for plugin in plugins()}
PLUGINS = {f"frametally_{name}": {f"frametally_{need}" for need in needs} for name, needs in NEEDS.items()}
TOP_FOLDERS = {
    "frametally": "core",
    "frametally_cli": "cli",
    "frametally_cloud": "cloud-services",
    "frametally_consumer": "consumer",
    "frametally_hadoop": "hadoop",
    "frametally_models": "models",
    "frametally_producer": "producer",
    "frametally_search": "elasticsearch",
    "frametally_web": "simple_frontend",
    **{f"frametally_{name}": "capabilities" for name in NEEDS if name != "accounts"},
    "frametally_accounts": "simple_frontend",
}
# Accounts guard every write, so the web server may know that they exist.
KNOWN = {("frametally_web", "frametally_accounts")}
MOST_LINES = 600
MOST_MODULES = 20
MOST_NAMES_OFTEN = 10
# Lines of Python at the last release; a release sets them anew.
RELEASED_LINES = {"the mission": 74_093, "the product": 135_291}
# Names that several rooms share; plug-ins may share all names, and count as one.
ALIKE = {"answers", "endpoints", "records", "routes", "tables"}
# From top to bottom: a room imports from its floor and from those below.
FLOORS = (
    tuple(sorted(PLUGINS)),
    ("frametally_cli",),
    ("frametally_models",),
    (
        "frametally_cloud",
        "frametally_consumer",
        "frametally_hadoop",
        "frametally_producer",
        "frametally_search",
        "frametally_web",
    ),
    ("frametally.adapters",),
    ("frametally.books",),
    ("frametally.segments", "frametally.simulated_town"),
    ("frametally.console.name_check", "frametally.naming"),
    (
        "frametally.actions",
        "frametally.backups",
        "frametally.checkup",
        "frametally.console",
        "frametally.mail",
        "frametally.media",
        "frametally.openers",
        "frametally.work",
    ),
    ("frametally.adapters_by_url", "frametally.spark_sessions"),
    (
        "frametally.adapters.sql.catalogue",
        "frametally.adapters.sql.clock",
        "frametally.adapters.sql.engine",
        "frametally.adapters.sql.migration",
        "frametally.adapters.sql.timed_connection",
    ),
    ("frametally.packs", "frametally.ports"),
    (
        "frametally.files",
        "frametally.history_records",
        "frametally.keys",
        "frametally.live_records",
        "frametally.model_records",
        "frametally.process",
        "frametally.records",
        "frametally.segment_records",
        "frametally.settings",
        "frametally.telemetry",
        "frametally.track_records",
        "frametally.trust",
        "frametally.undo_records",
    ),
    ("frametally.errors", "frametally.plugins", "frametally.rules"),
)
COMPONENTS = next(number for number, places in enumerate(FLOORS) if "frametally_web" in places)
# The modules that the job's zip contains for nodes without frametally; only flows need numpy there.
ZIPPED = (
    "frametally.errors",
    "frametally.plugins",
    "frametally.rules",
    "frametally.process",
    "frametally_hadoop.job",
    *(
        f"frametally_{plugin.name}.{folder}"
        for plugin in plugins()
        if plugin.places
        for folder in load(plugin.places).node_folders
    ),
)
ON_NODES = {"frametally", "frametally_hadoop", "frametally_traffic", "msgspec", "numpy"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[next(i for i, part in enumerate(parts) if part.startswith("frametally")) :]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path
    for package, top in TOP_FOLDERS.items()
    for path in sorted((ROOT / top / package).rglob("*.py"))
}
FOLDERS = sorted({path.parent for path in MODULES.values()})
# The page's scripts by their package; those of plug-ins are in `page/`.
STATIC = ROOT / "simple_frontend/frametally_web/static"
PAGES = {package: ROOT / top / package / "page" for package, top in TOP_FOLDERS.items() if package in PLUGINS}
SCRIPTS = {
    path: package
    for package, folders in {
        "frametally_web": [STATIC / "js", STATIC / "pages"],
        **{package: [folder] for package, folder in PAGES.items()},
    }.items()
    for folder in folders
    for path in sorted(folder.rglob("*.js"))
}
SCRIPT_FOLDERS = sorted({path.parent for path in SCRIPTS})


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The modules that a module imports, ours by their full names."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (below & MODULES.keys()) or {node.module}
    return frozenset(names)


def is_in(module: str, place: str) -> bool:
    return module == place or module.startswith(f"{place}.")


def floor_of(module: str) -> int | None:
    """The floor of the narrowest place of a module."""
    floors = {place: number for number, places in enumerate(FLOORS) for place in places}
    return floors.get(max((place for place in floors if is_in(module, place)), key=len, default=""))


def room_of(module: str) -> str:
    """The folder of a module; a module directly in core or in a plug-in is a separate room."""
    if MODULES[module].name == "__init__.py":
        return module
    folder = module.rpartition(".")[0]
    return module if folder in {"frametally", *PLUGINS} else folder


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", sorted(set(TOP_FOLDERS.values())))
def test_a_top_level_folder_is_never_a_package(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()


def test_no_test_folder_is_a_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.thorough
def test_elasticsearch_is_the_official_client_from_the_root_of_the_checkout() -> None:
    where = run_program(
        [sys.executable, "-c", "import elasticsearch; print(elasticsearch.__file__)"], cwd=ROOT
    ).stdout
    assert "site-packages" in where


def test_every_package_of_ours_is_listed_here() -> None:
    assert {path.name for path in PACKAGES} == set(TOP_FOLDERS)


def test_no_file_is_large_enough_to_be_a_mistake() -> None:
    listed = run_program(["git", "ls-files"], cwd=ROOT)
    names = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    assert len(names) > 1000
    assert [name for name in names if (ROOT / name).stat().st_size > 1_000_000] == []


def test_a_module_stays_short_enough_to_read_in_one_go() -> None:
    lines = {name_of(path): path.read_bytes().count(b"\n") for path in MODULES.values()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_the_code_grows_by_five_percent_between_releases_at_most() -> None:
    sums = Counter[str]()
    for module, path in MODULES.items():
        lines = path.read_bytes().count(b"\n")
        sums["the product"] += lines
        if module.split(".")[0] not in PLUGINS:
            sums["the mission"] += lines
    assert [
        line for name in RELEASED_LINES if (line := growth_line(name, sums[name], RELEASED_LINES[name]))
    ] == []


def test_growth_leaves_room_for_a_fix_and_says_what_to_do_beyond_it() -> None:
    assert growth_line("the mission", 105, 100) == ""
    assert growth_line("settings", 12, 10) == ""
    assert "the mission: 107, 2 more than 5 % above the last release (100)" in growth_line(
        "the mission", 107, 100
    )


def test_a_folder_stays_small_enough_to_survey() -> None:
    modules = Counter(
        name_of(folder)
        for folder in (*FOLDERS, *SCRIPT_FOLDERS)
        for path in folder.iterdir()
        if path.suffix in {".py", ".js"} and path.name != "__init__.py"
    )
    assert {folder: count for folder, count in modules.items() if count > MOST_MODULES} == {}


@pytest.mark.thorough
def test_a_public_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module, path in MODULES.items():
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_every_module_is_on_a_floor() -> None:
    assert [
        m for m in MODULES if floor_of(m) is None and m not in {"frametally", "frametally.__main__"}
    ] == []


def crossings() -> Iterator[tuple[str, str]]:
    for module, path in MODULES.items():
        for target in sorted(imports_of(path) & MODULES.keys()):
            yield module, target


@pytest.mark.thorough
def test_imports_lead_down_the_house_and_never_up() -> None:
    up = [
        f"{module} imports {target}"
        for module, target in crossings()
        if (here := floor_of(module)) is not None and (there := floor_of(target)) is not None and there < here
        if (module.split(".")[0], target.split(".")[0]) not in KNOWN
    ]
    assert up == []


@pytest.mark.thorough
def test_a_component_imports_no_other_component() -> None:
    across = [
        f"{module} imports {target}"
        for module, target in crossings()
        if floor_of(module) == floor_of(target) == COMPONENTS and module.split(".")[0] != target.split(".")[0]
    ]
    assert across == []


def test_no_module_imports_itself_through_others_not_even_for_types_or_inside_a_function() -> None:
    below: dict[str, set[str]] = defaultdict(set)
    for module, target in crossings():
        below[module].add(target)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_only_the_command_line_imports_itself_not_even_for_types_or_inside_a_function() -> None:
    listed = run_program(["git", "ls-files", "*.py"], cwd=ROOT)
    names = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    assert len(names) > 1000
    assert [
        name
        for name in names
        if name.partition("/")[0] not in {"benchmarks", "cli", "tests"}
        if any(is_in(target, "frametally_cli") for target in imports_of(ROOT / name))
    ] == []


@pytest.mark.thorough
def test_the_rooms_do_not_import_each_other_in_a_circle() -> None:
    below: dict[str, set[str]] = defaultdict(set)
    for module, target in crossings():
        here, there = room_of(module), room_of(target)
        if here != there and MODULES[target].name != "__init__.py":
            below[here].add(there)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def strangers(here: str, there: str) -> bool:
    """Whether a package knows a plug-in without need."""
    return (
        there in PLUGINS
        and here != there
        and there not in PLUGINS.get(here, ())
        and (here, there) not in KNOWN
    )


def test_the_mission_imports_no_plug_in_and_a_plug_in_imports_only_those_it_needs() -> None:
    arrows = {
        f"{module} imports {target}"
        for module, target in crossings()
        if strangers(module.split(".")[0], target.split(".")[0])
    }
    assert arrows == set()


def test_a_plug_ins_registration_imports_nothing_from_its_package() -> None:
    for package in PLUGINS:
        assert {name.split(".")[0] for name in imports_of(MODULES[f"{package}.plugin"])} <= {
            "__future__",
            "frametally",
        }, package


@cache
def scripts_of(path: Path, *, by_types: bool = False) -> frozenset[Path]:
    """Our scripts that a script imports; `by_types` includes those from which it only uses types."""
    statement = r'(?:^import\b[^;"]*|\bimport\()' if by_types else r'^import\b[^;"]*'
    wanted = re.findall(rf'{statement}"([^"]+\.js)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    roots = {"frametally": STATIC, **PAGES}
    places = set()
    for name in wanted:
        root, _, below = name.partition("/")
        if name.startswith("."):
            places.add((path.parent / name).resolve(strict=True))
        elif root.startswith("frametally"):
            places.add((roots[root] / below).resolve(strict=True))
    return frozenset(places)


def test_the_pages_scripts_and_their_folders_do_not_import_each_other_in_a_circle() -> None:
    by_file: dict[str, set[str]] = defaultdict(set)
    by_folder: dict[str, set[str]] = defaultdict(set)
    for path in SCRIPTS:
        for target in scripts_of(path):
            by_file[name_of(path)].add(name_of(target))
            if target.parent != path.parent:
                by_folder[name_of(path.parent)].add(name_of(target.parent))
    assert by_folder
    for graph in (by_file, by_folder):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_missions_scripts_import_no_plug_in_and_a_plug_ins_only_those_it_needs() -> None:
    assert [
        f"{name_of(path)} imports {name_of(target)}"
        for path, package in SCRIPTS.items()
        for target in scripts_of(path, by_types=True)
        if strangers(package, SCRIPTS[target])
    ] == []


def test_few_module_names_appear_more_than_twice() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for module, path in MODULES.items():
        if path.stem not in {"__init__", "__main__", *ALIKE}:
            places[path.stem].add("a plug-in" if module.split(".")[0] in PLUGINS else module)
    often = {name: sorted(modules) for name, modules in places.items() if len(modules) > 2}
    assert len(often) <= MOST_NAMES_OFTEN, often


def test_what_declares_actions_knows_no_host() -> None:
    hosts = {"click", "flask", "jinja2", "markupsafe", "werkzeug"}
    declaring = [module for module in MODULES if is_in(module, "frametally.actions")] + [*DECLARING]
    assert len(declaring) > 10
    packages = {module: {name.split(".")[0] for name in imports_of(MODULES[module])} for module in declaring}
    assert {module: names & hosts for module, names in packages.items() if names & hosts} == {}


def test_no_airflow_module_has_the_name_of_a_package() -> None:
    assert not {path.stem for path in (ROOT / "cloud-services/airflow").rglob("*.py")} & TOP_FOLDERS.keys()


def test_the_ports_import_no_adapter() -> None:
    for module, path in MODULES.items():
        if is_in(module, "frametally.ports") or module == "frametally.adapters_by_url":
            text = path.read_text(encoding="utf-8")
            # Books with one implementation are known by its class.
            named = set(re.findall(r"frametally\.adapters[a-z_.]*", text))
            assert named <= {"frametally_alerts.book", "frametally_accounts.audit.book"}, module
            assert "frametally.adapters" not in text or module == "frametally.adapters_by_url", module
            assert "frametally_search" not in text, module


# If a library only reports errors in words, one function may turn them into a type or a number.
WORDS_TURNED_INTO_TYPES = {
    "frametally.adapters.files.folder_store._errno": "obstore has the system's number in its text",
    "frametally.adapters.kafka.broker_log.KafkaGroupConsumer._commit_now": "the cause is in its args",
    "frametally.adapters.s3.failures.code_of": "obstore has the store's answer in its text",
    "frametally.adapters.s3.failures.failure": "obstore has what a connection failed of in its text",
    "frametally.adapters.s3.failures.status_of": "obstore has the status of an answer in its text",
    "frametally.adapters.sql.engine.SqlServer.failure": "libpq has no code for a refused connection",
    "frametally_producer.reading.picture_reader._whole_jpeg": "libjpeg-turbo has no code for want of memory",
}
LOOKS = {
    "count",
    "endswith",
    "find",
    "findall",
    "finditer",
    "fullmatch",
    "index",
    "match",
    "search",
    "startswith",
}
ERROR_NAMES = re.compile(r"err(or)?|exc|cause|failure|problem|spoken|unavailable")


def decisions_by_words(function: ast.AST) -> Iterator[int]:
    """The lines of a function that inspect an error's words: `in`, `==`, `startswith`, a regex, `args`."""
    errors = {node.name for node in ast.walk(function) if isinstance(node, ast.ExceptHandler) and node.name}
    errors |= {
        node.arg
        for node in ast.walk(function)
        if isinstance(node, ast.arg)
        and (
            ERROR_NAMES.fullmatch(node.arg)
            or re.search(r"Error|Exception", ast.unparse(node.annotation or node))
        )
    }
    words: set[str] = set()  # names of values that were made from an error's text

    def speaks(node: ast.AST) -> bool:
        """Whether an expression is derived from an error's text."""
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in words:
                return True
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.args:
                root = part.args[0]
                while isinstance(root, ast.Attribute):
                    root = root.value
                if part.func.id in {"str", "repr"} and isinstance(root, ast.Name) and root.id in errors:
                    return True
        return False

    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            names, values = [node.targets[0]], [node.value]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                names, values = node.targets[0].elts, node.value.elts
            words |= {
                n.id for n, v in zip(names, values, strict=True) if isinstance(n, ast.Name) and speaks(v)
            }
    for node in ast.walk(function):
        match node:
            case ast.Compare(ops=[ast.In() | ast.NotIn() | ast.Eq() | ast.NotEq(), *_]):
                looked_into = [node.left, *node.comparators]
            case ast.Match():
                looked_into = [node.subject]
            case ast.Call(func=ast.Attribute(attr=attr, value=looked_at)) if attr in LOOKS:
                looked_into = [looked_at, *node.args]
            case ast.Attribute(attr="args", value=ast.Name(id=name)) if name in errors:
                yield node.lineno
                continue
            case _:
                continue
        if any(map(speaks, looked_into)):
            yield node.lineno


def functions_of(module: str, path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every function with its full name; nested functions count as part of the outer one."""

    def below(prefix: str, body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from below(f"{prefix}.{node.name}", node.body)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{prefix}.{node.name}", node

    yield from below(module, tree_of(path).body)


@pytest.mark.thorough
def test_code_tells_errors_apart_by_type_and_never_by_message() -> None:
    found = {
        name: lines
        for module, path in MODULES.items()
        for name, function in functions_of(module, path)
        if (lines := sorted(decisions_by_words(function)))
    }
    assert {name: lines for name, lines in found.items() if name not in WORDS_TURNED_INTO_TYPES} == {}
    assert WORDS_TURNED_INTO_TYPES.keys() - found.keys() == set()


@pytest.mark.parametrize(
    "decision",
    [
        'if "topic" in str(error): return',
        'if str(error) == "gone": return',
        'text = " ".join(str(error.orig).split()); return "gone" in text',
        'text, code = str(error), 1; return text.startswith("no")',
        "return PATTERN.search(str(error))",
        "return error.args[0]",
    ],
)
def test_a_decision_based_on_a_message_is_detected(decision: str) -> None:
    assert [*decisions_by_words(ast.parse(f"def decide(error: Exception) -> object:\n    {decision}"))] == [2]
    handler = f"def decide():\n    try: pass\n    except OSError as error:\n        {decision}"
    assert [*decisions_by_words(ast.parse(handler))] == [4]


@pytest.mark.thorough
def test_the_command_line_imports_components_only_when_a_command_runs() -> None:
    load_all = (
        "import sys, click; from frametally_cli.main import COMMANDS, cli; "
        "[cli.get_command(click.Context(cli), name) for name in COMMANDS]; print(*sys.modules)"
    )
    loaded = run_program([sys.executable, "-c", load_all]).stdout.split()
    components = {*FLOORS[COMPONENTS - 1], *FLOORS[COMPONENTS]} - {"frametally_cloud"}
    assert "frametally_cli.commands.mend_commands" in loaded  # the commands themselves were
    assert not {module.split(".")[0] for module in loaded} & components


def test_the_jobs_zip_needs_only_python() -> None:
    for module, path in MODULES.items():
        if any(is_in(module, place) for place in ZIPPED):
            packages = {name.split(".")[0] for name in imports_of(path)}
            assert packages <= sys.stdlib_module_names | ON_NODES, module
            ours = {name for name in imports_of(path) if name.split(".")[0].startswith("frametally")}
            assert all(any(is_in(name, place) for place in ZIPPED) for name in ours), module


@pytest.mark.thorough
def test_days_and_hours_are_computed_in_one_module() -> None:
    names = {f"{prefix}{unit}_{of}" for prefix in ("", "_") for unit in ("DAY", "HOUR") for of in ("MS", "S")}
    lengths = {3600, 3_600_000, 86_400, 86_400_000}
    elsewhere = [
        f"{module}:{node.lineno}"
        for module, path in MODULES.items()
        if module != "frametally.rules.times"
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.Constant) and type(node.value) in {int, float} and node.value in lengths)
    ]
    assert elsewhere == []


def test_no_module_shadows_the_standard_library_for_a_script_next_to_it() -> None:
    for module, path in MODULES.items():
        if path.parent.name in {"job", "frametally_hadoop"}:
            assert path.stem not in sys.stdlib_module_names or path.stem == "__main__", module


@pytest.mark.parametrize(
    "lock", ["locks/all.lock", "locks/dev.lock", "locks/spark.lock", "locks/int8.lock", "locks/airflow.lock"]
)
def test_a_lock_holds_names_versions_and_hashes_but_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert "://" not in text
    assert "--index-url" not in text
