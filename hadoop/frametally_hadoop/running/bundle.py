"""Makes the zip for tasks on machines that have Python and mrjob, but not frametally.

Tasks for lines and zones also need the folders of their plug-in (`PicturePlaces.node_folders`), and numpy.

`python -m frametally_hadoop.running.bundle frametally_job.zip` writes it.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import frametally
import frametally_hadoop
from frametally.plugins import GROUP, folder_of, load, plugins

# The zip contains these folders and the modules that they import.
FOLDERS = ((frametally, "rules"), (frametally, "process"), (frametally_hadoop, "job"))
MODULES = (
    *((frametally, "__init__"), (frametally, "errors"), (frametally, "plugins")),
    (frametally_hadoop, "__init__"),
)
_METADATA = "frametally_job-0.dist-info"
"""Lets Python find the plug-ins in the zip just as it finds installed ones."""


def write_bundle(path: Path) -> Path:
    """Write the zip to `path`, the same bytes every time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in _files():
            entry = zipfile.ZipInfo(name)  # dated 1980, not today
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, data)
    return path


def _files() -> Iterator[tuple[str, bytes]]:
    for root, module in _modules():
        yield module.relative_to(root).as_posix(), module.read_bytes()
    points = [
        f"{plugin.name} = frametally_{plugin.name}.plugin:PLUGIN" for plugin in plugins() if plugin.places
    ]
    yield f"{_METADATA}/METADATA", b"Metadata-Version: 2.1\nName: frametally-job\nVersion: 0\n"
    yield f"{_METADATA}/entry_points.txt", "\n".join([f"[{GROUP}]", *points, ""]).encode()


def _modules() -> Iterator[tuple[Path, Path]]:
    folders = [(Path(package.__path__[0]), name) for package, name in FOLDERS]
    modules = [(Path(package.__path__[0]), name) for package, name in MODULES]
    for plugin in plugins():
        if plugin.places:
            folder, hook = folder_of(plugin), plugin.places.partition(":")[0].rpartition(".")[2]
            folders += [(folder, name) for name in load(plugin.places).node_folders]
            modules += [(folder, name) for name in ("__init__", "plugin", hook)]
    for folder, name in modules:
        yield folder.parent, folder / f"{name}.py"
    for folder, name in folders:
        for module in sorted((folder / name).rglob("*.py")):
            yield folder.parent, module


if __name__ == "__main__":
    write_bundle(Path(sys.argv[1] if len(sys.argv) > 1 else "frametally_job.zip"))
