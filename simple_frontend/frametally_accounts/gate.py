"""Checks every request before its route runs, by the table of rights and the visitor's role."""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from time import monotonic
from typing import cast
from urllib.parse import quote

from flask import Flask, Response, g, redirect, request

from frametally.actions.calls import Call, SentHeaders, note_who, set_call
from frametally.actions.endpoints import READS, route_of
from frametally.actions.problems import Problem
from frametally.errors import FrametallyError
from frametally.files.reserve import reserve_released
from frametally.ports.object_store import ObjectStore
from frametally.process.allowed_addresses import counted_as
from frametally.process.time_limit import time_limit
from frametally.rules.times import HOUR_S
from frametally.settings.access import is_api_token
from frametally.settings.loading import Settings
from frametally_accounts.access_rows import TriedBy, UsedInFuture
from frametally_accounts.audit.opened_book import OpenedAudit
from frametally_accounts.audit_records import NOBODY as WHO_IS_NOBODY
from frametally_accounts.audit_records import OPEN
from frametally_accounts.book import AccessBook
from frametally_accounts.credentials import read_signed, sign, token_hash
from frametally_accounts.embeds.signed_charts import HEADER, admit_chart
from frametally_accounts.marker import LastMark
from frametally_accounts.rights import ROLE_NAMES, Role, UserAccount, as_name
from frametally_web.access.rights import Rights
from frametally_web.access.visitors import (
    ANYBODY,
    NOBODY,
    Visitor,
    set_administrators,
    set_visitor,
    whom_to_ask,
)
from frametally_web.requests.origins import is_of_own_page

SECRET_HEADER = "X-Frametally-Proxy-Secret"  # noqa: S105 - a header's name
_COOKIES = ("__Host-frametally", "frametally")
"""The cookie's name, with TLS and without."""
_MOST_COOKIE_CHARS = 16_384
_FREE_WRONG_TOKENS = 30
"""Wrong tokens per address and quarter of an hour; after that, each answer is delayed."""
_READ_KEY_EVERY_S = 5.0


