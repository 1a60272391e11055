"""`frametally api`: what the dashboard's pages can do, on the data here and without a server."""

from __future__ import annotations

import click


class _Actions(click.Group):
    """Imports the module of an action when it is used, and all modules to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(name for names in _by_tag().values() for name, _ in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from frametally_web.action_commands import ActionCommand
        from frametally_web.api.declared import find_action

        endpoint = find_action(cmd_name.replace("-", "_"))
        return ActionCommand(endpoint) if endpoint else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for tag, names in _by_tag().items():
            with formatter.section(tag):
                formatter.write_dl(names)


def _by_tag() -> dict[str, list[tuple[str, str]]]:
    """Return the names and summaries of all actions by their group."""
    from frametally_web.api.endpoints import ALL_ENDPOINTS

    actions: dict[str, list[tuple[str, str]]] = {}
    for endpoint in ALL_ENDPOINTS:
        if not endpoint.native:
            actions.setdefault(endpoint.tag, []).append((endpoint.name.replace("_", "-"), endpoint.summary))
    return actions


@click.group("api", cls=_Actions)
def api() -> None:
    """Do what the dashboard's pages can do, on the data here, without a server.

    `frametally api ACTION --help` lists the options of an action. Answers are those of the API.
    """
