"""How much a newcomer must know of a project: lines, modules, modules with one importer, entries of the root.

    python benchmarks/houses.py flask=../flask datasette=../datasette

Each argument names a house and its folder, a checkout or an archive of one. frametally is measured twice:
as it was at the commit BEFORE, and as it is committed. `tests`, `docs`, `examples` and `benchmarks` are no
product. A request to a chart is traced where the house is frametally.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from results import ROOT, Cell, Table, save

BEFORE = "258f95b4"
_TESTS = {"test", "tests", "testing"}
_ASIDE = {"benchmarks", "build", "dev", "doc", "docs", "examples", "notebooks", "scripts", "vendor"}
_REQUEST = """
import sys, tempfile
from pathlib import Path
root, here = sys.argv[1:]
# The other commit must not find what is installed from this checkout, such as newer capabilities.
sys.path = [name for name in sys.path if name.startswith(root) or "site-packages" in name or here not in name]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
from tests.web.conftest import MODEL, START_MS, Place
from frametally.records import Coverage, IntervalCount
place = Place(Path(tempfile.mkdtemp()))
bar = {"model": MODEL, "source": "gate", "interval_start_ms": START_MS, "interval_s": 60, "frames": 10}
counted = IntervalCount(**bar, label="car", detections=5, peak=1, objects=1, evidence=[])
place.publish([counted], [Coverage(**bar)], interval_s=60, model=MODEL)
client = place.app().test_client()
asked = ["/api/v1/counts?label=car", "/api/v1/counts?label=car&timezone=Europe/Berlin"]
assert client.get(asked[0]).status_code == 200
entered = set()
sys.setprofile(lambda frame, event, argument: entered.add(frame.f_code.co_filename))
status = client.get(asked[1]).status_code
sys.setprofile(None)
assert status == 200
print(len({name for name in entered if name.startswith(root) and "/tests/" not in name}))
"""


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


def single_importers(house: House) -> int:
    """Return how many modules of the product exactly one other imports; packages' own files do not count."""
    names = {module_name(path): path for path in house.product if path.stem != "__init__"}
    importers: defaultdict[str, set[str]] = defaultdict(set)
    for path, tree in house.product.items():
        own = module_name(path)
        for name in set(imports(own, path, tree)) & names.keys() - {own}:
            importers[name].add(own)
    return sum(len(found) == 1 for found in importers.values())


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


def fixtures_again(house: House) -> int:
    """Return how many fixtures have the name of one in another module of the tests."""
    names = Counter(
        node.name
        for tree in house.tests.values()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(d) for d in node.decorator_list)
    )
    return sum(number - 1 for number in names.values())


def modules_of_request(folder: Path) -> int | None:
    """Return how many modules the second request to a chart enters; None for other houses."""
    found = (folder.glob(f"{place}frametally*/__init__.py") for place in ("*/", "capabilities/*/"))
    packages = sorted({path.parent.parent for paths in found for path in paths})
    if not packages:
        return None
    search = os.pathsep.join(map(str, [folder, *packages]))
    done = subprocess.run(
        [sys.executable, "-c", _REQUEST, str(folder), str(ROOT)],
        env=os.environ | {"PYTHONPATH": search},
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return int(done.stdout.split()[-1])


def row(name: str, place: Path | str) -> list[Cell]:
    """Return a house's numbers."""
    folder = Path(place).resolve()
    house = read(folder)
    product, tests = lines(house.product), lines(house.tests)
    return [
        name, product, len(house.product), single_importers(house), modules_of_request(folder),
        house.root_entries, settings(house), tests, fixtures_again(house),
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


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("houses", nargs="*", metavar="NAME=FOLDER")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        own = {f"frametally, {commit}": extract(commit, Path(name) / commit) for commit in (BEFORE, "HEAD")}
        rows = [row(house, folder) for house, folder in own.items()]
        rows += [row(*each.partition("=")[::2]) for each in chosen.houses]
    columns = [
        "house", "lines of the product", "modules", "with one importer", "entered by a chart's request",
        "entries of the root", "settings", "lines of tests", "fixtures with a name that is taken",
    ]  # fmt: skip
    print(*rows, sep="\n")
    note = "Python alone. Other houses have no chart to request."
    save(
        name="houses", title="Houses", packages=[],
        about="What a newcomer must know of frametally, before and now, and of other projects.",
        tables=[Table("What there is to know", columns, rows, note)], goals=[],
    )  # fmt: skip


if __name__ == "__main__":
    main()
