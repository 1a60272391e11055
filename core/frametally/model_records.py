"""Records of users' networks: how well the preparation of their input fits the footage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from frametally import keys
from frametally.process.reports import plural
from frametally.records import SealedRecord

MOST_SOURCES = 16
"""After so many sources, a new one is not compared any more."""

_NAMED_SOURCES = 3

NOT_TESTED = "its input is not tested yet: there is no footage"


def assignment(name: str) -> str:
    """Return the setting and its value that a key of `InputCheck.sums` stands for."""
    return name if "=" in name else f"FRAMETALLY_MODEL_CFG={name}"


class InputCheck(SealedRecord, frozen=True, kw_only=True):
    """A comparison of a network's input with other preparations (`models/inputs/<model>.json`).

    Attributes:
        model: The ID of the model, which depends on the file's sha256 and on all settings that change a box.
        sha256: Of the ONNX file.
        setting: Value of `FRAMETALLY_MODEL_CFG` that was compared with the others.
        frames: The compared frames.
        sources: The slugs of their sources, sorted.
        sums: By value of the setting, or by `FRAMETALLY_RESIZE=` with a value, the sum of the confidences of
            the boxes that a frame and its mirror image both have; what finds less than `setting` is left out.
        better: The key of `sums` that finds much more; empty if there is none.
    """

    model: str
    sha256: str
    setting: str
    frames: int
    sources: Sequence[str]
    sums: Mapping[str, float]
    better: str = ""

    remedy: ClassVar[str] = "delete it: the next `frametally consume` tests the network again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.input_check_key(self.model)

    @property
    def is_passed(self) -> bool:
        """Whether it found something, and no other preparation found much more."""
        return not self.better and self.sums.get(self.setting, 0.0) > 0

    def is_due(self, sources: Sequence[str]) -> bool:
        """Return whether the comparison must be repeated for these sources."""
        return len(self.sources) < MOST_SOURCES and not set(sources) <= set(self.sources)

    def in_words(self) -> str:
        """Return the result as one clause, for people."""
        first, more = ", ".join(self.sources[:_NAMED_SOURCES]), len(self.sources) - _NAMED_SOURCES
        where = f"in {plural(self.frames, 'frame')} of {first}{f' (+{more})' if more > 0 else ''}"
        if self.better:
            return (
                f"finds {self.sums[self.setting]:.1f} {where}, but {self.sums[self.better]:.1f} with "
                f"{assignment(self.better)} (sums of confidences)"
            )
        if not self.is_passed:
            return f"not tested yet: {where}, no preparation of its input finds anything"
        return f"fits the footage best, {where}"
