"""How much a newcomer must know of a project: lines, modules, modules with one importer, entries of the root.

    python benchmarks/houses.py flask=../flask datasette=../datasette
    python benchmarks/houses.py --since v0.4.0

Each argument names a house and its folder, a checkout or an archive of one. frametally is measured twice:
as it was at the commit `--since` (without it, at the last release in `docs/releases.md`), and as it is
committed. `tests`, `docs`, `examples` and `benchmarks` are no product. Release notes take the table
*By folder*.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from results import ROOT, Cell, Table, save

_TESTS = {"test", "tests", "testing"}
_ASIDE = {"benchmarks", "build", "dev", "doc", "docs", "examples", "notebooks", "scripts", "vendor"}
_WHEN = ("before", "now")
_OF_A_REQUEST = ("modules", "statements", "rooms", "returns")
_PAST = re.compile(
    r"(?:earlier|older|former|previous) versions?\b|version before|before (?:version )?0\.\d", re.IGNORECASE
)


class House(NamedTuple):
    """A project's modules, its tests and their helpers, by path; and how many entries its root has."""

    product: dict[Path, ast.Module]
    tests: dict[Path, ast.Module]
    root_entries: int


def read(folder: Path) -> House:
    """Parse a house's Python; leave out what its git ignores, and what is no product and no test."""
    product: dict[Path, ast.Module] = {}
    tests: dict[Path, ast.Module] = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") or part == "node_modules" for part in parts):
            continue
        is_test = not _TESTS.isdisjoint(parts) or path.name.startswith("test_") or path.name == "conftest.py"
        if is_test or (_ASIDE.isdisjoint(parts) and path.name != "setup.py"):
            (tests if is_test else product)[path] = ast.parse(path.read_bytes())
    return House(product, tests, sum(path.name != ".git" for path in folder.iterdir()))


def lines(modules: dict[Path, ast.Module]) -> int:
    """Return how many lines they have."""
    return sum(path.read_bytes().count(b"\n") for path in modules)


def module_name(path: Path) -> str:
    """Return the dotted name of a module, from the outermost folder that is a package."""
    parts = [path.stem] if path.stem != "__init__" else []
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def imports(name: str, path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the dotted names that a module imports: of modules, and of what they have."""
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def importers(house: House) -> dict[Path, set[Path]]:
    """Return, by module, those that import it, also inside functions; packages' own files do not count."""
    paths = {module_name(path): path for path in house.product if path.stem != "__init__"}
    above: dict[Path, set[Path]] = {path: set() for path in paths.values()}
    for path, tree in house.product.items():
        own = module_name(path)
        for name in set(imports(own, path, tree)) & paths.keys() - {own}:
            above[paths[name]].add(path)
    return above


def single_importers(house: House) -> list[Path]:
    """Return the modules of the product that exactly one other imports."""
    return [path for path, above in importers(house).items() if len(above) == 1]


def modules_in_circles(house: House) -> int:
    """Return how many modules import themselves through others, or lie between two such circles."""
    above = importers(house)
    while ends := {path for path in above if not above[path]} | (above.keys() - set().union(*above.values())):
        above = {path: names - ends for path, names in above.items() if path not in ends}
    return len(above)


def settings(house: House) -> int:
    """Return how many fields of settings and names of environment variables the product has."""
    found = set()
    for tree in house.product.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any("Settings" in ast.unparse(base) for base in node.bases):
                found |= {ast.unparse(one.target) for one in node.body if isinstance(one, ast.AnnAssign)}
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"os.environ.get", "os.getenv"}:
                found |= {str(one.value) for one in node.args[:1] if isinstance(one, ast.Constant)}
            elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                found |= {str(node.slice.value)} if isinstance(node.slice, ast.Constant) else set()
    return len(found)


def helpers_again(house: House, *, fixtures: bool) -> int:
    """Return how many helpers of the tests, or fixtures alone, have the name of one in another module."""
    names = Counter(
        node.name
        for tree in house.tests.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        and not node.name.lower().startswith("test")
        and (not fixtures or any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list))
    )
    return sum(number - 1 for number in names.values())


def imports_of_the_command_line(house: House, folder: Path) -> int:
    """Return how many modules outside of `cli` import `frametally_cli`."""
    return sum(
        path.relative_to(folder).parts[0] != "cli"
        and any(name.startswith("frametally_cli") for name in imports(module_name(path), path, tree))
        for path, tree in house.product.items()
    )


def sentences_of_the_past(house: House) -> int:
    """Return how many lines of the product speak of versions before this one."""
    return sum(len(_PAST.findall(path.read_text("utf-8"))) for path in house.product)


def tests_of(modules: dict[Path, ast.Module]) -> int:
    """Return how many functions are tests."""
    return sum(
        isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for tree in modules.values()
        for node in ast.walk(tree)
    )


def folder_of(path: Path) -> str:
    """Return the folder of a module that a newcomer sees: of capabilities and of tests the second."""
    top, *rest = path.parts
    is_second = top in {"capabilities", "tests"} and len(rest) > 1
    return f"{top}/{rest[0].removeprefix('frametally_')}" if is_second else top


