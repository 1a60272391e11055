"""The JSON body of a request."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec
from flask import request

from frametally_web.requests.change import note_target
from frametally_web.requests.parameters import shown
from frametally_web.requests.problems import Problem

SentT = TypeVar("SentT", bound=msgspec.Struct)

MOST_BODY_BYTES = 1_000_000
"""The largest body that a route reads at once: a drawing. Uploads are read piece by piece."""
_JSON = "application/json"
_NAMES = ("name", "source", "video_id", "stream_id", "kind", "what")
"""The fields of a record that name the changed object, for the audit log; never an address or a password."""


def read_json() -> bytes:
    """Return the sent bytes, which must be declared as JSON.

    So no page of another site can send them: a browser asks first, and `security.Guard` refuses.

    Raises:
        Problem: 415 if another type is declared.
    """
    if request.mimetype != _JSON:
        raise Problem(
            415,
            f"The request body has the type {request.mimetype or 'of no type'}.",
            remedy=f"Send JSON with Content-Type: {_JSON}.",
        )
    return request.get_data()


def check_no_body() -> None:
    """Refuse a body for a route that does not take one, unless it is an empty object.

    Raises:
        Problem: 400 if there is one.
    """
    if request.get_data().strip() not in (b"", b"{}"):
        raise Problem(
            400,
            "This route takes no body.",
            remedy="Send the request without a body.",
        )


class Sent(Generic[SentT]):
    """A record sent as JSON, which a route declares and reads; create it before any thread starts."""

    def __init__(self, form: type[SentT], kind: str) -> None:
        """Expect a record of this form; `kind` describes it."""
        self.form = form
        self._kind = kind
        self._decoder = msgspec.json.Decoder(form)

    def read(self) -> SentT:
        """Return the sent record.

        Raises:
            Problem: 415 if another type is declared; 400 if it is not such a record.
        """
        data = read_json()
        try:
            body = self._decoder.decode(data)
            note_target(**{name: getattr(body, name, None) for name in _NAMES})
            return body
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Problem(
                400,
                f"It is not a valid {self._kind}: {shown(str(error))}.",
                remedy=f"Send an object with the fields {', '.join(self.form.__struct_fields__)}; "
                "fields that you leave out stay unchanged.",
            ) from error
