"""Answers of actions: frozen records, JSON on the wire. All times are milliseconds since 1970, UTC."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_origin

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers and their parts."""


AnswerT = TypeVar("AnswerT", bound=Answer)


def nothing(form: type[AnswerT], **fields: Any) -> AnswerT:
    """Return an empty answer: except for `fields`, lists are empty, whole numbers 0, everything else null."""
    return form(**{name: make() for name, make in _makers(form)} | fields)


def answer_of(kind: type[AnswerT], sources: Sequence[object], /, **own: Any) -> AnswerT:
    """Return an answer with `own` fields, and other fields from the first of `sources` that has them."""
    values = {
        name: next(getattr(source, name) for source in sources if hasattr(source, name))
        for name in kind.__struct_fields__
        if name not in own
    }
    return kind(**values, **own)


@cache  # each chart begins with such an answer, and msgspec evaluates the annotations at each call
def _makers(form: type[Answer]) -> list[tuple[str, type[Any]]]:
    return [
        (field.name, list if get_origin(field.type) is list else int if field.type is int else NoneType)
        for field in msgspec.structs.fields(form)
        if field.required
    ]
