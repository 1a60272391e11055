"""Answers as small as a browser takes them: text is sent by Brotli or gzip."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from typing import Literal

import brotli
from flask import Flask, Response, request

Encoding = Literal["br", "gzip"]

_TEXT = ("application/json", "application/problem+json", "application/vnd.oai.openapi+json", "text/")
_LEAST_BYTES = 500
# What takes a few milliseconds where an answer is large; more saves little.
_BROTLI_QUALITY, _GZIP_LEVEL = 4, 6


def chosen_encoding() -> Encoding | None:
    """Return how the one who asks wants an answer packed, the smaller one of two; None as it is."""
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


def pack_answers(app: Flask) -> None:
    """Pack the text that `app` answers with; pictures and packed files stay as they are."""

    @app.after_request
    def pack_one(answer: Response) -> Response:
        if answer.status_code in (204, 206, 304) or not (answer.mimetype or "").startswith(_TEXT):
            return answer
        answer.vary.add("Accept-Encoding")
        encoding = chosen_encoding()
        if encoding is None or "Content-Encoding" in answer.headers:
            return answer
        if answer.is_streamed:  # a file, which need not lie in memory
            encoding = "gzip"
            if not request.accept_encodings["gzip"]:
                return answer
            answer.response = _packed(answer.iter_encoded())
            answer.headers.pop("Content-Length", None)
        elif (answer.content_length or 0) < _LEAST_BYTES:
            return answer
        else:
            answer.set_data(pack(answer.get_data(), encoding))
        answer.headers["Content-Encoding"] = encoding
        return answer


def _packed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_GZIP_LEVEL, wbits=31)
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()