def sums_by_folder(house: House, folder: Path) -> dict[str, list[int]]:
    """Return, by folder, its lines, its modules, those with one importer, and its tests."""
    single = {*single_importers(house)}
    modules: defaultdict[str, dict[Path, ast.Module]] = defaultdict(dict)
    for path, tree in (house.product | house.tests).items():
        modules[folder_of(path.relative_to(folder))][path] = tree
    return {
        name: [lines(found), len(found), len(single & found.keys()), tests_of(found)]
        for name, found in sorted(modules.items())
    }


def by_folder(before: dict[str, list[int]], now: dict[str, list[int]]) -> list[list[Cell]]:
    """Return a row for each folder, each number before and now; the last row is the sum."""
    rows: list[list[Cell]] = []
    for name in sorted(before.keys() | now.keys()):
        pairs = zip(before.get(name, [0] * 4), now.get(name, [0] * 4), strict=True)
        rows.append([name, *(number for pair in pairs for number in pair)])
    columns = zip(*(row[1:] for row in rows), strict=True)
    return [*rows, ["all", *(sum(int(number or 0) for number in column) for column in columns)]]


def paths_of_requests(folder: Path) -> dict[str, dict[str, int]]:
    """Return what `request_paths.py` measures in a checkout of frametally, by route."""
    measured = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("request_paths.py")), str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    found: dict[str, dict[str, int]] = json.loads(measured.stdout)
    return found


def of_requests(before: dict[str, dict[str, int]], now: dict[str, dict[str, int]]) -> list[list[Cell]]:
    """Return a row for each route, each number before and now."""
    return [
        [route, *(paths[route][number] for number in _OF_A_REQUEST for paths in (before, now))]
        for route in now
    ]


def row(name: str, folder: Path, house: House) -> list[Cell]:
    """Return a house's numbers."""
    return [
        name, lines(house.product), len(house.product), len(single_importers(house)),
        house.root_entries, settings(house), lines(house.tests),
        helpers_again(house, fixtures=True), helpers_again(house, fixtures=False), modules_in_circles(house),
    ]  # fmt: skip


def extract(commit: str, folder: Path) -> Path:
    """Write a commit of frametally into a folder."""
    folder.mkdir()
    archive = folder / "archive.tar"
    subprocess.run(["/usr/bin/git", "-C", str(ROOT), "archive", "-o", archive, commit], check=True)
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    archive.unlink()
    return folder


def last_release() -> str:
    """Return the commit of the newest release in the table of `docs/releases.md`."""
    match = re.search(r"^\|.*`([0-9a-f]{40})`", (ROOT / "docs/releases.md").read_text("utf-8"), re.MULTILINE)
    if match is None:
        sys.exit("error: docs/releases.md names no release: name a commit with --since")
    return match[1]


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("houses", nargs="*", metavar="NAME=FOLDER")
    parser.add_argument(
        "--since", metavar="COMMIT", help="compare with this commit, not with the last release"
    )
    chosen = parser.parse_args()
    since = chosen.since or last_release()
    with tempfile.TemporaryDirectory() as name:
        before, now = (extract(commit, Path(name) / commit) for commit in (since, "HEAD"))
        houses = {before: read(before), now: read(now)}
        requests = of_requests(*map(paths_of_requests, houses))
        folders = by_folder(*(sums_by_folder(house, folder) for folder, house in houses.items()))
        past: list[list[Cell]] = [
            [
                "modules outside of cli that import it",
                *map(imports_of_the_command_line, houses.values(), houses),
            ],
            ["lines about versions before this one", *map(sentences_of_the_past, houses.values())],
        ]
        rows = [
            row(f"frametally, {since[:8]}", before, houses[before]),
            row("frametally, now", now, houses[now]),
        ]
        for each in chosen.houses:
            house, _, place = each.partition("=")
            rows.append(row(house, Path(place).resolve(), read(Path(place).resolve())))
    numbers = ("lines", "modules", "with one importer", "tests")
    before_and_now = [f"{what}, {when}" for what in numbers for when in _WHEN]
    tables = [
        Table("By folder", ["folder", *before_and_now], folders),
        Table("What should not grow", ["what", "before", "now"], past),
        Table(
            "What a question passes",
            ["route", *(f"{number}, {when}" for number in _OF_A_REQUEST for when in _WHEN)],
            requests,
            "Of the second request to a route, by stored interval; see `benchmarks/request_paths.py`.",
        ),
        Table(
            "What there is to know",
            ["house", "lines of the product", "modules", "with one importer",
             "entries of the root", "settings", "lines of tests", "fixtures with a name that is taken",
             "helpers of tests with a name that is taken", "modules in circles of imports"],
            rows,
            "Python alone.",
        ),
    ]  # fmt: skip
    for table in tables:
        print(table.title, table.columns, *table.rows, sep="\n")
    save(
        name="houses", title="Houses", packages=[],
        about="What a newcomer must know of frametally, before and now, and of other projects.",
        tables=tables, goals=[],
    )  # fmt: skip


if __name__ == "__main__":
    main()
