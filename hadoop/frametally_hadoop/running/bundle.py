"""The zip with all that a task needs where frametally is not installed: Python and mrjob are enough there.

Flows (`frametally_traffic.flows`) need numpy, too.

`python -m frametally_hadoop.running.bundle frametally_job.zip` writes it.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import frametally
import frametally_hadoop

# The zip is these folders, with the modules beside them that they import.
FOLDERS = (
    *((frametally, "rules"), (frametally, "flows"), (frametally, "process")),
    (frametally_hadoop, "job"),
)
MODULES = ((frametally, "__init__"), (frametally, "errors"), (frametally_hadoop, "__init__"))


def write_bundle(path: Path) -> Path:
    """Write the zip to `path`, the same bytes every time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for root, module in _modules():
            entry = zipfile.ZipInfo(module.relative_to(root).as_posix())  # dated 1980, not today
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, module.read_bytes())
    return path


def _modules() -> Iterator[tuple[Path, Path]]:
    for package, name in MODULES:
        folder = Path(package.__path__[0])
        yield folder.parent, folder / f"{name}.py"
    for package, name in FOLDERS:
        folder = Path(package.__path__[0])
        for module in sorted((folder / name).rglob("*.py")):
            yield folder.parent, module


if __name__ == "__main__":
    write_bundle(Path(sys.argv[1] if len(sys.argv) > 1 else "frametally_job.zip"))
