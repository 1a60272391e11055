"""The visitor of a request: identified once, and known to every part that answers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import NamedTuple

from frametally_accounts.rights import ROLE_NAMES, ROLES, Role
from frametally_web.translations.texts import problem_text

_MOST_ADMINISTRATORS = 3


class Visitor(NamedTuple):
    """A visitor and their rights.

    Attributes:
        name: Name of their account; empty if they have none.
        role: Their role; None if they may use only open routes.
        sources: Slugs of the sources that they can see; empty for all.
        session: Hash of their session's token; empty without a session.
        token: Name of their token that a program sent; empty if none was sent.
        shown_on: Origins of the sites whose pages may show the requested signed chart.
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
        """Return the rights of a visitor for pages: the roles' names, and `all` if they see all sources."""
        return " ".join([*filter(self.may, ROLES), *([] if self.sources or self.role is None else ["all"])])

    def sees(self, source: str) -> bool:
        """Return whether the visitor may see a source."""
        return not self.sources or source in self.sources


NOBODY = Visitor()
ANYBODY = Visitor(role="run")
"""The visitor if there are no accounts."""

_administrators: ContextVar[Callable[[], Sequence[str]]] = ContextVar("administrators", default=list)
_now: ContextVar[Visitor] = ContextVar("visitor", default=ANYBODY)


def visitor() -> Visitor:
    """Return the visitor of the current request; the server's own work has no visitor and sees all."""
    return _now.get()


def remedy_for(right: Role, remedy: str | None) -> str | None:
    """Return what this visitor must do before an action with `right`, in their language, or None.

    `remedy` is what has to be set up first, or None.
    """
    if not visitor().may(right):  # only administrators are shown how to set up a server
        remedy = f"You need the {ROLE_NAMES[right]} role. Ask {whom_to_ask()}."
    return None if remedy is None else problem_text(remedy)


def set_administrators(names: Callable[[], Sequence[str]]) -> None:
    """Let `names` return the administrators of this server, until the current request is answered."""
    _administrators.set(names)


def whom_to_ask() -> str:
    """Return whom to ask for a forbidden action: by name only for visitors who have signed in."""
    names = _administrators.get()() if visitor().name else ()
    names_text = ", ".join(names[:_MOST_ADMINISTRATORS])
    return f"an administrator ({names_text})" if names_text else "an administrator"


def set_visitor(new_visitor: Visitor) -> None:
    """Make `new_visitor` the visitor until the request is answered."""
    _now.set(new_visitor)
