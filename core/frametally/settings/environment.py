"""Passes settings to child processes as environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from frametally.settings.fields import SecretStr
from frametally.settings.loading import ENV_PREFIX, Settings, secret_variables

_SECRET = ("PASSWORD", "SECRET", "TOKEN", "CONN_URI")
"""Parts of the names of other programs' variables with log-ins, such as AWS's."""


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a process that must not log in anywhere."""
    own = {name.removesuffix(end) for name in secret_variables().values() for end in ("", "_FILE")}
    return {
        name: value
        for name, value in environment.items()
        if name not in own and not any(part in name for part in _SECRET)
    }


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables with which another process, in any folder, loads the same settings.

    They contain passwords: use them only for a process's environment, never show or store them.
    """
    variables = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        elif isinstance(value, Path):
            value = value.expanduser().absolute()
        if value is not None and value != "":
            variables[f"{ENV_PREFIX}{name.upper()}"] = str(value)
    return variables
