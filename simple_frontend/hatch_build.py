"""The build hook of the wheel: the front-end libraries are in it, fetched if need be, by version and hash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndLibraries(BuildHookInterface[Any]):
    """Runs `fetch_assets.py`, which does nothing where all files are there with their hashes."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Fetch, unless it is an editable install: `make setup` does that by itself."""
        if version == "editable":
            return
        script = Path(self.root) / "simple_frontend" / "fetch_assets.py"
        done = subprocess.run([sys.executable, str(script)], check=False)  # noqa: S603 - our own script
        if done.returncode:
            raise RuntimeError("the dashboard's front-end libraries are not here and cannot be fetched")
