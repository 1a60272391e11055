"""The build hook of wheel and sdist: adds the built pages of the dashboard, and the manual of its API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Pages(BuildHookInterface[Any]):
    """Runs `fetch_assets.py`, which does nothing if the files are up to date."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the pages, unless it is an editable install: `make setup` builds them itself."""
        if version == "editable":
            return
        script = Path(self.root) / "simple_frontend" / "fetch_assets.py"
        process = subprocess.run([sys.executable, str(script)], check=False)  # noqa: S603 - our own script
        if process.returncode:
            raise RuntimeError("the dashboard's pages have not been built, and cannot be built here")
        if self.target_name == "wheel":  # the API's description takes its examples from it
            manual = Path(self.root) / "docs" / "api.md"
            build_data["force_include"][str(manual)] = "frametally_web/api/manual.md"