class Gate:
    """Admits requests; admits all if there are no accounts and only this machine can connect.

    The gate records every request that changes something, admitted or refused.
    """

    def __init__(
        self,
        settings: Settings,
        store: ObjectStore,
        book: AccessBook | None,
        audit: OpenedAudit,
        rights: Rights,
        *,
        accounts_are_lost: bool = False,
    ) -> None:
        """Read sessions from `book` (None if everything is open), and from `store` whether it was lost.

        With `accounts_are_lost`, that was so at the start: everything is closed, even without the store.
        """
        self.settings = settings
        self.book = book
        self._mark = LastMark(store, is_there=accounts_are_lost)
        self.audit = audit
        self.rights = rights
        self._secret = settings.proxy_secret.get_secret_value()
        self._roles = cast(dict[str, Role], settings.roles_by_proxy)
        self._is_alone = settings.listens_to_itself
        self._had_accounts = settings.web_accounts or accounts_are_lost
        self._key = b""
        self._read_key_at_s = 0.0

    def admit(self, method: str, path: str, headers: SentHeaders, peer: str) -> Visitor:
        """Return the visitor of a request who has the right; `path` is the route's own, as in `Rights`.

        `peer` is the address of the connection.

        Raises:
            Problem: 401 if the visitor must sign in; 403 without the right; 429 if too many wrong tokens came
                from this address.
        """
        if self.book is None:
            return ANYBODY
        right = self.rights.right_of(method, path)
        if right == "open":
            return NOBODY
        with time_limit(self.settings.web_query_timeout_s):
            visitor = self.find(method, headers, peer)
        set_administrators(self.administrators)
        set_visitor(visitor)  # even if refused: the answer names whom to ask
        if right is not None and visitor.may(right):
            reads = "GET" if method == "HEAD" else method
            if visitor.sources and route_of(reads, path) not in self.rights.by_source:
                sources = ", ".join(visitor.sources)[:200]
                raise Problem(
                    403,
                    f"This covers all sources, but {visitor.name} may only see {sources}.",
                    remedy=f"Ask {whom_to_ask()} for an account that can see all sources.",
                )
            return visitor
        if visitor.role is None or not (visitor.name or self.has_accounts()):
            raise self._who_is_it()
        needed = f"This needs the {ROLE_NAMES[right]} role." if right else "No role allows this."
        raise Problem(
            403,
            f"Your account {visitor.name} is not allowed to do this. {needed}",
            remedy=f"Ask {whom_to_ask()} for this role.",
        )

    def change_of(
        self, method: str, path: str, headers: SentHeaders, *, parts: Mapping[str, object], peer: str
    ) -> Call | None:
        """Return the audit entry of a request, or None if its route changes nothing.

        `parts` are the values in the path, such as a video's id; see `admit` for the rest.
        """
        if not self.rights.is_change(method, path):
            set_call(Call())
            return None
        # The address of an open route may contain a secret, such as a link's token.
        target = {} if self.rights.right_of(method, path) == "open" else parts
        change = Call(route_of(method, path), self.address_of(headers, peer), target)
        set_call(change)
        return change

    def find(self, method: str, headers: SentHeaders, peer: str) -> Visitor:
        """Return the visitor, `NOBODY` if not signed in. Raises `Problem`: 401, 403, 429."""
        visitor = self.identify(method, headers, peer)
        note_who(visitor.name or (OPEN if visitor.role == "run" else WHO_IS_NOBODY), token=visitor.token)
        return visitor

    def identify(self, method: str, headers: SentHeaders, peer: str) -> Visitor:
        """Return the visitor, as `find` does, without an entry in the audit log."""
        if self.book is None:
            return ANYBODY
        scheme, _, credential = headers.get("Authorization", "").partition(" ")
        is_program = scheme.lower() == "bearer" and self.has_accounts()
        if self._secret and self._is_proxy(headers):
            user_name = headers.get("X-Forwarded-User", "")
            if user_name or not is_program:  # a proxy may pass on its own tokens with the name
                return self._named_by_proxy(user_name)
        if is_program:
            return self._program(credential.strip(), self.address_of(headers, peer))
        token = self._session_token(headers)
        if token is not None and self._is_own(method, headers):
            settings = self.settings
            session = self.book.session(
                token_hash(token),
                idle_s=settings.web_session_idle_h * HOUR_S,
                most_s=settings.web_session_h * HOUR_S,
            )
            if session is not None and not self.lacks_codes(session.account):
                account = session.account
                return Visitor(account.name, account.role, account.sources, token_hash(token))
        if self._secret or self.has_accounts():
            return NOBODY
        return ANYBODY if self._is_alone else Visitor(role="look")

    def lacks_codes(self, account: UserAccount) -> bool:
        """Return whether an account must set up an authenticator before it can do anything."""
        least = self.settings.web_codes
        return bool(least) and account.may(cast(Role, least)) and not account.has_codes

    def has_accounts(self) -> bool:
        """Return whether there are or were accounts; if so, the dashboard stays closed."""
        if not self._had_accounts and self.book is not None:
            self._had_accounts = not self.book.is_empty() or self._mark.is_there()
        return self._had_accounts

    def are_accounts_lost(self) -> bool:
        """Return whether the store knows of accounts that the book lacks; False if that is unknown."""
        with suppress(FrametallyError):
            return self.book is not None and self.book.is_empty() and self._mark.is_there()
        return False

    def cookie_of(self, token: str, headers: SentHeaders) -> tuple[str, str, bool]:
        """Return a session's cookie: its name, its value, and whether it is for TLS only."""
        is_secure = self._is_secure(headers)
        return _COOKIES[0 if is_secure else 1], sign(token, self.signing_key()), is_secure

    def administrators(self) -> list[str]:
        """Return the names of those who may do everything; empty if the accounts cannot be read."""
        try:
            accounts = self.book.accounts() if self.book is not None else []
        except FrametallyError:
            return []
        by_proxy = [name for name, role in self._roles.items() if role == "run" and name != "*"]
        return sorted({*by_proxy, *(one.name for one in accounts if one.may_administer)})

    def address_of(self, headers: SentHeaders, peer: str) -> str:
        """Return the client's address; a proxy's header counts only with the configured secret."""
        if self._secret and self._is_proxy(headers):
            return headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()[:64] or peer
        return peer

    def space_for(self, method: str, path: str) -> AbstractContextManager[None]:
        """Let a route that frees space use the reserve of the data folder in the block."""
        is_freeing = route_of(method, path) in self.rights.freeing
        return reserve_released(self.settings.data_dir) if is_freeing else nullcontext()

    def protect(self, app: Flask) -> None:
        """Guard all routes of `app`."""
        app.add_template_global(whom_to_ask)

        def change_of() -> Call | None:
            if request.url_rule is None or request.method in READS:
                set_call(Call())
                return None
            return self.change_of(
                request.method,
                request.url_rule.rule,
                request.headers,
                parts=request.view_args or {},
                peer=request.remote_addr or "",
            )

        @app.before_request
        def admit() -> Response | None:
            set_visitor(NOBODY)
            set_administrators(self.administrators)
            if request.url_rule is None or request.method == "OPTIONS":
                return None  # a 404, a 405, or the list of methods
            g.change = change_of()
            try:
                signed, peer = _signed_chart(), request.remote_addr or ""
                if signed and self.book is not None:
                    visitor = admit_chart(request, signed, self.signing_key())
                else:
                    visitor = self.admit(request.method, request.url_rule.rule, request.headers, peer)
                set_visitor(visitor)
                if not visitor.sees((request.view_args or {}).get("source", next(iter(visitor.sources), ""))):
                    raise Problem(
                        404, "This source does not exist.", remedy="/api/v1/sources lists all sources."
                    )
                # An open route records its change itself, once it changes something.
                if g.change and self.rights.right_of(request.method, request.url_rule.rule) != "open":
                    g.space = ExitStack()
                    g.space.enter_context(self.space_for(request.method, request.url_rule.rule))
                    self.audit.begin(g.change)
            except Problem as problem:
                is_page = request.method == "GET" and not request.path.startswith("/api/")
                if problem.status != 401 or not is_page or not request.accept_mimetypes.accept_html:
                    raise
                place = quote(request.full_path.rstrip("?"))
                answer = redirect(f"/sign-in?next={place}", 303)
                answer.headers["Cache-Control"] = "no-store"
                return answer  # type: ignore[return-value]
            return None

        @app.after_request
        def note_end(response: Response) -> Response:
            if "change" not in g:  # the guard may have refused the request first
                g.change = change_of()
            if g.change:
                self.audit.end(g.change, response.status_code)
            return response

        @app.teardown_request
        def forget(_: object) -> None:
            if "space" in g:
                g.space.close()
            set_visitor(ANYBODY)
            set_call(None)

    def _who_is_it(self) -> Problem:
        if self.has_accounts() or self._secret:
            return Problem(401, "You are not signed in.", remedy="Sign in at /sign-in, then try again.")
        return Problem(
            401,
            "You must sign in to change anything here, but there are no accounts yet.",
            remedy="Ask an administrator to add one: `frametally users add NAME --role run`.",
        )

    def _is_proxy(self, headers: SentHeaders) -> bool:
        secret = headers.get(SECRET_HEADER, "")
        return hmac.compare_digest(secret.encode("utf-8", "replace"), self._secret.encode())

    def _program(self, secret: str, address: str) -> Visitor:
        """Return a token's visitor. Correct tokens never wait: they have too many bits to be guessed."""
        book = cast(AccessBook, self.book)
        try:
            token = book.token(token_hash(secret)) if is_api_token(secret) else None
        except UsedInFuture as error:
            raise _refused_token(
                f"{error}",
                "Ask an administrator to check the clock; the token works once it has passed that time.",
            ) from error
        if token is not None:
            return Visitor(token.account, token.role, token.sources, token=token.name)
        wait_s = math.ceil(book.try_login([TriedBy(f"token:{counted_as(address)}", _FREE_WRONG_TOKENS)]))
        if wait_s > 0:
            problem = Problem(
                429,
                "Too many requests with a wrong token came from your address.",
                remedy=f"Try again in {wait_s} s.",
            )
            problem.headers = {"Retry-After": str(wait_s)}
            raise problem
        raise _refused_token(
            "The token is not valid, has expired, or was deleted.",
            "Ask an administrator for a new one (`frametally tokens add`).",
        )

    def _named_by_proxy(self, user_name: str) -> Visitor:
        name = as_name(user_name)
        if name is None:
            return NOBODY
        role: Role | None = self._roles.get(name)
        if role is None and self.book is not None and (account := self.book.account(name)) is not None:
            return Visitor(account.name, account.role, account.sources)
        role = role or self._roles.get("*")
        if role is None:
            raise Problem(
                403,
                f"{name} has no role here.",
                remedy="Ask an administrator to give you an account or a role.",
            )
        return Visitor(name, role)

    def _session_token(self, headers: SentHeaders) -> str | None:
        text = headers.get("Cookie", "")
        if not text or len(text) > _MOST_COOKIE_CHARS:
            return None
        cookies = {
            name: value for name, _, value in (part.strip().partition("=") for part in text.split(";"))
        }
        for name in _COOKIES:
            if name in cookies and (token := read_signed(cookies[name], self.signing_key())):
                return token
        return None

    def _is_own(self, method: str, headers: SentHeaders) -> bool:
        """Return whether a cookie is valid for the request: a change must come from one of our pages.

        So must a socket, since any page may open one, unless the client is not a browser.
        """
        origin, fetch_site = headers.get("Origin", ""), headers.get("Sec-Fetch-Site", "")
        if method in READS or (method == "WS" and not origin and not fetch_site):
            return True
        return is_of_own_page(host=headers.get("Host", ""), origin=origin, fetch_site=fetch_site)

    def _is_secure(self, headers: SentHeaders) -> bool:
        # A client that falsely claims TLS gets a cookie that it returns only over TLS.
        scheme = headers.get("X-Forwarded-Proto", "").strip().lower()
        return scheme == "https" or re.match("https:", self.settings.web_url) is not None

    def signing_key(self) -> bytes:
        """Return the key that signs cookies and charts; empty without a book.

        The gate reads it again every few seconds, because a restored catalogue has the key of its backup.
        While the catalogue is unavailable, the last key stays valid.
        """
        if self.book is not None and monotonic() >= self._read_key_at_s:
            try:
                self._key = self.book.signing_key()
            except FrametallyError:
                if not self._key:
                    raise
            self._read_key_at_s = monotonic() + _READ_KEY_EVERY_S
        return self._key


def _signed_chart() -> str:
    """Return the signed query of the chart that the request shows, or an empty text."""
    query = request.query_string.decode("latin-1")
    is_signed = request.path == "/embed" and "signature" in request.args
    return query if is_signed else request.headers.get(HEADER, "")


def _refused_token(detail: str, remedy: str) -> Problem:
    problem = Problem(401, detail, remedy=remedy)
    problem.headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return problem
