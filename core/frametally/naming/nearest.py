"""What is said of a name that is none of those that there are: the nearest ones, or all of a few."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import NamedTuple

from frametally.files.names import as_text

_MOST_NAMED = 10
_LONGEST = 80


class NoSuchName(NamedTuple):
    """A name that is none of those that there are.

    Attributes:
        kind: What it would be the name of, such as `source`.
        name: As it was given.
        near: Those that are written alike, the nearest first.
        remedy: What to do, as a clause without an end.
        is_certain: Whether there are names of this kind; else there may be no such one yet.
    """

    kind: str
    name: str
    near: list[str]
    remedy: str
    is_certain: bool

    @property
    def fault(self) -> str:
        """What is wrong, as a clause."""
        short = f"{self.name[:_LONGEST]}…" if len(self.name) > _LONGEST else self.name
        return f"there is no {self.kind} {as_text(short)!r}{'' if self.is_certain else ' yet'}"

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.fault}; {self.remedy}" if self.is_certain else f"{self.fault}, nor any other"


def no_such(kind: str, name: str, known: Sequence[str]) -> NoSuchName:
    """Return what is said of a name that is none of `known`, which are named in their order."""
    alike = difflib.get_close_matches(name.lower(), [one.lower() for one in known], n=3)
    near = sorted((one for one in known if one.lower() in alike), key=lambda one: alike.index(one.lower()))
    if near:
        remedy = f"did you mean {' or '.join(near)}?"
    else:
        more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
        remedy = f"there are: {', '.join(known[:_MOST_NAMED]) or 'none yet'}{more}"
    return NoSuchName(kind, name, near, remedy, bool(known))
