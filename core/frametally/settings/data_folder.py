"""The folder that the embedded store, log and index lie in: which it is, and the demo's beside it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from frametally.settings.loading import Settings

DEMO_DATA_DIR = Path("demo-data")
_INDEX = "index.sqlite"


def embedded_folder(settings: Settings) -> Path | None:
    """Return the folder that the counts lie in; None where they are on a server."""
    folder = settings.data_dir
    return folder if settings.index_url == f"sqlite:///{folder / _INDEX}" else None


def store_folder(settings: Settings) -> Path | None:
    """Return the folder of this machine that the object store is; None where it is on a server."""
    scheme, _, place = settings.store_url.partition("://")
    return Path(unquote(place)) if scheme == "file" else None


def demo_beside(folder: Path) -> Path | None:
    """Return the demo's data folder beside `folder`, if there are counts in it and it is another one."""
    demo = folder.parent / DEMO_DATA_DIR
    return demo if demo != folder and (demo / _INDEX).is_file() else None
