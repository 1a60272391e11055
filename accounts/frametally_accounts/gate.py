"""Where every request is let in or not, before any route runs: by the table of rights, and by who asks."""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Protocol, cast
from urllib.parse import quote

from flask import Flask, Response, g, redirect, request

from frametally.errors import FrametallyError
from frametally.ports.object_store import ObjectStore
from frametally.rules.times import HOUR_S
from frametally.settings.access import is_api_token
from frametally.settings.loading import Settings
from frametally_accounts.attempts import TriedBy
from frametally_accounts.audit.opened_book import OpenedAudit
from frametally_accounts.audit_entries import NOBODY as WHO_IS_NOBODY
from frametally_accounts.audit_entries import OPEN
from frametally_accounts.book import AccessBook
from frametally_accounts.embeds.signed_charts import admit_chart, signed_in
from frametally_accounts.marker import has_noted_accounts
from frametally_accounts.rights import Role, UserAccount, as_name
from frametally_accounts.secrets import read_signed, sign, token_hash
from frametally_web.access.rights import BY_SOURCE, is_change, right_of, route_of
from frametally_web.access.visitors import ANYBODY, NOBODY, Visitor, set_visitor
from frametally_web.requests.change import AskedChange, note_who, set_change
from frametally_web.requests.origins import is_of_own_page
from frametally_web.requests.problems import Problem

SECRET_HEADER = "X-Frametally-Proxy-Secret"  # noqa: S105 - a header's name
_COOKIES = ("__Host-frametally", "frametally")
"""The cookie's name where it is safe from being read on the way, and where it is not."""
_MOST_COOKIE_CHARS = 16_384
_FREE_WRONG_TOKENS = 30
"""Of one address, in a quarter of an hour: after them it waits before it is told of the next."""
_ASK_STORE_EVERY_S = 5.0
_READ_KEY_EVERY_S = 5.0
_READS = ("GET", "HEAD", "OPTIONS")


class SentHeaders(Protocol):
    """A request's headers, whichever framework has them."""

    def get(self, key: str, default: str, /) -> str:
        """Return one, whatever case it is written in."""
        ...


