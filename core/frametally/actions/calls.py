"""One call of an action, from its beginning to its answer: what its handler reads of it, and says about it.

Each host fills the current call: the HTTP server from a request, the command line from options.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import BinaryIO, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from frametally.actions.parameters import shortened
from frametally.actions.problems import Problem

SentT = TypeVar("SentT", bound=msgspec.Struct)

MOST_BODY_BYTES = 1_000_000
"""The largest body that a route reads at once: a drawing. Uploads are read piece by piece."""
_JSON = "application/json"
_NAMES = ("name", "source", "video_id", "stream_id", "kind", "what")
"""The fields of a record that name the changed object, for the audit log; never an address or a password."""
_CHUNK_BYTES = 65_536


class Reply(NamedTuple):
    """An answer that is not a record: a file, or nothing.

    Attributes:
        body: Its bytes, or an open file from its position on, which the host closes.
        media_type: MIME type; empty if there is no content.
        status: HTTP status; 302 leads to the address in the header `Location`.
        headers: Further HTTP headers.
        etag: Identifies these bytes for caches; empty without one.
    """

    body: bytes | BinaryIO = b""
    media_type: str = ""
    status: int = 200
    headers: Mapping[str, str] = {}
    etag: str = ""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes piece by piece; close the file."""
        if isinstance(self.body, bytes):
            yield self.body
            return
        with self.body:
            while chunk := self.body.read(_CHUNK_BYTES):
                yield chunk

    def close(self) -> None:
        """Close the file, also if nothing of it was read."""
        if not isinstance(self.body, bytes):
            self.body.close()


NOTHING = Reply(status=204)


class SentHeaders(Protocol):
    """A request's headers in any framework."""

    def get(self, key: str, default: str, /) -> str:
        """Return a header; its case does not matter."""
        ...


class Call:
    """A call of an action; its handler may name the changed object.

    Attributes:
        action: The route, such as `POST /api/retention/rules`; empty if it changes nothing.
        origin: The client's address, or `command line`.
        user_name: Name of who asks, for the audit log; empty for nobody.
        token: Name of the token by which a program asks; empty without one.
        number: Number of its first record in the audit log, or 0.
        target: What it changes, for the audit log.
        body: The sent bytes.
        media_type: Their declared MIME type.
        sent_headers: The HTTP headers that were sent.
        root_url: Address of the dashboard as the client reaches it; empty if unknown.
        status: HTTP status of the answer, unless it fails.
        headers: HTTP headers of the answer, unless it fails.
    """

    def __init__(
        self, action: str = "", origin: str = "", target: Mapping[str, object] | None = None
    ) -> None:
        """Begin with the route, who asks from where, and the parts of its path that are not secret."""
        self.action = action
        self.origin = origin
        self.user_name = ""
        self.token = ""
        self.number = 0
        self.target: dict[str, object] = {}
        self.body = b""
        self.media_type = ""
        self.sent_headers: SentHeaders = dict[str, str]()
        self.root_url = ""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.add(target or {})

    def add(self, target: Mapping[str, object]) -> None:
        """Name another changed object; an empty name is ignored."""
        self.target.update({name: value for name, value in target.items() if value not in ("", None)})


_now: ContextVar[Call | None] = ContextVar("call", default=None)


def set_call(call: Call | None) -> None:
    """Make `call` the current one; None once it is answered."""
    _now.set(call)


def current_call() -> Call:
    """Return the current call; an empty one if nobody asks, as in the server's own work."""
    return _now.get() or Call()


def note_target(**target: object) -> None:
    """Name the object that the current call changes; never a secret."""
    current_call().add(target)


def note_who(name: str, *, token: str = "") -> None:
    """Record who makes the current call, and the name of the token if a program does."""
    call = current_call()
    call.user_name, call.token = name, token


def answer_with(status: int) -> None:
    """Answer the current call with an HTTP status other than 200, unless it fails after all."""
    current_call().status = status


def read_json() -> bytes:
    """Return the sent bytes, which must be declared as JSON.

    So no page of another site can send them: a browser asks first, and `security.Guard` refuses.

    Raises:
        Problem: 415 if another type is declared.
    """
    call = current_call()
    if call.media_type != _JSON:
        raise Problem(
            415,
            f"The request body has the type {call.media_type or 'of no type'}.",
            remedy=f"Send JSON with Content-Type: {_JSON}.",
        )
    return call.body


def check_no_body() -> None:
    """Refuse a body for a route that does not take one, unless it is an empty object.

    Raises:
        Problem: 400 if there is one.
    """
    if current_call().body.strip() not in (b"", b"{}"):
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
                f"It is not a valid {self._kind}: {shortened(str(error))}.",
                remedy=f"Send an object with the fields {', '.join(self.form.__struct_fields__)}; "
                "fields that you leave out stay unchanged.",
            ) from error
