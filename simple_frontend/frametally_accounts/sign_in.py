"""The pages for signing in, choosing a password by a link, and signing out. They do not need scripts.

An unknown name, a wrong password and a wrong code get the same answer, after the same work.
"""

from __future__ import annotations

import hashlib
import math
import time
from http import HTTPStatus

from flask import Blueprint, Response, abort, g, make_response, redirect, render_template, request

from frametally.actions.calls import note_target, note_who
from frametally.actions.problems import Problem
from frametally.errors import FrametallyError, Misconfigured
from frametally.process.allowed_addresses import counted_as
from frametally.rules.times import HOUR_S
from frametally_accounts.access_rows import TriedBy
from frametally_accounts.book import AccessBook
from frametally_accounts.credentials import (
    check_password,
    code_address,
    code_secret_of,
    find_step,
    hash_password,
    is_password,
    make_token,
    token_hash,
)
from frametally_accounts.gate import Gate
from frametally_accounts.password_links import LINK_PATH
from frametally_accounts.rights import Credentials, OwnSession, as_name
from frametally_web.access.visitors import NOBODY, Visitor, visitor

SIGN_IN_PATH = "/sign-in"
"""The beginning of the address of each route that checks or stores a password."""
_MOST_FORM_BYTES = 8192
_FREE_OF_ACCOUNT, _FREE_OF_ADDRESS = 5, 30
_SETTING_UP_S = 600.0
_NOT_SET_UP = (
    "That code does not match: add the secret to your authenticator app, and check the clock of its device."
)
_WRONG = "The user name, password or code is wrong."


