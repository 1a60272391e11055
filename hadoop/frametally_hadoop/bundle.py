"""The zip with all that a task needs where frametally is not installed: Python and mrjob are enough there.

`python -m frametally_hadoop.bundle frametally_job.zip` writes it.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import frametally
import frametally_hadoop

CORE_MODULES = ("__init__", "errors", "once", "retrying", "time_limit", "tombstones")
JOB_MODULES = (
    "__init__",
    "association",
    "counting",
    "hours",
    "lines",
    "mapping",
    "motion",
    "mrjob_imports",
    "params",
    "reading",
    "stitching",
    "streaming",
    "track_params",
    "tracking",
    "visits",
)


def write_bundle(path: Path) -> Path:
    """Write the zip to `path`, the same bytes every time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for package, modules in ((frametally, CORE_MODULES), (frametally_hadoop, JOB_MODULES)):
            folder = Path(package.__path__[0])
            for module in modules:
                entry = zipfile.ZipInfo(f"{folder.name}/{module}.py")  # dated 1980, not today
                entry.compress_type = zipfile.ZIP_DEFLATED
                bundle.writestr(entry, (folder / f"{module}.py").read_bytes())
    return path


if __name__ == "__main__":
    write_bundle(Path(sys.argv[1] if len(sys.argv) > 1 else "frametally_job.zip"))
