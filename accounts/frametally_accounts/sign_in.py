"""The pages by which people log in, choose a password by a link, and log out. They need no script.

An unknown name, a wrong password and a wrong code have one answer, after the same work.
"""

from __future__ import annotations

import hashlib
import math
import time
from http import HTTPStatus

from flask import Blueprint, Response, g, make_response, redirect, render_template, request

from frametally.errors import FrametallyError, Misconfigured
from frametally.rules.times import HOUR_S
from frametally_accounts.attempts import TriedBy
from frametally_accounts.book import AccessBook
from frametally_accounts.gate import Gate
from frametally_accounts.password_links import LINK_PATH
from frametally_accounts.passwords import check_password, hash_password, is_password
from frametally_accounts.rights import Credentials, OwnSession, as_name
from frametally_accounts.secrets import make_token, token_hash
from frametally_accounts.totp import code_address, code_secret_of, find_step
from frametally_web.access.rights import RIGHTS, is_for
from frametally_web.access.visitors import NOBODY, Visitor, visitor
from frametally_web.requests.change import note_target, note_who
from frametally_web.requests.problems import Problem

_MOST_FORM_BYTES = 8192
_FREE_OF_ACCOUNT, _FREE_OF_ADDRESS = 5, 30
_SETTING_UP_S = 600.0
_NOT_SET_UP = "That is not the code of this secret now: add it to your authenticator, and look at its clock."
_WRONG = "Name, password or code is wrong."


