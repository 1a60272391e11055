"""The rules of a plug-in by which parts of pictures are counted like sources. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, NamedTuple, Protocol

from frametally.plugins import hooks
from frametally_hadoop.job.lines import Frame


class FramesOfPart(NamedTuple):
    """The frames of one part, by its place, and how many lines repeated one."""

    place: str
    frames: Sequence[Frame]
    dropped: int


class PartWork(Protocol):
    """The counts within parts for a task, of the segment in a manifest's entry."""

    @property
    def days(self) -> AbstractSet[int]:
        """As whole days since 1970."""

    def holding(self, source: str, from_ms: int, to_ms: int) -> Sequence[tuple[Any, ...]]:
        """Return the parts of a source that hold in some of `[from_ms, to_ms)`, as keys have them."""


class PartRules(Protocol):
    """A plug-in's rules of counts within parts of pictures; see `PicturePlaces.task_rules`."""

    @property
    def series(self) -> str:
        """The counts within parts are this series of a model."""

    def parse_work(self, fields: Any) -> PartWork:
        """Read a manifest's entry of one segment."""

    def count_at(self, parts: Any, time_ms: int) -> int:
        """Return how many of the parts of one source hold at an event time."""

    def narrowed(
        self, source: str, parts: Any, frames: Sequence[Frame], repeats: Sequence[Frame]
    ) -> Iterator[FramesOfPart]:
        """Yield for each part the distinct frames of a source, and the lines that repeated one.

        `parts` are those of a key as JSON has them.
        """


@cache
def part_rules() -> PartRules:
    """Return the rules of the plug-in that has some: manifests and keys name parts where there are any."""
    rules: PartRules = hooks("places")[0].task_rules()
    return rules