class Gate:
    """Lets requests in: all where there are no accounts and this machine alone is listened to.

    Every request that changes anything is recorded here, whether it is let in or not.
    """

    def __init__(
        self, settings: Settings, store: ObjectStore, book: AccessBook | None, audit: OpenedAudit
    ) -> None:
        """Ask `book` who has logged in (None: everything is open), and `store` whether it was lost."""
        self.settings = settings
        self.book = book
        self._store = store
        self._ask_store_at_s = 0.0
        self.audit = audit
        self._secret = settings.proxy_secret.get_secret_value()
        self._roles = cast(dict[str, Role], settings.roles_by_proxy)
        self._is_alone = settings.listens_to_itself
        self._had_accounts = settings.web_accounts
        self._key = b""
        self._read_key_at_s = 0.0

    def admit(self, method: str, path: str, headers: SentHeaders, peer: str) -> Visitor:
        """Return who asks for a route, which they may; `path` is the route's own, as `right_of` takes it.

        `peer` is the address that the request comes from.

        Raises:
            Problem: 401, it is for those who log in, and they have not; 403, it is not for them; 429, too
                many tokens from there were wrong.
        """
        if self.book is None:
            return ANYBODY
        right = right_of(method, path)
        if right == "open":
            return NOBODY
        one = self.find(method, headers, peer)
        if right is not None and one.may(right):
            reads = "GET" if method == "HEAD" else method
            if one.sources and route_of(reads, path) not in BY_SOURCE:
                raise Problem(
                    403,
                    f"This is of all sources, and {one.name} sees some: {', '.join(one.sources)[:200]}.",
                    remedy="Ask whoever runs this server for an account that sees all.",
                )
            return one
        if one.role is None or not (one.name or self.has_accounts()):
            raise self._who_is_it()
        needed = f"It takes the role {right}." if right else "Nobody may do this: it has no right of its own."
        raise Problem(
            403,
            f"{one.name} may not do this. {needed}",
            remedy="Ask whoever runs this server; `frametally users` gives roles.",
        )

    def change_of(
        self, method: str, path: str, headers: SentHeaders, *, parts: Mapping[str, object], peer: str
    ) -> AskedChange | None:
        """Return what the audit log is to have of a request; None: its route changes nothing.

        Args:
            method: As `admit` has it.
            path: As `admit` has it.
            headers: The request's.
            parts: What the route's path names, such as a video's id.
            peer: Address of whoever is connected.
        """
        if not is_change(method, path):
            set_change(None)
            return None
        # What stands in the address of an open route may be what opens it.
        target = {} if right_of(method, path) == "open" else parts
        change = AskedChange(route_of(method, path), self.address_of(headers, peer), target)
        set_change(change)
        return change

    def find(self, method: str, headers: SentHeaders, peer: str) -> Visitor:
        """Return who asks; NOBODY: whoever it is has not logged in. Raises `Problem`: 401, 403, 429."""
        one = self.known(method, headers, peer)
        note_who(one.name or (OPEN if one.role == "run" else WHO_IS_NOBODY), token=one.token)
        return one

    def known(self, method: str, headers: SentHeaders, peer: str) -> Visitor:
        """Return who asks, as `find` does, without the audit log's being told."""
        if self.book is None:
            return ANYBODY
        scheme, _, told = headers.get("Authorization", "").partition(" ")
        is_program = scheme.lower() == "bearer" and self.has_accounts()
        if self._secret and self._is_proxy(headers):
            named = headers.get(self.settings.proxy_user_header, "")
            if named or not is_program:  # a proxy may pass its own tokens on with the name
                return self._named_by_proxy(named)
        if is_program:
            return self._program(told.strip(), self.address_of(headers, peer))
        token = self._session_token(headers)
        if token is not None and self._is_own(method, headers):
            settings = self.settings
            found = self.book.session(
                token_hash(token),
                idle_s=settings.web_session_idle_h * HOUR_S,
                most_s=settings.web_session_h * HOUR_S,
            )
            if found is not None and not self.lacks_codes(found.account):
                account = found.account
                return Visitor(account.name, account.role, account.sources, token_hash(token))
        if self._secret or self.has_accounts():
            return NOBODY
        return ANYBODY if self._is_alone else Visitor(role="look")

    def lacks_codes(self, account: UserAccount) -> bool:
        """Return whether an account has to set up an authenticator before it may anything by a log-in."""
        least = self.settings.web_codes
        return bool(least) and account.may(cast(Role, least)) and not account.has_codes

    def has_accounts(self) -> bool:
        """Return whether there are accounts, or were: then it stays closed."""
        if not self._had_accounts and self.book is not None:
            self._had_accounts = not self.book.is_empty() or self._has_lost_accounts()
        return self._had_accounts

    def _has_lost_accounts(self) -> bool:
        """Return whether the store notes accounts, where the book has none; it is asked now and then.

        The note is put before the first account is made, so a catalogue that is lost later opens nothing. A
        store that is away closes no dashboard that has no accounts.
        """
        now_s = monotonic()
        if now_s < self._ask_store_at_s:
            return False
        self._ask_store_at_s = now_s + _ASK_STORE_EVERY_S
        with suppress(FrametallyError):
            return has_noted_accounts(self._store)
        return False

    def cookie_of(self, token: str, headers: SentHeaders) -> tuple[str, str, bool]:
        """Return a session's cookie: its name, its value, and whether it is for TLS alone."""
        is_secure = self._is_secure(headers)
        return _COOKIES[0 if is_secure else 1], sign(token, self.signing_key()), is_secure

    def address_of(self, headers: SentHeaders, peer: str) -> str:
        """Return where a request comes from: as the proxy says, where it proves to be the one that is set."""
        if self._secret and self._is_proxy(headers):
            return headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()[:64] or peer
        return peer

    def protect(self, app: Flask) -> None:
        """Hold all routes of `app` to it."""

        def change_of() -> AskedChange | None:
            if request.url_rule is None:
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
            if request.url_rule is None or request.method == "OPTIONS":
                return None  # which is a 404, a 405 or says what there is
            g.change = change_of()
            try:
                signed, peer = signed_in(request), request.remote_addr or ""
                if signed and self.book is not None:
                    one = admit_chart(request, signed, self.signing_key())
                else:
                    one = self.admit(request.method, request.url_rule.rule, request.headers, peer)
                set_visitor(one)
                if not one.sees((request.view_args or {}).get("source", next(iter(one.sources), ""))):
                    raise Problem(
                        404, "There is no such source.", remedy="/api/v1/sources has those there are."
                    )
                # What is open begins it itself, once it is known that something is done.
                is_open = right_of(request.method, request.url_rule.rule) == "open"
                if g.change is not None and not is_open:
                    self.audit.begin(g.change)
            except Problem as problem:
                is_page = request.method == "GET" and not request.path.startswith("/api/")
                if problem.status != 401 or not is_page or not request.accept_mimetypes.accept_html:
                    raise
                here = quote(request.full_path.rstrip("?"))
                answer = redirect(f"/sign-in?next={here}", 303)
                answer.headers["Cache-Control"] = "no-store"
                return answer  # type: ignore[return-value]
            return None

        @app.after_request
        def note_end(response: Response) -> Response:
            change = g.change if "change" in g else change_of()  # the guard may have refused it before
            if change is not None:
                self.audit.end(change, response.status_code)
            return response

        @app.teardown_request
        def forget(_: object) -> None:
            set_visitor(ANYBODY)
            set_change(None)

    def _who_is_it(self) -> Problem:
        if self.has_accounts() or self._secret:
            return Problem(401, "You are not logged in.", remedy="Log in at /sign-in, then do it again.")
        return Problem(
            401,
            "Changes need a log-in here, and there is no account.",
            remedy="Have whoever runs this server make one: `frametally users add NAME --role run`.",
        )

    def _is_proxy(self, headers: SentHeaders) -> bool:
        told = headers.get(SECRET_HEADER, "")
        return hmac.compare_digest(told.encode("utf-8", "replace"), self._secret.encode())

    def _program(self, told: str, address: str) -> Visitor:
        """Return whom a token speaks for. Right ones never wait: they have too many bits to be guessed."""
        book = cast(AccessBook, self.book)
        token = book.token(token_hash(told)) if is_api_token(told) else None
        if token is not None:
            return Visitor(token.account, token.role, token.sources, token=token.name)
        wait_s = math.ceil(book.try_login([TriedBy(f"token:{address}", _FREE_WRONG_TOKENS)]))
        if wait_s > 0:
            refused = Problem(
                429, "Too many wrong tokens came from there.", remedy=f"Try again in {wait_s} s."
            )
            refused.headers = {"Retry-After": str(wait_s)}
            raise refused
        refused = Problem(
            401,
            "The token is broken, over, or was removed.",
            remedy="Ask whoever runs this server for another; `frametally tokens add` makes it.",
        )
        refused.headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise refused

    def _named_by_proxy(self, named: str) -> Visitor:
        name = as_name(named)
        if name is None:
            return NOBODY
        role: Role | None = self._roles.get(name)
        if role is None and self.book is not None and (account := self.book.account(name)) is not None:
            return Visitor(account.name, account.role, account.sources)
        role = role or self._roles.get("*")
        if role is None:
            raise Problem(
                403,
                f"There is nothing here for {name}.",
                remedy="Ask an administrator to give you an account or a role.",
            )
        return Visitor(name, role)

    def _session_token(self, headers: SentHeaders) -> str | None:
        text = headers.get("Cookie", "")
        if not text or len(text) > _MOST_COOKIE_CHARS:
            return None
        sent = {name: value for name, _, value in (one.strip().partition("=") for one in text.split(";"))}
        for name in _COOKIES:
            if name in sent and (token := read_signed(sent[name], self.signing_key())):
                return token
        return None

    def _is_own(self, method: str, headers: SentHeaders) -> bool:
        """Return whether a cookie speaks for who asks: a change says that a page of ours has it made.

        So does a socket, which any page may listen to, unless it is opened by no browser: that says nothing.
        """
        origin, fetch_site = headers.get("Origin", ""), headers.get("Sec-Fetch-Site", "")
        if method in _READS or (method == "WS" and not origin and not fetch_site):
            return True
        return is_of_own_page(host=headers.get("Host", ""), origin=origin, fetch_site=fetch_site)

    def _is_secure(self, headers: SentHeaders) -> bool:
        # Whoever claims it falsely gets a cookie back that only TLS returns.
        said = headers.get("X-Forwarded-Proto", "").strip().lower()
        return said == "https" or re.match("https:", self.settings.web_url) is not None

    def signing_key(self) -> bytes:
        """Return what cookies and charts are signed by; empty where there is no book.

        It is read now and then: a catalogue that is restored meanwhile has the key of its backup. While the
        catalogue is away, the last one holds.
        """
        if self.book is not None and monotonic() >= self._read_key_at_s:
            try:
                self._key = self.book.signing_key()
            except FrametallyError:
                if not self._key:
                    raise
            self._read_key_at_s = monotonic() + _READ_KEY_EVERY_S
        return self._key