def create_blueprint(gate: Gate) -> Blueprint:
    """Return the routes of logging in and out."""
    pages = Blueprint("access", __name__)
    book = gate.book

    @pages.app_context_processor
    def for_templates() -> dict[str, object]:
        one = _shown_to(gate)
        return {
            "visitor": one if gate.has_accounts() else None,
            "rights": one.rights,
            # Who is nobody yet is led to the log-in first.
            "may": lambda route: route in RIGHTS and (one.role is None or is_for(one, route)),
        }

    @pages.get("/sign-in")
    def form() -> Response:
        one = gate.find("GET", request.headers, _peer())
        if book is None or (one.role is not None and not one.session):
            return _go("/")
        return _page("sign_in.html", who=one.name, role=one.role)

    @pages.post("/sign-in")
    def sign_in() -> Response:
        there = _there(book)
        name, password, code = _sent("name"), _sent("password"), _sent("code")
        tried = _tried_by(gate, name)
        wait_s = there.try_login(tried)
        known = as_name(name)
        found = there.credentials(known) if known else None
        # No more than that: where there is no such account it may be a password that was typed.
        note_target(account="unknown" if found is None else known)
        if wait_s > 0:
            return _wait(wait_s)
        if not _proves(there, known or "", found or Credentials(), password, code) or known is None:
            return _page("sign_in.html", status=HTTPStatus.UNAUTHORIZED, problem=_WRONG, name=name[:64])
        note_who(known)
        lacks_codes = _lacks_codes(gate, there, known)
        note_target(codes="to be set up" if lacks_codes else "")
        gate.audit.begin(g.change)
        there.forgive(tried)
        return _lead_on(there, known) if lacks_codes else _begin(gate, there, known, _place_after())

    @pages.get("/sign-in/password")
    def own_password() -> Response:
        one = gate.find("GET", request.headers, _peer())
        return _choose_own(_there(book), one.name) if one.session else _go("/sign-in")

    @pages.post("/sign-in/password")
    def change_own() -> Response:
        there = _there(book)
        one = gate.find("POST", request.headers, _peer())
        proof = there.credentials(one.name) if one.session else None
        if proof is None:
            return _go("/sign-in")
        note_target(account=one.name)
        if problem := _why_not(one.name):
            return _choose_own(there, one.name, problem)
        tried = _tried_by(gate, one.name)
        wait_s = there.try_login(tried)
        if wait_s > 0:
            return _wait(wait_s)
        if not _proves(there, one.name, proof, _sent("current"), _sent("code")):
            return _choose_own(there, one.name, "The password that you have, or the code, is wrong.")
        gate.audit.begin(g.change)
        there.forgive(tried)
        there.set_password(one.name, hash_password(_sent("password")))
        return _begin(gate, there, one.name, "/")

    @pages.get("/sign-in/sessions")
    def own_sessions() -> Response:
        one = gate.find("GET", request.headers, _peer())
        return _show_sessions(gate, _there(book), one) if one.session else _go("/sign-in")

    @pages.post("/sign-in/sessions")
    def end_own() -> Response:
        there = _there(book)
        one = gate.find("POST", request.headers, _peer())
        proof = there.credentials(one.name) if one.session else None
        if proof is None:
            return _go("/sign-in")
        note_target(account=one.name)
        own = {session.token_hash for session in _sessions(gate, there, one)}
        ended = sorted(own & {*request.form.getlist("session")})
        if not ended:
            return _show_sessions(
                gate, there, one, "Choose which to end: none was chosen that still goes on."
            )
        tried = _tried_by(gate, one.name)
        wait_s = there.try_login(tried)
        if wait_s > 0:
            return _wait(wait_s)
        # One factor is enough: whoever is here has shown all at the log-in.
        if not is_password(proof.password_hash, _sent("current")):
            return _show_sessions(gate, there, one, "The password is wrong: nothing was ended.")
        note_target(ended=len(ended))
        gate.audit.begin(g.change)
        there.forgive(tried)
        for token in ended:
            there.end_session(token)
        return _go("/sign-in/sessions")

    @pages.get("/sign-in/once/<token>")
    def once(token: str) -> Response:
        there = _there(book)
        name = there.link(token_hash(token[:100]))
        return _choose(name, _new_secret(gate, there, name, token)) if name else _over()

    @pages.post("/sign-in/once/<token>")
    def choose(token: str) -> Response:
        there = _there(book)
        kept = token_hash(token[:100])
        name = there.link(kept)
        if name is None:
            return _over()
        note_target(account=name)
        secret = _new_secret(gate, there, name, token)
        step = find_step(secret, _sent("code"), time_s=time.time()) if secret else None
        if problem := _why_not(name) or (_NOT_SET_UP if secret and step is None else ""):
            return _choose(name, secret, problem)
        note_target(codes="set up" if secret else "")
        gate.audit.begin(g.change)
        if there.use_link(kept, hash_password(_sent("password"))) is None:
            return _over()
        if step is not None:
            there.set_code_secret(name, secret)
            there.use_code(name, step)
            return _begin(gate, there, name, "/")
        proof = there.credentials(name)
        if proof is not None and proof.code_secret:  # the second factor is asked for all the same
            return _go("/sign-in")
        return _begin(gate, there, name, "/")

    @pages.post("/sign-out")
    def sign_out() -> Response:
        there = _there(book)
        leaving = gate.find("POST", request.headers, _peer())
        if leaving.session:
            gate.audit.begin(g.change)
            there.end_session(leaving.session)
        answer = _go("/sign-in")
        for is_secure, cookie in ((True, "__Host-frametally"), (False, "frametally")):
            answer.delete_cookie(cookie, secure=is_secure, httponly=True, samesite="Lax")
        answer.headers["Clear-Site-Data"] = '"cache"'
        return answer

    return pages


def _there(book: AccessBook | None) -> AccessBook:
    request.max_content_length = _MOST_FORM_BYTES
    if book is None:
        raise Problem(404, "There are no accounts here.", remedy="Open the dashboard: nobody logs in.")
    return book


def _shown_to(gate: Gate) -> Visitor:
    """Return whom a page is made for: also where its route is open, which asks nobody who they are."""
    if visitor() != NOBODY:
        return visitor()
    try:
        return gate.known("GET", request.headers, _peer())
    except (Problem, FrametallyError):
        return NOBODY


def _peer() -> str:
    return request.remote_addr or ""


def _sent(name: str) -> str:
    return request.form.get(name, "")


