"""Parameters of the API: one declaration describes and reads each. A mistake is a 400 that names it."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from frametally.actions.problems import bad_parameter

MAX_NAME_CHARS = 200
MAX_CURSOR_CHARS = 1000
MAX_VALUES = 200
"""Most labels, and most sources, that one query may name."""

ValueT = TypeVar("ValueT")
CursorT = TypeVar("CursorT")


class Args:
    """The values of a call's parameters, by name, in the order in which they were sent."""

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        """Start with pairs of names and values; a name may appear several times."""
        self._values: dict[str, list[str]] = {}
        for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Add a value after those that the name has."""
        self._values.setdefault(name, []).append(value)

    def put(self, name: str, value: str) -> None:
        """Replace the values of a name."""
        self._values[name] = [value]

    def all(self, name: str) -> list[str]:
        """Return the values of a name; empty if it has none."""
        return self._values.get(name, [])

    def get(self, name: str) -> str:
        """Return the first value of a name; empty if it has none."""
        return next(iter(self.all(name)), "")

    def pairs(self) -> list[tuple[str, str]]:
        """Return all pairs, those of a name together."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def __contains__(self, name: object) -> bool:
        """Return whether a name has a value."""
        return name in self._values


MOMENT = {"type": "string", "format": "date-time"}
UUID = {"type": "string", "format": "uuid"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter(Generic[ValueT]):
    """A parameter: the JSON Schema of one value, and whether it may appear several times (`many`).

    `place` is its place in a request; a path parameter is written `{name}` in the endpoint's path.
    """

    name: str
    description: str
    schema: dict[str, Any]
    parse: Callable[[Args, str], ValueT]
    example: str = ""
    many: bool = False
    required: bool = False
    place: Literal["query", "path", "header"] = "query"

    def read(self, args: Args) -> ValueT:
        """Return the parameter's value in a request. Raises `Problem` (400) if it is not valid."""
        return self.parse(args, self.name)

    def but(self, **changes: Any) -> Parameter[ValueT]:
        """Return a copy for another route, with some changes."""
        return dataclasses.replace(self, **changes)


def text_schema(most_chars: int = MAX_NAME_CHARS) -> dict[str, Any]:
    """Return the JSON Schema of a text."""
    return {"type": "string", "maxLength": most_chars, "pattern": "^[^\\u0000]*$"}


def text(
    name: str, description: str, example: str = "", schema: Mapping[str, Any] | None = None, **more: Any
) -> Parameter[str | None]:
    """Return a text parameter; its value is None if it is absent or empty."""
    schema = dict(schema or text_schema())
    return Parameter(
        name=name, description=description, schema=schema, parse=read_one, example=example, **more
    )


def texts(name: str, description: str, example: str = "", *, most: int = MAX_VALUES) -> Parameter[list[str]]:
    """Return a text parameter that may appear `most` times."""

    def parse(args: Args, name: str) -> list[str]:
        return read_many(args, name, limit=most)

    return Parameter(
        name=name, description=description, schema=text_schema(), parse=parse, example=example, many=True
    )


def in_path(
    name: str, description: str, example: str, schema: Mapping[str, Any] | None = None
) -> Parameter[str]:
    """Return a path parameter; its value is empty if it is absent."""
    return Parameter(
        name=name,
        description=description,
        schema=dict(schema or text_schema()),
        parse=lambda args, name: read_one(args, name) or "",
        example=example,
        required=True,
        place="path",
    )


def header(
    name: str, description: str, schema: dict[str, Any], example: str = "", *, required: bool = False
) -> Parameter[str | None]:
    """Return a header, which the route reads from the request itself."""
    return Parameter(
        name=name,
        description=description,
        schema=schema,
        parse=read_one,
        example=example,
        required=required,
        place="header",
    )


def choice(name: str, description: str, choices: Sequence[str], example: str = "") -> Parameter[Any]:
    """Return a parameter that is one of `choices`, by default the first, which may be empty."""
    return Parameter(
        name=name,
        description=description,
        schema={"type": "string", "enum": [choice for choice in choices if choice]},
        parse=lambda args, name: read_choice(args, name, choices),
        example=example,
    )


def choices(name: str, description: str, choices: Sequence[str], example: str) -> Parameter[tuple[Any, ...]]:
    """Return a parameter that is some of `choices`; its value is empty if it is absent."""

    def parse(args: Args, name: str) -> tuple[str, ...]:
        values = read_many(args, name, limit=len(choices))
        return tuple(read_choice(Args([(name, value)]), name, choices) for value in values)

    schema = {"type": "string", "enum": [*choices]}
    return Parameter(
        name=name, description=description, schema=schema, parse=parse, example=example, many=True
    )


def whole_number(
    name: str,
    description: str,
    example: str,
    *,
    remedy: str,
    most: int,
    least: int = 1,
    most_digits: int = 9,
    unit: str = "",
) -> Parameter[int | None]:
    """Return a parameter that is a whole number from `least` to `most`; its value is None if it is absent."""

    def parse(args: Args, name: str) -> int | None:
        value = read_one(args, name)
        if value is None:
            return None
        if not re.fullmatch(rf"[0-9]{{1,{most_digits}}}", value) or not least <= int(value) <= most:
            detail = f"{name}={shortened(value)!r} is not a whole number{unit} from {least} to {most}."
            raise bad_parameter(name, detail, remedy=remedy)
        return int(value)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(name=name, description=description, schema=schema, parse=parse, example=example)


def page_limit(
    default: int, most: int, meaning: str = "Maximum number on one page", *, shows_most: bool = False
) -> Parameter[int]:
    """Return the parameter `limit`: the number of items on a page, by default `default`."""
    number = whole_number(
        "limit",
        f"{meaning}; default: {default}.",
        str(default),
        remedy=f"Give at most {most}, or leave it out.",
        most=most,
    )

    def parse(args: Args, _: str) -> int:
        limit = number.read(args)
        return min(default, most) if limit is None else limit

    schema = number.schema if shows_most else {"type": "integer", "minimum": 1}
    return cast(Parameter[int], number.but(parse=parse, schema=schema))


def page_cursor(cursor_type: type[CursorT]) -> Parameter[CursorT | None]:
    """Return the parameter `cursor`: the end of the previous page, from `write_cursor`, or None."""

    def parse(args: Args, name: str) -> CursorT | None:
        value = read_one(args, name)
        if value is None:
            return None
        try:
            data = base64.b64decode(value.encode(), altchars=b"-_", validate=True)
            return msgspec.json.decode(data, type=cursor_type)
        except (ValueError, msgspec.DecodeError) as error:
            raise bad_parameter(
                name,
                "cursor is not valid.",
                remedy="Use `next` from the previous page, unchanged.",
            ) from error

    return cast(Parameter[CursorT | None], CURSOR.but(parse=parse))


def write_cursor(cursor: tuple[object, ...]) -> str:
    """Return a cursor in the form of the field `next`."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()


def check_known(args: Iterable[str], known_names: Collection[str]) -> None:
    """Refuse parameters that the route does not have: a misspelt filter must not widen the answer.

    Raises:
        Problem: 400 with the names of this route.
    """
    for name in args:
        if name not in known_names:
            raise bad_parameter(
                shortened(name),
                f"This route has no parameter {shortened(name)!r}.",
                remedy=f"Use only: {', '.join(known_names) or 'no parameters'}.",
            )


def read_one(args: Args, name: str) -> str | None:
    """Return the value of a parameter that may appear once; None if it is absent or empty.

    Raises:
        Problem: 400 if it appears more than once, is too long or contains a NUL.
    """
    values = read_many(args, name, limit=1)
    return values[0] if values else None


def read_many(args: Args, name: str, *, limit: int) -> list[str]:
    """Return the distinct values of a parameter that may appear several times, without empty ones.

    Raises:
        Problem: 400 if there are more than `limit`, or one is too long or contains a NUL.
    """
    values = list(dict.fromkeys(value for value in args.all(name) if value))
    if len(values) > limit:
        remedy = f"Give {name} once." if limit == 1 else f"Give {name} at most {limit} times, or not at all."
        raise bad_parameter(name, f"{name} is given {len(values)} times.", remedy=remedy)
    for value in values:
        most = MAX_CURSOR_CHARS if name == "cursor" else MAX_NAME_CHARS
        if len(value) > most:
            raise bad_parameter(
                name,
                f"{name} has a value of {len(value)} characters.",
                remedy=f"Values can have at most {most} characters.",
            )
        if "\0" in value:
            raise bad_parameter(
                name, f"{name} contains a NUL character.", remedy="Leave out the NUL character (%00)."
            )
    return values


def read_choice(args: Args, name: str, choices: Sequence[str]) -> Any:
    """Return one of `choices`; the first if the parameter is absent.

    Raises:
        Problem: 400 with the choices.
    """
    value = read_one(args, name) or choices[0]
    if value in choices:
        return value
    raise bad_parameter(
        name,
        f"{name}={shortened(value)!r} is not one of the possible values.",
        remedy=f"Choose one of these: {', '.join(choice for choice in choices if choice)}.",
    )


def shortened(value: str) -> str:
    """Return a client's text, shortened to one line."""
    return value if len(value) <= 80 else value[:80] + "…"


CURSOR = text(
    "cursor", "`next` from the previous page; default: the first page.", "", text_schema(MAX_CURSOR_CHARS)
)
_BEFORE = whole_number(
    "before",
    "`next` from the previous page.",
    "51",
    remedy="Use `next` from the previous page.",
    least=0,
    most=10**18,
    most_digits=18,
)
BEFORE = cast(
    Parameter[int],
    _BEFORE.but(schema={"type": "integer", "minimum": 1}, parse=lambda args, _: _BEFORE.read(args) or 0),
)
"""Number of the first item of a page, newest first; 0 is the newest."""
