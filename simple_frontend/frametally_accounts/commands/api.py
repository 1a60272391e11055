"""`frametally api`: what the dashboard's pages can do, on the data here and without a server."""

from __future__ import annotations

from collections import defaultdict

import click

from frametally.errors import Misconfigured


class _Actions(click.Group):
    """Imports the module of an action when it is used, and all modules to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(name for rows in _rows_by_tag().values() for name, _ in rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from frametally_web.action_commands import ActionCommand
        from frametally_web.api.declared import find_action

        try:
            endpoint = find_action(cmd_name.replace("-", "_"))
        except ModuleNotFoundError as error:
            raise _not_installed(error) from error
        return ActionCommand(endpoint) if endpoint else None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:  # an action imports some packages when it needs them
            raise _not_installed(error) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for tag, rows in _rows_by_tag().items():
            with formatter.section(tag):
                formatter.write_dl(rows)


def _rows_by_tag() -> dict[str, list[tuple[str, str]]]:
    """Return the names and summaries of the actions, by their group."""
    from frametally_web.api.declared import offered_actions

    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for endpoint in offered_actions():
        rows[endpoint.tag].append((endpoint.name.replace("_", "-"), endpoint.summary))
    return rows


def _not_installed(error: ModuleNotFoundError) -> Misconfigured:
    return Misconfigured(f"{error.name} is not installed; run pip install 'frametally[web]'")


@click.group("api", cls=_Actions)
def api() -> None:
    """Do what the dashboard's pages can do, on the data here, without a server.

    `frametally api ACTION --help` lists the options of an action. Answers are those of the API.
    """
