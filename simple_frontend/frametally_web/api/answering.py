"""Answers the API's routes with Flask: checked, within a time limit, as JSON that browsers cache.

Every answer is adapted to its reader: it hides names of settings, and text is compressed by Brotli or gzip.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import secrets
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Container, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urlencode

import brotli
import msgspec
from flask import Blueprint, Flask, Response, request

from frametally.actions.calls import Call, Reply, check_no_body, current_call
from frametally.actions.endpoints import Endpoint, Route
from frametally.actions.parameters import Args, check_known
from frametally.ports.count_index import CountIndex
from frametally.process.meters import METERS
from frametally.process.time_limit import time_limit
from frametally.settings.loading import Settings
from frametally_web.access.rights import Rights
from frametally_web.access.visitors import visitor, whom_to_ask
from frametally_web.books.reader import BooksReader, version_text

_LEAST_KEPT_PACKED_BYTES = 2000
MOST_KEPT_BYTES = 32_000_000
"""Maximum size of all cached answers, which are kept until the counts change."""
VERSION_HEADER = "Frametally-Counts-Version"
"""Identifies the state of the counts behind an answer: a page keeps the answer until the state changes."""

_SETTING = "FRAMETALLY_"
_ADVICE = re.compile(rf"(?:^|[;:,.]\s|\s\()(?:(?![;:,.]\s|\s\().)*{_SETTING}.*", re.DOTALL)
"""The clause that names a setting, and everything after it."""
_JSON = ("application/json", "application/problem+json")
_TEXT = (*_JSON, "application/vnd.oai.openapi+json", "text/")
_LEAST_BYTES = 500
# These levels take a few milliseconds for large answers; higher ones save little.
_BROTLI_QUALITY, _GZIP_LEVEL = 4, 5

Encoding = Literal["br", "gzip"]


class Answering:
    """Answers routes by their handlers, and caches the answers that change only with the counts."""

    def __init__(self, settings: Settings, index: CountIndex, books: BooksReader) -> None:
        self._timeout_s = settings.web_query_timeout_s
        self._index = index
        self._books = books
        self._cache = AnswerCache(MOST_KEPT_BYTES)
        # After a restart, other settings or another version may change answers.
        self._started = secrets.token_hex(8)

    def blueprint(self, name: str, routes: Iterable[Route]) -> Blueprint:
        """Return a blueprint with some routes; the caller chooses its prefixes."""
        api = Blueprint(name, __name__)
        for route in routes:
            rule = "/" + route.endpoint.path.replace("{", "<").replace("}", ">")
            api.add_url_rule(rule, route.endpoint.name, self._view(route), methods=[route.endpoint.method])
        return api

    def _view(self, route: Route) -> Callable[..., Response]:
        endpoint, handler = route
        known_names = endpoint.in_query

        def view(**in_path: str) -> Response:
            check_known(request.args, known_names)
            call = _begun_call()
            if endpoint.body is None:
                check_no_body()
            args = Args([*request.args.items(multi=True), *in_path.items()])
            if "timezone" in known_names:
                self._books.add_timezone(args)
            began_s = time.monotonic()
            try:
                with time_limit(self._timeout_s), self._one_state(endpoint) as state:
                    if endpoint.answer is None:
                        answer = _response(handler(args))
                    else:
                        answer = self._answer(endpoint, state, lambda: msgspec.json.encode(handler(args)))
                return _as_told(answer, call)
            finally:  # a refusal after a long wait is a slow answer, too
                METERS.took("answer", time.monotonic() - began_s)

        return view

    def embed(self, route: Route, query: list[tuple[str, str]]) -> tuple[bytes, str]:
        """Return the answer that a route gives to `query`, and the version of the counts behind it."""
        endpoint, handler = route

        def make() -> bytes:
            return msgspec.json.encode(handler(Args(query)))

        with self._one_state(endpoint) as state:
            question = (endpoint.name, urlencode(query).encode(), visitor().sources)
            body = self._cache.get(state, question, make) if _is_kept(endpoint, Args(query)) else make()
        return _for_visitor(body), version_text(*state)

    @contextmanager
    def _one_state(self, endpoint: Endpoint) -> Iterator[tuple[str, int]]:
        """Let all reads of the counts in the block see one state of them, which is yielded."""
        if not endpoint.reads_counts:
            yield "", 0
            return
        self._books.media()  # makes sure that they are read
        if endpoint.is_kept or endpoint.tells_version:
            self._books.look_at_checks()
        with self._index.one_moment():
            yield self._index.version(), self._books.generation

    def _answer(self, endpoint: Endpoint, state: tuple[str, int], make: Callable[[], bytes]) -> Response:
        if _is_kept(endpoint, request.args):
            answer = self._cached_answer(endpoint, state, make)
        else:
            body = make()
            answer = _json(body, tag=body)
        if endpoint.is_kept or endpoint.tells_version:
            answer.headers[VERSION_HEADER] = version_text(*state)
        return answer

    def _cached_answer(
        self, endpoint: Endpoint, state: tuple[str, int], make: Callable[[], bytes]
    ) -> Response:
        question = (endpoint.name, request.query_string, visitor().sources)
        tag = repr((self._started, state, question)).encode()
        if request.if_none_match.contains_weak(_hash(tag)):
            return _json(b"", tag=tag)  # which becomes a 304
        body = self._cache.get(state, question, make)
        encoding = chosen_encoding()
        if encoding is None or len(body) < _LEAST_KEPT_PACKED_BYTES:
            return _json(body, tag=tag)
        packed = self._cache.get(state, (*question, encoding), lambda: pack(body, encoding))
        answer = _json(packed, tag=tag)
        answer.headers["Content-Encoding"] = encoding
        return answer


def _is_kept(endpoint: Endpoint, query: Container[str]) -> bool:
    """Return whether an answer changes only with the counts: within a zone, drawings change it, too."""
    return endpoint.is_kept and "zone" not in query


def _begun_call() -> Call:
    """Return the current call with what the request sent."""
    call = current_call()
    call.body, call.media_type = request.get_data(), request.mimetype
    call.sent_headers, call.root_url = request.headers, request.url_root
    return call


def _as_told(answer: Response, call: Call) -> Response:
    """Return an answer with the status and the headers that its handler chose."""
    answer.headers.update(call.headers)
    if answer.status_code == 200:
        answer.status_code = call.status
    return answer


def _response(reply: Reply) -> Response:
    """Return an answer that is a file, or nothing."""
    response = Response(reply.chunks(), status=reply.status, mimetype=reply.media_type or None)
    if isinstance(reply.body, bytes):
        response.set_data(reply.body)
    else:
        response.call_on_close(reply.body.close)  # even if the browser leaves before it starts
        response.content_length = reply.body.seek(0, os.SEEK_END)
        reply.body.seek(0)
    response.headers.update(reply.headers)
    if reply.etag:
        response.set_etag(reply.etag)
        response.make_conditional(request)  # a 304 if the browser already has it
    return response


def _json(body: bytes, *, tag: bytes) -> Response:
    """Return an answer that a browser caches and revalidates: it is not sent again if `tag` is the same."""
    response = Response(body, mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(_hash(tag), weak=True)  # the same whether compressed or not
    response.vary.add("Accept-Encoding")
    response.make_conditional(request)
    return response


def _hash(tag: bytes) -> str:
    return hashlib.sha256(tag).hexdigest()[:32]


class AnswerCache:
    """Keeps the bodies of answers up to a total size, and drops the least recently used first."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._state: Hashable = None
        self._cached_answer: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, state: Hashable, question: Hashable, make: Callable[[], bytes]) -> bytes:
        """Return the answer to `question`; make it again unless it is cached for the current `state`."""
        with self._lock:
            if state != self._state:
                self._cached_answer.clear()
                self._state, self._bytes = state, 0
            body = self._cached_answer.get(question)
            if body is not None:
                self._cached_answer.move_to_end(question)
                return body
        body = make()
        if len(body) <= self._most_bytes:
            with self._lock:
                if state == self._state and question not in self._cached_answer:
                    self._cached_answer[question] = body
                    self._bytes += len(body)
                while self._bytes > self._most_bytes:
                    self._bytes -= len(self._cached_answer.popitem(last=False)[1])
        return body


