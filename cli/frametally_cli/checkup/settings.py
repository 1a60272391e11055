"""The settings of this process, and where each comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from frametally.errors import Misconfigured
from frametally.files.dotenv_text import read_env_file
from frametally.settings.loading import (
    COMPONENT_FOLDERS,
    EMPTY_SAYS_NONE,
    ENV_PREFIX,
    Settings,
    component_folder,
)
from frametally.settings.other_names import by_other_names
from frametally_cli.checkup.findings import Finding, shown

_OF_OTHERS = {
    "DATABASE_URL": "FRAMETALLY_CATALOGUE_URL",
    "KAFKA_BOOTSTRAP_SERVERS": "FRAMETALLY_LOG_URL",
    "KAFKA_VIDEO_TOPIC": "FRAMETALLY_LIVE_TOPIC",
    "KAFKA_RESULT_TOPIC": "FRAMETALLY_RESULTS_TOPIC",
    "VIDEO_STORAGE_PATH": "FRAMETALLY_STORE_URL",
    "SERVER_PORT": "FRAMETALLY_WEB_PORT",
    "ALLOWED_ORIGINS": "FRAMETALLY_WEB_ALLOWED_ORIGINS",
    "AIRFLOW_API_URL": "FRAMETALLY_AIRFLOW_URL",
    "AIRFLOW_USERNAME": "FRAMETALLY_AIRFLOW_USER",
    "AIRFLOW_PASSWORD": "FRAMETALLY_AIRFLOW_PASSWORD",
}
"""Names that similar systems read. They may belong to other programs, so they are named and not taken."""


def setting_rows(overrides: Mapping[str, object] | None = None) -> Iterator[Finding]:
    """Yield every setting with where it came from; a component's own `.env` has rows of its own.

    `overrides` are those that the command line has set, by name.
    """
    given = {
        f"{ENV_PREFIX}{name.upper()}": value for name, value in (overrides or {}).items() if value is not None
    }
    environment = {key.upper(): value for key, value in os.environ.items() if value or key in EMPTY_SAYS_NONE}
    root = read_env_file(Path(".env"), empty=EMPTY_SAYS_NONE)
    components = {
        name: read_env_file(folder / ".env", empty=EMPTY_SAYS_NONE)
        for name in COMPONENT_FOLDERS
        if (folder := component_folder(name)) is not None
    }
    try:
        others = by_other_names(root | environment, ENV_PREFIX)
    except Misconfigured:  # has a row of its own
        others = {}
    for name, field in Settings.model_fields.items():
        variable = f"{ENV_PREFIX}{name.upper()}"
        default = {variable: field.get_default(call_default_factory=True)}
        sources: dict[str, Mapping[str, object]] = {
            "command line": given,
            "environment": environment,
            ".env": root,
            **({others[name].variable: {variable: others[name].value}} if name in others else {}),
            "default": default,
        }
        where = next(where for where, values in sources.items() if variable in values)
        yield Finding("settings", variable, shown(name, sources[where][variable]), where)
        if where in ("command line", "environment"):
            continue
        for component, found in components.items():
            if variable in found:
                where = f"{COMPONENT_FOLDERS[component]}/.env, for the {component} alone"
                yield Finding("settings", variable, shown(name, found[variable]), where)
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    # Switches that are no settings: they are for tests, and anything else is a slip of the pen.
    for variable in sorted({*environment, *root} - known):
        if variable.startswith(ENV_PREFIX) and variable not in ("FRAMETALLY_FAILPOINT",):
            where = "environment" if variable in environment else ".env"
            yield Finding("settings", variable, "(not shown)", f"{where}: no such setting, it is ignored")
    for variable in sorted((environment.keys() | root.keys()) & _OF_OTHERS.keys()):
        note = f"this variable is ignored; to use it here, set {_OF_OTHERS[variable]}"
        yield Finding("settings", variable, "(not shown)", note)
