"""`frametally api`: what the dashboard's pages can do, on the data here and without a server."""

from __future__ import annotations

from types import ModuleType

import click

from frametally.errors import Misconfigured


def _actions() -> ModuleType:
    try:
        from frametally_web import action_commands
    except ModuleNotFoundError as error:
        raise Misconfigured(f"{error.name} is not installed; run pip install 'frametally[web]'") from error
    return action_commands


class _Actions(click.Group):
    """Imports the API when an action is used or listed: each is declared at its handler."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_actions().ACTIONS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _actions()
        return module.ActionCommand(cmd_name) if cmd_name in module.ACTIONS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        try:
            actions = _actions().ACTIONS
        except Misconfigured as error:
            formatter.write_text(f"No action can be listed: {error}.")
            return
        for tag in dict.fromkeys(endpoint.tag for endpoint in actions.values()):
            with formatter.section(tag):
                formatter.write_dl(
                    [(name, action.summary) for name, action in actions.items() if action.tag == tag]
                )


@click.group("api", cls=_Actions)
def api() -> None:
    """Do what the dashboard's pages can do, on the data here, without a server.

    `frametally api ACTION --help` lists the options of an action. Answers are those of the API.
    """