def for_reader(text: str) -> str:
    """Return a line for its reader: only administrators read about settings, others read whom to ask."""
    if _SETTING not in text or visitor().may("run"):
        return text
    told = _ADVICE.sub("", text).rstrip(" ,;:.")
    ask = f"sk {whom_to_ask()}."
    return f"{told}; a{ask}" if told else f"A{ask}"


def chosen_encoding() -> Encoding | None:
    """Return the encoding that the client prefers, Brotli if it prefers none; None for uncompressed."""
    qualities = request.accept_encodings
    by_br, by_gzip = qualities["br"], qualities["gzip"]
    if by_br and by_br >= by_gzip:
        return "br"
    return "gzip" if by_gzip else None


def pack(body: bytes, encoding: Encoding) -> bytes:
    """Return a compressed body, the same bytes each time."""
    if encoding == "br":
        packed: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
        return packed
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def answer_readers(app: Flask, rights: Rights, language: Callable[[], str]) -> None:
    """Adapt and compress the text of `app` for its reader; the manual, open to all, names all settings.

    Pictures and compressed files stay unchanged.
    """
    app.add_template_filter(for_reader)

    @app.after_request
    def finish(answer: Response) -> Response:
        _hide_settings(answer, rights)
        if answer.status_code not in (204, 206, 304) and (answer.mimetype or "").startswith(_TEXT):
            answer.vary.add("Accept-Encoding")
            _pack(answer)
        if answer.mimetype == "text/html":
            answer.headers["Content-Language"] = language()
            answer.vary.update(("Accept-Language", "Cookie"))
        return answer


def _hide_settings(answer: Response, rights: Rights) -> None:
    if answer.is_streamed or answer.mimetype not in _JSON or visitor().may("run"):
        return
    rule = request.url_rule
    if rule is not None and rights.right_of(request.method, rule.rule) == "open":
        return
    data = answer.get_data()
    readable = _for_visitor(data)
    if readable is not data:
        answer.set_data(readable)


def _for_visitor(data: bytes) -> bytes:
    """Return JSON for the visitor: `for_reader` of each text in it, or `data` if no text names a setting."""
    if _SETTING.encode() not in data or visitor().may("run"):
        return data
    return msgspec.json.encode(_each_text(msgspec.json.decode(data)))


def _pack(answer: Response) -> None:
    encoding = chosen_encoding()
    if encoding is None or "Content-Encoding" in answer.headers:
        return
    if answer.is_streamed:  # a file, which need not be in memory
        if not request.accept_encodings["gzip"]:
            return
        encoding = "gzip"
        answer.response = _packed(answer.iter_encoded())
        answer.headers.pop("Content-Length", None)
    elif (answer.content_length or 0) < _LEAST_BYTES:
        return
    else:
        answer.set_data(pack(answer.get_data(), encoding))
    answer.headers["Content-Encoding"] = encoding


def _each_text(value: Any) -> Any:
    if isinstance(value, str):
        return for_reader(value)
    if isinstance(value, list):
        return [_each_text(one) for one in value]
    if isinstance(value, dict):
        return {name: _each_text(one) for name, one in value.items()}
    return value


def _packed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_GZIP_LEVEL, wbits=31)
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()
