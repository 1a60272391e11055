"""What is sent to a route as JSON."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from flask import request

from frametally_web.requests import query
from frametally_web.requests.change import note_target
from frametally_web.requests.problems import Problem

SentT = TypeVar("SentT", bound=msgspec.Struct)

_JSON = "application/json"
_NAMES = ("name", "source", "video_id", "stream_id", "kind", "what")
"""What of a record says what is changed, for the audit log; never an address or a password."""


def read_json() -> bytes:
    """Return the bytes that were sent, which say themselves that they are JSON.

    So no page of another site can send them: a browser asks first, and is told no (`security.Guard`).

    Raises:
        Problem: 415, they say something else.
    """
    if request.mimetype != _JSON:
        raise Problem(
            415,
            f"What was sent is {request.mimetype or 'of no type'}.",
            remedy=f"Send JSON, and say so: Content-Type: {_JSON}.",
        )
    return request.get_data()


def read_sent(decoder: msgspec.json.Decoder[SentT], what: str) -> SentT:
    """Return the record that was sent as JSON; `decoder` was made before there were threads.

    Raises:
        Problem: 415, they say something else; 400, it is no such record: `what` is what it should be.
    """
    data = read_json()
    try:
        sent = decoder.decode(data)
        note_target(**{name: getattr(sent, name, None) for name in _NAMES})
        return sent
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        fields = ", ".join(decoder.type.__struct_fields__)
        raise Problem(
            400,
            f"It is no {what}: {query.shown(str(error))}.",
            remedy=f"Send an object of {fields}; what is left out stays as it is.",
        ) from error