def create_blueprint(gate: Gate) -> Blueprint:
    """Return the routes for signing in and out."""
    pages = Blueprint("access", __name__)
    book, rights = gate.book, gate.rights

    @pages.app_context_processor
    def for_templates() -> dict[str, object]:
        person = _shown_to(gate)
        return {
            "visitor": person if gate.has_accounts() else None,
            "rights": person.rights,
            # A visitor who is not signed in goes to the sign-in page first.
            "may": lambda route: (
                route in rights.by_route and (person.role is None or rights.is_for(person, route))
            ),
        }

    @pages.get("/sign-in")
    def form() -> Response:
        person = gate.find("GET", request.headers, _peer())
        if book is None or (person.role is not None and not person.session):
            return _go("/")
        lost = gate.are_accounts_lost()
        return _page("sign_in.html", who=person.name, role=person.role, lost=lost)

    @pages.post("/sign-in")
    def sign_in() -> Response:
        access = _access_book(book)
        name, password, code = _form_text("name"), _form_text("password"), _form_text("code")
        tries = _tried_by(gate, name)
        wait_s = access.try_login(tries)
        account_name = as_name(name)
        proof = access.credentials(account_name) if account_name else None
        # Record nothing more: an unknown name may be a password typed into the wrong field.
        note_target(account="unknown" if proof is None else account_name)
        if wait_s > 0:
            return _wait(wait_s)
        if (
            not _proves(access, account_name or "", proof or Credentials(), password, code)
            or account_name is None
        ):
            return _page("sign_in.html", status=HTTPStatus.UNAUTHORIZED, problem=_WRONG, name=name[:64])
        note_who(account_name)
        lacks_codes = _lacks_codes(gate, access, account_name)
        note_target(codes="to be set up" if lacks_codes else "")
        gate.audit.begin(g.change)
        access.forgive(tries)
        return (
            _lead_on(access, account_name)
            if lacks_codes
            else _begin(gate, access, account_name, _place_after())
        )

    @pages.get("/sign-in/password")
    def own_password() -> Response:
        person = gate.find("GET", request.headers, _peer())
        return _choose_own(_access_book(book), person.name) if person.session else _go("/sign-in")

    @pages.post("/sign-in/password")
    def change_own() -> Response:
        access = _access_book(book)
        person = gate.find("POST", request.headers, _peer())
        proof = access.credentials(person.name) if person.session else None
        if proof is None:
            return _go("/sign-in")
        note_target(account=person.name)
        if problem := _why_not(person.name):
            return _choose_own(access, person.name, problem)
        tries = _count_try(gate, access, person.name)
        if not _proves(access, person.name, proof, _form_text("current"), _form_text("code")):
            return _choose_own(access, person.name, "Your current password or the code is wrong.")
        gate.audit.begin(g.change)
        access.forgive(tries)
        access.set_password(person.name, hash_password(_form_text("password")))
        return _begin(gate, access, person.name, "/")

    @pages.get("/sign-in/sessions")
    def own_sessions() -> Response:
        person = gate.find("GET", request.headers, _peer())
        return _show_sessions(gate, _access_book(book), person) if person.session else _go("/sign-in")

    @pages.post("/sign-in/sessions")
    def end_own() -> Response:
        access = _access_book(book)
        person = gate.find("POST", request.headers, _peer())
        proof = access.credentials(person.name) if person.session else None
        if proof is None:
            return _go("/sign-in")
        note_target(account=person.name)
        own = {session.token_hash for session in _sessions(gate, access, person)}
        tokens = sorted(own & {*request.form.getlist("session")})
        if not tokens:
            return _show_sessions(
                gate,
                access,
                person,
                "Choose the sessions to end; the ones that you chose have already ended.",
            )
        tries = _count_try(gate, access, person.name)
        # The password is enough: the visitor has shown all factors at sign-in.
        if not is_password(proof.password_hash, _form_text("current")):
            return _show_sessions(gate, access, person, "The password is wrong. No session was ended.")
        note_target(ended=len(tokens))
        gate.audit.begin(g.change)
        access.forgive(tries)
        for token in tokens:
            access.end_session(token)
        return _go("/sign-in/sessions")

    @pages.get("/sign-in/once/<token>")
    def once(token: str) -> Response:
        access = _access_book(book)
        name = access.link(token_hash(token[:100]))
        return _choose(name, _new_secret(gate, access, name, token)) if name else _over()

    @pages.post("/sign-in/once/<token>")
    def choose(token: str) -> Response:
        access = _access_book(book)
        link_hash = token_hash(token[:100])
        name = access.link(link_hash)
        if name is None:
            return _over()
        note_target(account=name)
        secret = _new_secret(gate, access, name, token)
        step = find_step(secret, _form_text("code"), time_s=time.time()) if secret else None
        if problem := _why_not(name) or (_NOT_SET_UP if secret and step is None else ""):
            return _choose(name, secret, problem)
        note_target(codes="set up" if secret else "")
        gate.audit.begin(g.change)
        if access.use_link(link_hash, hash_password(_form_text("password"))) is None:
            return _over()
        if step is not None:
            access.set_code_secret(name, secret)
            access.use_code(name, step)
            return _begin(gate, access, name, "/")
        proof = access.credentials(name)
        if proof is not None and proof.code_secret:  # the second factor is still required
            return _go("/sign-in")
        return _begin(gate, access, name, "/")

    @pages.post("/sign-out")
    def sign_out() -> Response:
        access = _access_book(book)
        leaving = gate.find("POST", request.headers, _peer())
        if leaving.session:
            gate.audit.begin(g.change)
            access.end_session(leaving.session)
        answer = _go("/sign-in")
        for is_secure, cookie in ((True, "__Host-frametally"), (False, "frametally")):
            answer.delete_cookie(cookie, secure=is_secure, httponly=True, samesite="Lax")
        answer.headers["Clear-Site-Data"] = '"cache"'
        return answer

    return pages


def _access_book(book: AccessBook | None) -> AccessBook:
    request.max_content_length = _MOST_FORM_BYTES
    if book is None:
        raise Problem(
            404, "This dashboard has no accounts.", remedy="Open the dashboard; you do not need to sign in."
        )
    return book


def _shown_to(gate: Gate) -> Visitor:
    """Return the visitor for the page's menu, even if its route is open."""
    if visitor() != NOBODY:
        return visitor()
    try:
        return gate.identify("GET", request.headers, _peer())
    except (Problem, FrametallyError):
        return NOBODY


def _peer() -> str:
    return request.remote_addr or ""


def _form_text(name: str) -> str:
    return request.form.get(name, "")


def _tried_by(gate: Gate, name: str) -> list[TriedBy]:
    account_name = as_name(name) or name
    account = hashlib.sha256(account_name.encode("utf-8", "replace")).hexdigest()
    address = counted_as(gate.address_of(request.headers, _peer()))
    return [TriedBy(f"account:{account}", _FREE_OF_ACCOUNT), TriedBy(f"address:{address}", _FREE_OF_ADDRESS)]


def _count_try(gate: Gate, book: AccessBook, name: str) -> list[TriedBy]:
    """Count an attempt of a signed-in person; end the request if the person must wait."""
    tries = _tried_by(gate, name)
    if (wait_s := book.try_login(tries)) > 0:
        abort(_wait(wait_s))
    return tries


