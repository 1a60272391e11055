"""The handlers of accounts and tokens, for administrators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

import msgspec

from frametally.actions.calls import NOTHING, Reply, Sent, answer_with, current_call, note_target
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, in_path
from frametally.actions.problems import Problem, as_sentence, ended
from frametally.errors import FrametallyError, Misconfigured
from frametally.naming import KnownNames
from frametally_accounts.book import AccessBook
from frametally_accounts.password_links import make_link
from frametally_accounts.people import answers, changes
from frametally_accounts.people.changes import AccessRefused
from frametally_accounts.rights import MOST_NAME_CHARS, Role
from frametally_web.books.context import ActionContext

ACCOUNTS = Routes("Accounts", right="run")

_NAME = in_path("name", "Name of the account.", "anna")
_ACCOUNT = in_path("account", "Name of the account.", "anna")
_TOKEN = in_path("name", "Name of the token.", "nightly-export")
Sources = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=200)]], msgspec.Meta(max_length=200)
]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME_CHARS)]


class AccountWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to add.

    Attributes:
        name: Lower-case letters, digits and `. _ @ + -`.
        role: What it can do: `look`, `correct` or `run`.
        sources: Names of the sources that it can see; empty means all.
    """

    name: Name
    role: Role = "look"
    sources: Sources = []


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The change of an account; null leaves a field as it is; its other fields are those of `AccountWanted`.

    Attributes:
        codes: Whether sign-in requires codes of an authenticator; true makes a new secret.
    """

    role: Role | None = None
    sources: Sources | None = None
    codes: bool | None = None


class TokenWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to add to an account; its other fields are those of `ListedToken`.

    Attributes:
        role: What it can do; if null, what the account can do.
        sources: Names of the sources that it can see; empty means all that the account sees.
        days: Number of days until it expires.
    """

    account: Name
    name: Name
    role: Role | None = None
    sources: Sources = []
    days: Annotated[int, msgspec.Meta(ge=1, le=changes.MOST_DAYS)] = 90


_NEW_ACCOUNT = Sent(AccountWanted, "account")
_CHANGE = Sent(AccountChange, "change of an account")
_NEW_TOKEN = Sent(TokenWanted, "token")


