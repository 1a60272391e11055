"""What commands show of the API's actions: an action's answer, and JSON for programs."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec

from frametally.plugins import load
from frametally.settings.loading import Settings

json_option = click.option("--json", "as_json", is_flag=True, help="Print the API's answer, as JSON.")


def ask_action(settings: Settings, name: str, **values: object) -> Any:
    """Return the answer of an action, on the data here; with `--json`, a command prints it as it is.

    Args:
        settings: The settings of this process.
        name: The action's name.
        values: Values of its parameters and of the fields of its body, by name: a text, a whole number, or a
            list of texts for what may be repeated. What is None, or empty, is left out.

    Raises:
        Misconfigured: What the action says is wrong.
        Retryable: A port is unavailable.
    """
    return load("frametally_web.action_commands:ask_action")(settings, name, values)


def print_json(value: object) -> None:
    """Print a record, or a list or dict of records, as JSON that each terminal can print."""
    click.echo(json.dumps(json.loads(msgspec.json.encode(value)), indent=2))
