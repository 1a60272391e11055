"""Which capabilities are here: each may be deleted with its tests, and those of the others must pass."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from frametally.plugins import plugins

HERE = frozenset(plugin.name for plugin in plugins())


def needs(*names: str) -> pytest.MarkDecorator:
    """Mark a test that looks at the whole product, these capabilities included."""
    return pytest.mark.skipif(not HERE.issuperset(names), reason=f"needs {', '.join(names)}")


def of_capabilities(module: str) -> list[Any]:
    """Return what each capability's folder of tests has under this name: `tests.<capability>.<module>`."""
    names = (f"tests.{name}.{module}" for name in sorted(HERE))
    return [import_module(name) for name in names if find_spec(name)]
