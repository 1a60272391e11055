"""Keeps the messages for users."""

from frametally.process.reports import NoProgress


class Said(NoProgress):
    """A `Progress` that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)
