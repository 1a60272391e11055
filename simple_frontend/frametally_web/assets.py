"""The front-end libraries that the page loads: which they are, and whether they are here.

They are fetched into `static/vendor/` (see `fetch_assets.py`) and served by this server; `vendor.json` beside
them has their names, in the order of loading, and their hashes.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

STATIC = Path(__file__).parent / "static"


class Script(NamedTuple):
    """A library's script: its name in `static/vendor/`, and its hash as a browser checks it."""

    name: str
    integrity: str


class _Manifest(msgspec.Struct, frozen=True):
    files: list[dict[str, str]]


def load_scripts(static: Path = STATIC) -> list[Script] | None:
    """Return the scripts that the page loads, in order; None if a file of `vendor.json` is not here."""
    manifest = msgspec.json.decode((static / "vendor.json").read_bytes(), type=_Manifest)
    if not all((static / "vendor" / file["name"]).is_file() for file in manifest.files):
        return None
    return [
        Script(file["name"], file["integrity"]) for file in manifest.files if file["name"].endswith(".js")
    ]


def list_modules(static: Path = STATIC) -> list[str]:
    """Return the page's own modules by their paths under `static/`, for a browser to fetch all at once."""
    return sorted(path.relative_to(static).as_posix() for path in (static / "js").rglob("*.js"))