def _begin(gate: Gate, book: AccessBook, name: str, place: str) -> Response:
    before = gate.find("POST", request.headers, _peer())
    note_who(name)
    if before.session:
        book.end_session(before.session)
    token, most_s = make_token(), gate.settings.web_session_h * HOUR_S
    book.begin_session(name, token_hash(token), most_s=most_s)
    cookie, value, is_secure = gate.cookie_of(token, request.headers)
    answer = _go(place)
    answer.set_cookie(cookie, value, round(most_s), secure=is_secure, httponly=True, samesite="Lax")
    return answer


def _place_after() -> str:
    """Return the page that a person requested, always one of ours, whatever the form says."""
    place = request.form.get("next", "/")
    is_ours = place.startswith("/") and not place.startswith(("//", "/\\")) and place.isprintable()
    return place if is_ours and len(place) <= _MOST_FORM_BYTES and "\\" not in place else "/"


def _proves(book: AccessBook, name: str, proof: Credentials, password: str, code: str) -> bool:
    """Return whether the password and any required code are correct; this uses the code up."""
    is_right = is_password(proof.password_hash, password)
    if is_right and proof.code_secret:
        step = find_step(proof.code_secret, code, time_s=time.time())
        is_right = step is not None and book.use_code(name, step)
    return is_right


def _why_not(name: str) -> str:
    """Return why the new password is not acceptable; empty if it is."""
    try:
        check_password(_form_text("password"), name=name)
    except Misconfigured as problem:
        return f"{str(problem)[0].upper()}{str(problem)[1:]}."
    return (
        ""
        if _form_text("password") == _form_text("again")
        else "The two passwords differ: type the same one twice."
    )


def _choose_own(book: AccessBook, name: str, problem: str = "") -> Response:
    proof = book.credentials(name)
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    has_codes = "yes" if proof is not None and proof.code_secret else ""
    return _page(
        "choose_password.html", status=status, problem=problem, name=name, own="yes", has_codes=has_codes
    )


def _sessions(gate: Gate, book: AccessBook, person: Visitor) -> list[OwnSession]:
    settings = gate.settings
    idle_s, most_s = settings.web_session_idle_h * HOUR_S, settings.web_session_h * HOUR_S
    return book.sessions_of(person.name, idle_s=idle_s, most_s=most_s)


def _show_sessions(gate: Gate, book: AccessBook, person: Visitor, problem: str = "") -> Response:
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    sessions = _sessions(gate, book, person)
    return _page(
        "sessions.html",
        status=status,
        problem=problem,
        name=person.name,
        here=person.session,
        sessions=sessions,
    )


def _lacks_codes(gate: Gate, book: AccessBook, name: str) -> bool:
    account = book.account(name)
    return account is not None and gate.lacks_codes(account)


def _lead_on(book: AccessBook, name: str) -> Response:
    """Redirect a person with a correct password to a link that sets up an authenticator."""
    token = make_token()
    book.put_link(name, token_hash(token), lasts_s=_SETTING_UP_S)
    return _go(f"{LINK_PATH}{token}")


def _new_secret(gate: Gate, book: AccessBook, name: str, token: str) -> str:
    """Return the secret of the codes that a link sets up; empty if the account needs none."""
    return code_secret_of(token[:100], gate.signing_key()) if _lacks_codes(gate, book, name) else ""


def _choose(name: str, secret: str, problem: str = "") -> Response:
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    address = code_address(name, secret) if secret else ""
    return _page(
        "choose_password.html", status=status, problem=problem, name=name, secret=secret, address=address
    )


def _wait(wait_s: float) -> Response:
    seconds = math.ceil(wait_s)
    problem = f"Too many failed sign-ins. Try again in {seconds} s."
    answer = _page("sign_in.html", status=HTTPStatus.TOO_MANY_REQUESTS, problem=problem)
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _over() -> Response:
    problem = (
        "This link was already used, is older than a day, or was replaced by a newer one. Ask for a new link."
    )
    return _page("sign_in.html", status=HTTPStatus.NOT_FOUND, problem=problem)


def _page(
    template: str, *, status: int = HTTPStatus.OK, **values: str | bool | list[OwnSession] | None
) -> Response:
    place = request.values.get("next", "")
    answer = make_response(render_template(template, wanted=place, **values), status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _go(place: str) -> Response:
    answer = make_response(redirect(place, 303))
    answer.headers["Cache-Control"] = "no-store"
    return answer