def _tried_by(gate: Gate, name: str) -> list[TriedBy]:
    known = as_name(name) or name
    account = hashlib.sha256(known.encode("utf-8", "replace")).hexdigest()
    address = gate.address_of(request.headers, _peer())
    return [TriedBy(f"account:{account}", _FREE_OF_ACCOUNT), TriedBy(f"address:{address}", _FREE_OF_ADDRESS)]


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
    """Return where a person wanted to go: a page of ours, whatever the form says."""
    wanted = request.form.get("next", "/")
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_ours and len(wanted) <= _MOST_FORM_BYTES and "\\" not in wanted else "/"


def _proves(book: AccessBook, name: str, proof: Credentials, password: str, code: str) -> bool:
    """Return whether this is the account's password, and its code where one is asked for: used up by that."""
    is_right = is_password(proof.password_hash, password)
    if is_right and proof.code_secret:
        step = find_step(proof.code_secret, code, time_s=time.time())
        is_right = step is not None and book.use_code(name, step)
    return is_right


def _why_not(name: str) -> str:
    """Return why the password that was sent cannot be an account's; empty: it can."""
    try:
        check_password(_sent("password"), name=name)
    except Misconfigured as problem:
        return f"{str(problem)[0].upper()}{str(problem)[1:]}."
    return "" if _sent("password") == _sent("again") else "The two are not the same: type it twice."


def _choose_own(book: AccessBook, name: str, problem: str = "") -> Response:
    proof = book.credentials(name)
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    has_codes = "yes" if proof is not None and proof.code_secret else ""
    return _page(
        "choose_password.html", status=status, problem=problem, name=name, own="yes", has_codes=has_codes
    )


def _sessions(gate: Gate, book: AccessBook, one: Visitor) -> list[OwnSession]:
    settings = gate.settings
    idle_s, most_s = settings.web_session_idle_h * HOUR_S, settings.web_session_h * HOUR_S
    return book.sessions_of(one.name, idle_s=idle_s, most_s=most_s)


def _show_sessions(gate: Gate, book: AccessBook, one: Visitor, problem: str = "") -> Response:
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    sessions = _sessions(gate, book, one)
    return _page(
        "sessions.html", status=status, problem=problem, name=one.name, here=one.session, sessions=sessions
    )


def _lacks_codes(gate: Gate, book: AccessBook, name: str) -> bool:
    account = book.account(name)
    return account is not None and gate.lacks_codes(account)


def _lead_on(book: AccessBook, name: str) -> Response:
    """Lead whoever has proved their password to a link by which they set up an authenticator."""
    token = make_token()
    book.put_link(name, token_hash(token), lasts_s=_SETTING_UP_S)
    return _go(f"{LINK_PATH}{token}")


def _new_secret(gate: Gate, book: AccessBook, name: str, token: str) -> str:
    """Return the secret of codes that whoever has a link sets up by it; empty: they need none."""
    return code_secret_of(token[:100], gate.signing_key()) if _lacks_codes(gate, book, name) else ""


def _choose(name: str, secret: str, problem: str = "") -> Response:
    status = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    address = code_address(name, secret) if secret else ""
    return _page(
        "choose_password.html", status=status, problem=problem, name=name, secret=secret, address=address
    )


def _wait(wait_s: float) -> Response:
    seconds = math.ceil(wait_s)
    problem = f"Too many log-ins failed. Try again in {seconds} s."
    answer = _page("sign_in.html", status=HTTPStatus.TOO_MANY_REQUESTS, problem=problem)
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _over() -> Response:
    problem = "The link was used, is older than a day, or there is a newer one. Ask for another."
    return _page("sign_in.html", status=HTTPStatus.NOT_FOUND, problem=problem)


def _page(template: str, *, status: int = HTTPStatus.OK, **shown: str | list[OwnSession] | None) -> Response:
    wanted = request.values.get("next", "")
    answer = make_response(render_template(template, wanted=wanted, **shown), status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _go(place: str) -> Response:
    answer = make_response(redirect(place, 303))
    answer.headers["Cache-Control"] = "no-store"
    return answer
