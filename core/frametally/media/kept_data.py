"""What plug-ins keep that a retention policy may remove, and footage of which it must keep the pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from frametally.plugins import hooks
from frametally.ports.opened import StorePorts


class KeptItem(NamedTuple):
    """One removable thing.

    Attributes:
        id: Its name within its kind.
        source: Slug of the source that it shows; empty if it does not show a picture of any.
        stored_at_ms: When it was stored, by the clock of the place that keeps it.
        size_bytes: Its size in the object store; 0 if it is a row of a database.
        from_ms: Event time of its first picture; None if unknown.
        to_ms: Event time of its last picture; None if unknown.
    """

    id: str
    source: str
    stored_at_ms: int
    size_bytes: int
    from_ms: int | None = None
    to_ms: int | None = None


class KeptKind(NamedTuple):
    """All removable things of one kind.

    Attributes:
        name: A plural noun, such as `originals`.
        items: Returns those that may be removed now: nothing still needs them.
        remove: Removes one; removing it again does nothing.
        rule: Name of the kind whose rules it follows; empty for its own.
        place: What keeps it: the `store`, the `catalogue`, or the URL of a folder of this machine.
    """

    name: str
    items: Callable[[], Iterable[KeptItem]]
    remove: Callable[[KeptItem], None]
    rule: str = ""
    place: str = "store"


class KeptTerm(NamedTuple):
    """A rule that says for how long data of a kind stays.

    Attributes:
        kind: A name of a `KeptKind`, or `frames` or `thinning`.
        source: Slug of its source; empty means all sources without their own rule.
        after_ms: Age at which data goes; None if the rule has no age.
        most_bytes: Size up to which the newest data of each source stays; None if the rule has no size.
    """

    kind: str
    source: str
    after_ms: int | None
    most_bytes: int | None


def _no_ranges(_: str) -> list[tuple[int, int]]:
    return []


def _no_holds(_: str, __: int, ___: int, ____: str) -> list[str]:
    return []


class KeptPart(NamedTuple):
    """The result of the hook `removable`.

    Attributes:
        kinds: What it keeps, by kind.
        ranges: Returns the ranges `[from_ms, to_ms)` of a source (a slug) whose pictures must stay.
        previews: Pictures that only an erasure removes.
        histories: Earlier counts that only an erasure removes, after days were counted again.
        holds: Returns the legal holds on a source and `[from_ms, to_ms)`, in words. With an id that is not
            empty, it first records that the data is being removed, so that a later hold says so.
        terms: Returns the rules for how long data stays.
    """

    kinds: Sequence[KeptKind] = ()
    ranges: Callable[[str], list[tuple[int, int]]] = _no_ranges
    previews: Sequence[KeptKind] = ()
    histories: Sequence[KeptKind] = ()
    holds: Callable[[str, int, int, str], list[str]] = _no_holds
    terms: Callable[[], list[KeptTerm]] = list


def kept_parts(ports: StorePorts) -> list[KeptPart]:
    """Return what each plug-in keeps."""
    return [removable(ports) for removable in hooks("removable")]
