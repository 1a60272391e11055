"""Modules that mrjob's last release needs from Python during its import. Standard library only.

mrjob 0.7.4 imports three small things from `distutils` and `pipes`, which Python has dropped. setuptools, if
installed, replaces the first in every Python, and takes longer to import than everything else in a task. So
this module provides them only while mrjob is imported. It also hides YAML, which takes half of mrjob's import
time and is only needed for mrjob settings that the job does not have, and urllib's client with HTTP and TLS,
which only mrjob's EMR runner opens.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from urllib.parse import quote


def loose_version(text: str) -> list[int | str]:
    """Split a version such as `3.3.6` into comparable numbers."""
    return [int(part) if part.isdigit() else part for part in re.findall(r"\d+|[a-z]+", text)]


_STAND_INS: dict[str, dict[str, object]] = {
    "distutils": {},
    "distutils.spawn": {"find_executable": shutil.which},
    "distutils.version": {"LooseVersion": loose_version},
    "pipes": {"quote": shlex.quote},
    "urllib.request": {"pathname2url": quote, "urlopen": None},
}


@contextmanager
def stand_ins() -> Iterator[None]:
    """Provide the stand-ins while mrjob is imported here. Modules imported earlier stay as they are."""
    put = [name for name in _STAND_INS if name not in sys.modules]
    for name in put:
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__dict__.update(_STAND_INS[name])
    if "yaml" not in sys.modules:
        put.append("yaml")
        sys.modules["yaml"] = None  # type: ignore[assignment]  # its import fails
    try:
        yield
    finally:
        for name in put:
            del sys.modules[name]
