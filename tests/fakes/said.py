"""What a person would be told, kept."""

from frametally.process.reports import NoProgress


class Said(NoProgress):
    """Progress that keeps the lines that are said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Keep a line."""
        self.lines.append(line)
