"""Adapts an answer to its reader: hides names of settings, and compresses text by Brotli or gzip."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import brotli
import msgspec
from flask import Flask, Response, request

from frametally_web.access.rights import Rights
from frametally_web.access.visitors import visitor, whom_to_ask

_SETTING = "FRAMETALLY_"
_ADVICE = re.compile(rf"(?:^|[;:,.]\s|\s\()(?:(?![;:,.]\s|\s\().)*{_SETTING}.*", re.DOTALL)
"""The clause that names a setting, and what follows it."""
_JSON = ("application/json", "application/problem+json")
_TEXT = (*_JSON, "application/vnd.oai.openapi+json", "text/")
_LEAST_BYTES = 500
# What takes a few milliseconds where an answer is large; more saves little.
_BROTLI_QUALITY, _GZIP_LEVEL = 4, 5

Encoding = Literal["br", "gzip"]


def for_reader(text: str) -> str:
    """Return a line of an answer; of advice to set something, a visitor reads whom to ask."""
    if _SETTING not in text or visitor().may("run"):
        return text
    told = _ADVICE.sub("", text).rstrip(" ,;:.")
    ask = f"sk {whom_to_ask()}."
    return f"{told}; a{ask}" if told else f"A{ask}"


def chosen_encoding() -> Encoding | None:
    """Return the encoding that the client accepts, the smaller one of two; None: uncompressed."""
    qualities = request.accept_encodings
    by_br, by_gzip = qualities["br"], qualities["gzip"]
    if by_br and by_br >= by_gzip:
        return "br"
    return "gzip" if by_gzip else None


def pack(body: bytes, encoding: Encoding) -> bytes:
    """Return a body packed, the same bytes each time."""
    if encoding == "br":
        packed: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
        return packed
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def answer_readers(app: Flask, rights: Rights) -> None:
    """Have `app` speak to its reader (the manual, open to all, names all settings), and pack its text.

    Pictures and packed files stay as they are.
    """
    app.add_template_filter(for_reader)

    @app.after_request
    def finish(answer: Response) -> Response:
        _hide_settings(answer, rights)
        if answer.status_code not in (204, 206, 304) and (answer.mimetype or "").startswith(_TEXT):
            answer.vary.add("Accept-Encoding")
            _pack(answer)
        return answer


def _hide_settings(answer: Response, rights: Rights) -> None:
    if answer.is_streamed or answer.mimetype not in _JSON or visitor().may("run"):
        return
    rule = request.url_rule
    if rule is not None and rights.right_of(request.method, rule.rule) == "open":
        return
    data = answer.get_data()
    if _SETTING.encode() in data:
        answer.set_data(msgspec.json.encode(_each_text(msgspec.json.decode(data))))


def _pack(answer: Response) -> None:
    encoding = chosen_encoding()
    if encoding is None or "Content-Encoding" in answer.headers:
        return
    if answer.is_streamed:  # a file, which need not lie in memory
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
