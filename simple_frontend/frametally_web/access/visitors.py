"""Who asks: found out once for each request, and known to all that answers it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple

from frametally_accounts.rights import ROLES, Role


class Visitor(NamedTuple):
    """Who asks, and what there is for them.

    Attributes:
        name: Of their account; empty: they have none.
        role: What they may do; None: nothing that is not open.
        sources: Slugs of the sources that there are for them; none: all.
        session: Hash of their session's token; empty: they have come without one.
        token: Name of the token of theirs by which a program asks; empty: by none.
        shown_on: Origins of the sites whose pages may show the signed chart that they ask for.
    """

    name: str = ""
    role: Role | None = None
    sources: tuple[str, ...] = ()
    session: str = ""
    token: str = ""
    shown_on: tuple[str, ...] = ()

    def may(self, right: Role) -> bool:
        """Return whether the role includes this right."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(right)

    @property
    def rights(self) -> str:
        """What pages are told of what they may ask for: the roles' names, and `all` who sees all sources."""
        return " ".join([*filter(self.may, ROLES), *([] if self.sources or self.role is None else ["all"])])

    def sees(self, source: str) -> bool:
        """Return whether there is a source for them."""
        return not self.sources or source in self.sources


NOBODY = Visitor()
ANYBODY = Visitor(role="run")
"""Where there are no accounts."""

_now: ContextVar[Visitor] = ContextVar("visitor", default=ANYBODY)


def visitor() -> Visitor:
    """Return who asks what is being answered; what the server does by itself is nobody's and sees all."""
    return _now.get()


def remedy_for(right: Role, remedy: str | None) -> str | None:
    """Return what who asks has to do first to do what takes `right`; None: nothing.

    `remedy` is what everybody has to do; None: nothing.
    """
    if remedy is None and not visitor().may(right):
        return f"It takes an account with the role {right}: ask whoever runs this server."
    return remedy


def set_visitor(one: Visitor) -> None:
    """Have `one` be who asks, until what is being answered is answered."""
    _now.set(one)
