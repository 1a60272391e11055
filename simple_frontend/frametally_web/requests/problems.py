"""Answers for problems: RFC 9457 documents for programs, and a small page for lost browsers."""

from __future__ import annotations

import http
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from flask import Flask, Response, current_app, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from frametally.actions.problems import Problem, problem_of
from frametally.errors import FrametallyError, Retryable
from frametally.process.time_limit import TookTooLong
from frametally_web.translations.texts import language, problem_text

MEDIA_TYPE = "application/problem+json"

MEANINGS = {
    400: "A parameter is invalid or requests too much.",
    401: "You must sign in, or your token has expired.",
    403: "Your role does not allow this, uploads are off, or a page of another site tried to change "
    "something.",
    404: "Nothing exists at this address, or the frame, source or video does not exist.",
    405: "The route does not accept this method: `Allow` lists its methods.",
    409: "The request conflicts with the current state, such as an upload's offset.",
    410: "The upload has finished, or was abandoned and deleted.",
    412: "Someone else has changed it in the meantime, or the protocol version differs.",
    413: "The request body is larger than any route accepts.",
    415: "The request body is not declared as JSON, or does not begin like a video.",
    416: "The video ends before the requested range.",
    421: "The dashboard does not accept this host name.",
    422: "The video cannot be used.",
    428: "A change does not name the version that it is based on.",
    429: "Too many uploads or decoded frames at once, or too many wrong tokens.",
    460: "The received bytes do not match their checksum.",
    500: "The dashboard failed; its log gives the reason.",
    503: "The index or the store is not responding, or the query took too long.",
    507: "The disk is full.",
}
"""The message for an error's status, whatever its origin."""


def title_of(status: int) -> str:
    """Return the name of a status."""
    # tus has its own status.
    return "Checksum Mismatch" if status == 460 else http.HTTPStatus(status).phrase


def problem_type(status: int) -> str:
    """Return the `type` of errors of a status: the section of the API's page that explains it."""
    return f"/api/docs#error-{title_of(status).lower().replace(' ', '-')}"


def answer_errors(app: Flask, routes: Sequence[str]) -> None:
    """Give every error of `app` its own answer; `routes` are shown to a program at a wrong address."""

    @app.errorhandler(Problem)
    def on_problem(problem: Problem) -> Response:
        if request.method != "GET" or not _is_for_people():
            return _response_of(problem)
        try:
            page = _without_frame("problem.html", problem=problem)
        except Exception:  # the page's frame may fail as the page did
            return _response_of(problem)
        answer = Response(page, problem.status, mimetype="text/html")
        answer.headers["Cache-Control"] = "no-store"
        answer.headers.update(problem.headers)
        return answer

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        if status >= 500:  # Flask makes one of any unhandled exception, and logs it
            answer = on_problem(problem_of(error))
        elif status == 404:
            answer = _not_found(routes)
        elif isinstance(error, MethodNotAllowed):
            allowed = " or ".join(sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"})) or "GET"
            answer = _document(status, f"{request.method} is not allowed here.", f"Use {allowed}.")
        else:
            detail = error.description or error.name
            answer = _document(status, detail, "Correct the request; see docs/api.md.")
        for name, value in error.get_headers():
            if name == "Allow":
                answer.headers[name] = value
        return answer

    @app.errorhandler(TookTooLong)
    def on_too_long(error: TookTooLong) -> Response:
        app.logger.warning("%s: %s", request.path, error)
        detail = "The query took longer than the server waits."
        return on_problem(Problem(503, detail, remedy="Choose a shorter range or fewer labels."))

    @app.errorhandler(Retryable)
    def on_retryable(error: Retryable) -> Response:
        app.logger.warning("%s: %s", request.path, error)
        return on_problem(problem_of(error))

    @app.errorhandler(FrametallyError)
    def on_frametally_error(error: FrametallyError) -> Response:
        app.logger.error("%s: %s", request.path, error)
        return on_problem(problem_of(error))


def _without_frame(template: str, **context: object) -> str:
    """Return a page with a reduced frame: the visitor is unknown while the accounts are unavailable."""
    for processor in current_app.template_context_processors[None]:
        with suppress(Exception):
            values = processor()
            context = context | values if isinstance(values, dict) else context
    return current_app.jinja_env.get_template(template).render(context)


def _is_for_people() -> bool:
    # A program that accepts anything gets the type of its other answers.
    accepted = request.accept_mimetypes
    return not request.path.startswith("/api/") and accepted.quality("text/html") > accepted.quality(
        "application/json"
    )


def _not_found(routes: Sequence[str]) -> Response:
    if not _is_for_people():
        return _document(
            404,
            "Nothing exists at this address.",
            f"The API has {', '.join(routes)}.",
        )
    return Response(render_template("not_found.html"), status=404, mimetype="text/html")


def document(
    status: int,
    detail: str,
    remedy: str,
    fault: dict[str, object] | None = None,
    language: str | None = None,
) -> bytes:
    """Return a problem document in a language, by default the request's."""
    content: dict[str, object] = {
        "type": problem_type(status),
        "title": title_of(status),
        "status": status,
        "detail": problem_text(detail, language),
        "remedy": problem_text(remedy, language),
    }
    content.update({name: value for name, value in (fault or {}).items() if value not in (None, [])})
    return msgspec.json.encode(content)


def _response_of(problem: Problem) -> Response:
    answer = _document(problem.status, problem.detail, problem.remedy, problem.fault)
    answer.headers.update(problem.headers)
    return answer


def _document(status: int, detail: str, remedy: str, fault: dict[str, object] | None = None) -> Response:
    body = document(status, detail, remedy, fault)
    answer = Response(body, status=status, mimetype=MEDIA_TYPE)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Language"] = language()
    return answer
