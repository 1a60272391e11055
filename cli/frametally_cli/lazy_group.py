"""A group of commands that imports a command when it is used, not when it is listed."""

from __future__ import annotations

from collections.abc import Mapping

import click

from frametally.plugins import CommandEntry, load


class LazyGroup(click.Group):
    """A group whose commands are imported one by one, as they are asked for."""

    def __init__(self, *args: object, entries: Mapping[str, CommandEntry], **settings: object) -> None:
        """Know the commands by `entries`; the other arguments are click's own."""
        super().__init__(*args, **settings)  # type: ignore[arg-type]
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None if there is none of this name."""
        if cmd_name in self.entries and cmd_name not in self.commands:
            entry = self.entries[cmd_name]
            command = load(entry.target)
            for target in entry.more:
                command.commands.update(load(target).commands)
            self.commands[cmd_name] = self.prepared(cmd_name, command)
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named first; for one that there is not, name those that are like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:  # click knows those alone that are imported
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from None

    def prepared(self, name: str, command: click.Command) -> click.Command:
        """Return an imported command as it is to run; a subclass may wrap it."""
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.entries[name].summary) for name in self.list_commands(ctx)])
