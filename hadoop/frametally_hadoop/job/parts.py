"""What a plug-in has tasks of the counting job count within parts of pictures. Standard library only.

A part is counted as a source of its own is, by all the same rules, from the frames of the time in which it
holds and those of their boxes that are in it. Its place (`frametally.rules.places`) stands for a source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, NamedTuple, Protocol

from frametally.plugins import hooks
from frametally_hadoop.job.input.lines import Frame


class FramesOfPart(NamedTuple):
    """The frames of one part, by its place, and how many lines repeated one."""

    place: str
    frames: list[Frame]
    dropped: int


class PartWork(Protocol):
    """What a task counts within parts, of the segment that a manifest's entry names."""

    @property
    def days(self) -> AbstractSet[int]:
        """As whole days since 1970."""

    def holding(self, source: str, from_ms: int, to_ms: int) -> Sequence[tuple[Any, ...]]:
        """Return the parts of a source that hold in some of `[from_ms, to_ms)`, as they stand in keys."""


class PartRules(Protocol):
    """The hook `tasks` of a plug-in."""

    @property
    def series(self) -> str:
        """What is counted within parts is this series of a model."""

    def parse_work(self, text: str) -> PartWork:
        """Read what a manifest says of one segment."""

    def count_at(self, parts: Any, time_ms: int) -> int:
        """Return how many of the parts of one source hold at an event time."""

    def narrowed(
        self, source: str, parts: Any, frames: Sequence[Frame], repeats: Sequence[Frame]
    ) -> Iterator[FramesOfPart]:
        """Yield what each part has of a source's distinct frames, and of the lines that repeated one.

        `parts` are those of a key as JSON has them.
        """


@cache
def part_rules() -> PartRules:
    """Return the rules of the plug-in that has some: manifests and keys name parts where there are any."""
    rules: PartRules = hooks("tasks")[0]
    return rules
