"""Keeps the messages for users."""

from frametally.process.reports import NoProgress


class Said(NoProgress):
    """A `Progress` that keeps its lines and updates."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.updates: list[tuple[int, int | None, str]] = []

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Keep an update."""
        self.updates.append((done, total, note))

    def say(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)
