"""The existing capabilities: each may be deleted with its tests, and the tests of the others must pass."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.kit.scripts import script

from frametally.plugins import GROUP, plugins

HERE = frozenset(plugin.name for plugin in plugins())
ROOT = Path(__file__).resolve().parents[1]
CAPABILITIES = sorted(point.name for point in entry_points(group=GROUP))


def is_gone(path: str) -> bool:
    """Whether a path from the root is in a capability that is gone, or whose needs are, or in its tests."""
    name = path.removeprefix("tests/").removeprefix("capabilities/frametally_").partition("/")[0]
    return name in CAPABILITIES and name not in HERE


PACKAGES = [ROOT / name for name in script("docs/code_map.py").PACKAGES if not is_gone(name)]


def is_left_out(path: Path) -> bool:
    """Whether a file or a folder of tests cannot be loaded, because it imports a capability that is gone."""
    if HERE.issuperset(CAPABILITIES):
        return False
    loaded = path / "conftest.py" if path.is_dir() else path
    return is_gone(str(path.relative_to(ROOT))) or not HERE.issuperset(_imported_by(loaded))


def _imported_by(file: Path) -> set[str]:
    """Return the capabilities that a file imports when it is loaded, itself or by other files of tests."""
    files, names = [file], set()
    for loaded in files:
        for module in _modules(loaded):
            package, _, rest = module.partition(".")
            if package == "tests":
                names.add(rest.partition(".")[0])
                helper = ROOT / f"{module.replace('.', '/')}.py"
                files += [] if helper in files else [helper]
            names.add(package.removeprefix("frametally_"))
    return names & {*CAPABILITIES}


@cache
def _modules(file: Path) -> list[str]:
    return [*_imports(file)] if file.suffix == ".py" and file.is_file() else []


def _imports(file: Path) -> Iterator[str]:
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def needs(*names: str) -> pytest.MarkDecorator:
    """Mark a test of the whole product, including these capabilities."""
    return pytest.mark.skipif(not HERE.issuperset(names), reason=f"needs {', '.join(names)}")


def of_capabilities(module: str) -> list[Any]:
    """Return what each capability's folder of tests has under this name: `tests.<capability>.<module>`."""
    names = (f"tests.{name}.{module}" for name in sorted(HERE))
    return [import_module(name) for name in names if find_spec(name)]
