"""The access book port: accounts, their sessions and tokens, and how often a log-in was tried.

Times are the database's own. Where its clock was set back, what was seen after its new time is over: nothing
lasts longer than it should, and logging in again is always possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from frametally_accounts.rights import ApiToken, Credentials, OwnSession, Session, UserAccount


class TriedBy(NamedTuple):
    """What log-ins are counted by.

    Attributes:
        key: Such as `account:<hash>` or `address:10.0.0.1`.
        free: How many may fail before the next has to wait: a second, then twice as long each time.
    """

    key: str
    free: int


MOST_WAIT_S = 60
"""The longest that the next log-in has to wait: so nobody is kept out for good by others' guesses."""


class AccessBook(Protocol):
    """Who may log in; processes may share it."""

    url: str

    def signing_key(self) -> bytes:
        """Return the key that cookies are signed by, made with the book."""
        ...

    def is_empty(self) -> bool:
        """Return whether there is no account."""
        ...

    def accounts(self) -> list[UserAccount]:
        """Return all accounts, by name."""
        ...

    def account(self, name: str) -> UserAccount | None:
        """Return the account of a name; None: there is none."""
        ...

    def add_account(self, account: UserAccount) -> bool:
        """Add an account, of which name, role and sources count; False: there is one of the name."""
        ...

    def remove_account(self, name: str) -> bool:
        """Remove an account with its sessions, links and tokens; False: there is none of the name."""
        ...

    def credentials(self, name: str) -> Credentials | None:
        """Return what an account proves itself by; None: there is no such account."""
        ...

    def set_password(self, name: str, password_hash: str) -> bool:
        """Give an account a password, which ends its sessions and links; False: there is no such account."""
        ...

    def set_code_secret(self, name: str, secret: str) -> bool:
        """Ask for codes of this secret (empty: for none), which ends its sessions; False: no such account."""
        ...

    def use_code(self, name: str, step: int) -> bool:
        """Use up the code of a step (see `codes.find_step`); False: that or a later one was used before."""
        ...

    def put_link(self, name: str, token_hash: str, *, lasts_s: float) -> bool:
        """Have a token choose the account's password once, instead of all before; False: no such account."""
        ...

    def link(self, token_hash: str) -> str | None:
        """Return whose link a token is; None: nobody's, or it is used or over."""
        ...

    def use_link(self, token_hash: str, password_hash: str) -> str | None:
        """Use up a link: `set_password` of the account, whose name is returned; None: as `link` has it."""
        ...

    def begin_session(self, name: str, token_hash: str, *, most_s: float) -> bool:
        """Begin a session, and forget those that are older than `most_s`; False: there is no such account."""
        ...

    def session(self, token_hash: str, *, idle_s: float, most_s: float) -> Session | None:
        """Return the session of a token; None: none, or left for `idle_s`, or older than `most_s`."""
        ...

    def sessions(self) -> dict[str, int]:
        """Return how many sessions each account has, over or not."""
        ...

    def sessions_of(self, name: str, *, idle_s: float, most_s: float) -> list[OwnSession]:
        """Return the sessions of an account that are not over, who was seen last first; see `session`."""
        ...

    def end_session(self, token_hash: str) -> None:
        """End a session; one that is over is no error."""
        ...

    def add_token(self, token: ApiToken, token_hash: str, *, lasts_s: float) -> bool:
        """Add a program's token, of which names, role and sources count.

        Returns:
            False: there is no such account, it may do less, or it has a token of the name.
        """
        ...

    def tokens(self) -> list[ApiToken]:
        """Return all tokens, over or not, by account and name."""
        ...

    def token(self, token_hash: str) -> ApiToken | None:
        """Return a token with its account's sources where it has none of its own, and note that it is used.

        None: there is none, it is over, or its account may do less by now.
        """
        ...

    def remove_token(self, account: str, name: str) -> bool:
        """Remove a token; False: there is none of the name."""
        ...

    def try_login(self, tried: Sequence[TriedBy]) -> float:
        """Count a log-in by each of its keys as one that fails, before anything is compared.

        Returns:
            0.0, or the seconds that it has to wait: then it is not counted, and must not be tried.
        """
        ...

    def forgive(self, tried: Sequence[TriedBy]) -> None:
        """Take back what `try_login` has counted last: it did not fail."""
        ...

    def check(self) -> None:
        """Read from the database itself. Raises as every other call does."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...
