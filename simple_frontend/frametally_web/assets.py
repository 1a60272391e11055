"""The files for browsers: their list, their names in pages, and the route that serves them.

`fetch_assets.py` builds them into `static/built/`. Their names change with their content, so that a browser
can cache them for good.
"""

from __future__ import annotations

import mimetypes
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
from flask import Blueprint, Response, abort, request

from frametally_web.api.answering import chosen_encoding
from frametally_web.translations.texts import language

BUILT = Path(__file__).parent / "static" / "built"
_BUILDER = Path(__file__).parents[1] / "fetch_assets.py"
"""Only a checkout has it; wheels have the built files."""
_BUILDING = threading.Event()
_FOR_GOOD = "public, max-age=31536000, immutable"
# File name endings of compressed files.
_ENCODINGS = {"br": ".br", "gzip": ".gz"}


class Asset(msgspec.Struct, frozen=True):
    """A file of a page: its name in `static/built/`, and its hash as a browser checks it."""

    file: str
    integrity: str


class _Manifest(msgspec.Struct, frozen=True):
    files: dict[str, Asset]


def load_assets(built: Path = BUILT) -> dict[str, Asset] | None:
    """Return the files of all pages by their names in `static/`; None if they have not been built."""
    try:
        return msgspec.json.decode((built / "manifest.json").read_bytes(), type=_Manifest).files
    except FileNotFoundError:
        return None


def build_command() -> str:
    """Return the command that builds the pages, for use in the current folder."""
    return f"python {os.path.relpath(_BUILDER)}"


def is_building() -> bool:
    """Return whether this process is building the pages."""
    return _BUILDING.is_set()


def build_missing() -> None:
    """Build the pages of a checkout in the background if they are missing, and print the progress."""
    if load_assets() is None and _BUILDER.is_file() and not is_building():
        _BUILDING.set()
        print("Building the dashboard's pages, once; this takes about a minute ...", flush=True)
        threading.Thread(target=_build, name="frametally-pages", daemon=True).start()


def _build() -> None:
    try:
        command = [sys.executable, str(_BUILDER)]
        process = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own)
        lines = (process.stdout if process.returncode == 0 else process.stderr).strip().splitlines() or [
            "no reason given"
        ]
        if process.returncode == 0:
            print(lines[-1], flush=True)
            return
        reason = lines[-1].removeprefix("error: ").removesuffix(". Check the network, then run this again")
        print(
            f"warning: the dashboard's pages cannot be built ({reason}); the API works without them. With a "
            f"network, run `{build_command()}`",
            file=sys.stderr,
            flush=True,
        )
    finally:
        _BUILDING.clear()


def create_blueprint(built: Path = BUILT) -> Blueprint:
    """Return the route `/static/`, and `asset_of` for templates."""
    assets = Blueprint("assets", __name__)

    @assets.get("/static/<path:filename>")
    def file(filename: str) -> Response:
        assets = load_assets(built) or {}
        if filename not in {asset.file for asset in assets.values()}:
            abort(404)
        encoding: str | None = chosen_encoding()
        if not (built / (filename + _ENCODINGS.get(encoding or "", ""))).is_file():
            encoding = None
        body = (built / (filename + _ENCODINGS.get(encoding or "", ""))).read_bytes()
        response = Response(body, mimetype=mimetypes.guess_type(filename)[0])
        response.make_conditional(request, accept_ranges=True, complete_length=len(body))
        if encoding:
            response.headers["Content-Encoding"] = encoding
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = "no-cache" if filename in assets else _FOR_GOOD
        return response

    @assets.app_context_processor
    def for_templates() -> dict[str, object]:
        files = load_assets(built) or {}
        own = f"{language()}/"
        return {
            "assets": files | {name.removeprefix(own): files[name] for name in files if name.startswith(own)}
        }

    return assets
