"""Defines settings as classes of fields, parses their values, and explains invalid ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

_TRUE, _FALSE = ("1", "on", "t", "true", "y", "yes"), ("0", "off", "f", "false", "n", "no")
_INTEGER = re.compile(r"\s*[+-]?[0-9]+(_?[0-9]+)*(\.0+)?\s*")
_BOUNDS: Mapping[str, tuple[Callable[[Any, Any], bool], str]] = {
    "multiple_of": (lambda value, bound: value % bound == 0, "a multiple of"),
    "le": (lambda value, bound: value <= bound, "at most"),
    "lt": (lambda value, bound: value < bound, "less than"),
    "ge": (lambda value, bound: value >= bound, "at least"),
    "gt": (lambda value, bound: value > bound, "greater than"),
}


class SettingRefused(ValueError):
    """The value of a setting is not allowed."""

    def __init__(self, name: str, value: object, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.value, self.message = name, value, message


@dataclass(frozen=True, repr=False)
class SecretStr:
    """A text that prints as asterisks."""

    _secret: str

    def get_secret_value(self) -> str:
        """Return the text."""
        return self._secret

    def __str__(self) -> str:
        return "**********" if self._secret else ""

    def __repr__(self) -> str:
        return f"SecretStr('{self}')"


def without_passwords(text: str) -> str:
    """Return a text with `***` instead of the passwords in its URLs."""
    return re.sub(r"(://[^/@:]*:)[^/@]*@", r"\1***@", text)


class _Field:
    def __init__(
        self, default: Any, description: str, check: Callable[[Any], Any] | None, bounds: dict[str, Any]
    ) -> None:
        self.default, self.description, self._check, self.bounds = default, description, check, bounds

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    @property
    def annotation(self) -> Any:
        return _types(self._owner)[self._name]

    def get_default(self) -> Any:
        return self.default() if callable(self.default) else self.default

    def checked(self, raw_value: object) -> Any:
        try:
            value = _converted(self.annotation, raw_value)
            if value is not None:
                self._keep_bounds(value)
            return self._check(value) if self._check else value
        except ValueError as error:
            raise SettingRefused(self._name, raw_value, str(error)) from error

    def _keep_bounds(self, value: object) -> None:
        for name, bound in self.bounds.items():
            if name == "pattern":
                if not re.search(bound, str(value)):
                    raise ValueError(f"it must match the pattern '{bound}'")
            elif not _BOUNDS[name][0](value, bound):
                raise ValueError(f"it must be {_BOUNDS[name][1]} {bound}")


def Field(  # noqa: N802 - it stands for what it makes
    default: Any, *, description: str, check: Callable[[Any], Any] | None = None, **bounds: Any
) -> Any:
    """Return a setting, for the body of a class of settings.

    Args:
        default: The default value, or a function that returns it.
        description: A description for the documentation.
        check: Returns the final value, or raises `ValueError`.
        **bounds: `ge`, `gt`, `le` and `lt` in its unit, `multiple_of`, or `pattern` for a text.
    """
    return _Field(default, description, check, bounds)


class SettingsPart:
    """The values of the fields of a class and its bases, which cannot be changed."""

    model_fields: ClassVar[dict[str, _Field]] = {}
    model_fields_set: frozenset[str]
    """The names whose values were given."""

    def __init_subclass__(cls) -> None:
        cls.model_fields = {
            name: field
            for base in reversed(cls.__mro__)
            for name, field in vars(base).items()
            if isinstance(field, _Field)
        }

    def __init__(self, **values: Any) -> None:
        """Check the given values, which may be texts as in an environment, and ignore unknown names.

        Raises:
            SettingRefused: A value is not allowed.
        """
        names = frozenset(values) & self.model_fields.keys()
        for name, field in self.model_fields.items():
            self.__dict__[name] = field.checked(values[name]) if name in names else field.get_default()
        self.__dict__["model_fields_set"] = names

    def model_copy(self, *, update: dict[str, Any]) -> Self:
        """Return these settings with some values replaced without checks."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__ | update)
        copy.__dict__["model_fields_set"] = self.model_fields_set | update.keys()
        return copy

    def model_dump(self) -> dict[str, Any]:
        """Return every value by name."""
        return {name: self.__dict__[name] for name in self.model_fields}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: settings do not change")


_types = cache(get_type_hints)


def _converted(kind: Any, value: object) -> object:
    if type(None) in get_args(kind):
        if value is None:
            return None
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        *choices, last = map(repr, get_args(kind))
        if value not in get_args(kind):
            raise ValueError(f"it must be {', '.join(choices)} or {last}")
        return value
    if kind is bool:
        return _boolean(value)
    if kind in (int, float):
        return _number(kind, value)
    if isinstance(value, kind):
        return value
    if kind in (Path, SecretStr) and isinstance(value, str):
        return kind(value)
    raise ValueError("it must be a path" if kind is Path else "it must be text")


def _boolean(value: object) -> bool:
    text = str(value).lower()
    if text not in _TRUE + _FALSE:
        raise ValueError("it must be true or false")
    return text in _TRUE


def _number(kind: type[int] | type[float], value: object) -> float:
    if isinstance(value, str):
        try:
            if kind is float:
                return float(value)
            if _INTEGER.fullmatch(value):
                return int(value.partition(".")[0])
        except ValueError:
            pass
    elif isinstance(value, int | float) and (kind is float or value == int(value)):
        return kind(value)
    raise ValueError("it must be a whole number" if kind is int else "it must be a number")