@dataclass(frozen=True)
class AccountRoutes:
    """The handlers of one application."""

    context: ActionContext

    @property
    def _book(self) -> AccessBook:
        book: AccessBook | None = self.context.parts.get("access")
        if book is None:
            raise Problem(
                404, "This dashboard has no accounts.", remedy="Open the dashboard: no one has to sign in."
            )
        return book

    @ACCOUNTS.route(
        "GET accounts", "List all accounts and all tokens, without their secrets.", statuses=(404,)
    )
    def accounts(self, _: Args) -> answers.AccountList:
        book = self._book
        sessions = book.sessions()
        return answers.AccountList(
            accounts=[
                answers.account_of(account, sessions.get(account.name, 0)) for account in book.accounts()
            ],
            tokens=[answers.token_of(token) for token in book.tokens()],
        )

    @ACCOUNTS.route(
        "POST accounts",
        "Add an account, and return a link with which its owner chooses a password, once.",
        body=_NEW_ACCOUNT,
        statuses=(404, 409),
        success={201: "The account is added."},
    )
    def post_account(self, _: Args) -> answers.ChangedAccount:
        form = _NEW_ACCOUNT.read()
        book = self._book
        note_target(role=form.role, sources=" ".join(form.sources))
        with _plain_refusals():
            account = changes.new_account(book, form.name, form.role, tuple(form.sources))
            if book.is_empty() and not account.may_administer:
                raise AccessRefused(
                    409,
                    "the first account must be able to do everything",
                    command="give it the Admin role",
                    remedy="Give it the Admin role and access to all sources: this account adds the others.",
                )
            changes.add_account(book, self.context.ports.store, account)
        answer_with(201)
        return answers.ChangedAccount(
            name=account.name, link=self._link(book, account.name), notes=self._unknown(form.sources)
        )

    @ACCOUNTS.route(
        "PATCH accounts/{name}",
        "Change an account's role, its sources, or whether it needs codes.",
        _NAME,
        body=_CHANGE,
        statuses=(409,),
    )
    def patch_account(self, args: Args) -> answers.ChangedAccount:
        """Change an account; if any part is refused, change nothing."""
        form = _CHANGE.read()
        book = self._book
        note_target(
            role=form.role,
            sources=None if form.sources is None else " ".join(form.sources) or "all",
            codes=None if form.codes is None else ("on" if form.codes else "off"),
        )
        codes = ""
        with _plain_refusals():
            account = changes.find_account(book, _NAME.read(args))
            if form.role is not None or form.sources is not None:
                sources = account.sources if form.sources is None else tuple(form.sources)
                changes.change_rights(book, account, form.role or account.role, sources)
            if form.codes is not None:
                codes = changes.change_codes(book, account.name, form.codes)
        return answers.ChangedAccount(name=account.name, codes=codes, notes=self._unknown(form.sources or []))

    @ACCOUNTS.route(
        "POST accounts/{name}/link",
        "Create a link with which an account's owner chooses a password, once; it replaces earlier links.",
        _NAME,
    )
    def post_link(self, args: Args) -> answers.ChangedAccount:
        book = self._book
        with _plain_refusals():
            account = changes.find_account(book, _NAME.read(args))
        return answers.ChangedAccount(name=account.name, link=self._link(book, account.name))

    @ACCOUNTS.route(
        "DELETE accounts/{name}",
        "Delete an account with its tokens, and end its sessions.",
        _NAME,
        statuses=(409,),
        success={204: "The account is deleted."},
    )
    def delete_account(self, args: Args) -> Reply:
        """Remove an account, unless it is the last one that can do everything."""
        book = self._book
        with _plain_refusals():
            account = changes.find_account(book, _NAME.read(args))
            changes.remove_account(book, account)
        return NOTHING

    @ACCOUNTS.route(
        "POST tokens",
        "Add a token with which a program acts for an account, and return its secret, once.",
        body=_NEW_TOKEN,
        statuses=(404, 409),
        success={201: "The token is added."},
    )
    def post_token(self, _: Args) -> answers.NewToken:
        form = _NEW_TOKEN.read()
        book = self._book
        note_target(account=form.account, role=form.role, sources=" ".join(form.sources), days=form.days)
        with _plain_refusals():
            owner = changes.find_account(book, form.account)
            token, secret = changes.add_token(
                book, owner, form.name, role=form.role, sources=tuple(form.sources), days=form.days
            )
        answer_with(201)
        return answers.NewToken(
            account=token.account, name=token.name, secret=secret, notes=self._unknown(form.sources)
        )

    @ACCOUNTS.route(
        "DELETE tokens/{account}/{name}",
        "Delete a token; frametally refuses programs that use it from then on.",
        _ACCOUNT,
        _TOKEN,
        success={204: "The token is deleted."},
    )
    def delete_token(self, args: Args) -> Reply:
        book = self._book
        with _plain_refusals():
            changes.remove_token(book, _ACCOUNT.read(args), _TOKEN.read(args))
        return NOTHING

    def _unknown(self, sources: Sequence[str]) -> tuple[str, ...]:
        """Return a sentence for each source that does not exist yet: accounts may be added before footage."""
        if sources:
            with suppress(FrametallyError):  # accounts can be added while a server is down
                context, media = self.context, self.context.books.media_to_keep()
                names = KnownNames(
                    {source: media.name(source) for source in media.sources()},
                    settings=context.settings,
                    store=context.ports.store,
                    index=context.ports.index,
                )
                return tuple(ended(str(name)) for name in names.unknown(sources=sources))
        return ()

    def _link(self, book: AccessBook, name: str) -> str:
        return make_link(self.context.settings.web_url or current_call().root_url, book, name)


@contextmanager
def _plain_refusals() -> Iterator[None]:
    """Answer a refused change as a problem with the page's remedy."""
    try:
        yield
    except AccessRefused as error:
        raise Problem(error.status, as_sentence(error.detail), remedy=error.remedy) from error
    except Misconfigured as error:  # an invalid name
        remedy = as_sentence(error.remedy)
        raise Problem(400, as_sentence(error.detail), remedy=remedy, parameter="name") from error
