"""Settings as environment variables, for child processes with the same settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from frametally.settings.fields import SecretStr
from frametally.settings.loading import ENV_PREFIX, Settings

_SECRET = ("PASSWORD", "SECRET", "TOKEN", "CONN_URI")
"""In the names of variables that log in somewhere: ours, others', AWS's."""


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a process that is to log in nowhere."""
    return {name: value for name, value in environment.items() if not any(part in name for part in _SECRET)}


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables by which another process loads these very settings, whatever folder it runs in.

    They hold passwords: they are for a process's environment, and for nothing that is shown or kept.
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
