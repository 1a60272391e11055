"""The existing capabilities: each may be deleted with its tests, and the tests of the others must pass."""

from __future__ import annotations

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
PACKAGES = [ROOT / name for name in script("docs/code_map.py").PACKAGES]
CAPABILITIES = sorted(point.name for point in entry_points(group=GROUP))


def is_gone(path: str) -> bool:
    """Whether a path from the root is in a capability whose folder was deleted, or in its tests."""
    name = path.removeprefix("tests/").removeprefix("capabilities/").partition("/")[0]
    return name in CAPABILITIES and name not in HERE


def needs(*names: str) -> pytest.MarkDecorator:
    """Mark a test of the whole product, including these capabilities."""
    return pytest.mark.skipif(not HERE.issuperset(names), reason=f"needs {', '.join(names)}")


def of_capabilities(module: str) -> list[Any]:
    """Return what each capability's folder of tests has under this name: `tests.<capability>.<module>`."""
    names = (f"tests.{name}.{module}" for name in sorted(HERE))
    return [import_module(name) for name in names if find_spec(name)]
