"""Reads the time and the camera from paths of files by patterns such as `%Y-%m-%d/%H/{source}/%M.%S`."""

from __future__ import annotations

import calendar
import datetime
import os
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from frametally.rules.times import EPOCH

SOURCE = "{source}"
_EXAMPLE = "cam_%Y%m%d_%H%M%S"
_TOKENS = re.compile(r"%(?P<directive>.?)|(?P<any>\*+)|\{(?P<name>[^{}]*)\}", re.DOTALL)
_MOST_WILDCARDS = 3
"""Most wildcards in one part of a path, as each multiplies the matching work for an odd name."""
_TWELVE = "1[0-2]|0[1-9]|[1-9]"
_SIXTY = "[0-5][0-9]|[0-9]"
_WEEKS = "5[0-3]|[0-4][0-9]|[0-9]"


def _names(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in names if name)


_DIRECTIVES = {
    **dict.fromkeys("YG", "[0-9]{4}"),
    "y": "[0-9]{2}",
    **dict.fromkeys("mI", _TWELVE),
    "b": _names(calendar.month_abbr),
    "B": _names(calendar.month_name),
    "d": "3[01]|[12][0-9]|0[1-9]|[1-9]",
    "j": "36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0?[1-9][0-9]|0{0,2}[1-9]",
    "H": "2[0-3]|[01][0-9]|[0-9]",
    **dict.fromkeys("MS", _SIXTY),
    "f": "[0-9]{1,6}",
    "p": "am|pm",
    "z": "[+-][0-9]{2}:?[0-5][0-9]|Z",
    "a": _names(calendar.day_abbr),
    "A": _names(calendar.day_name),
    "w": "[0-6]",
    "u": "[1-7]",
    **dict.fromkeys("UWV", _WEEKS),
    "s": "[0-9]{9,10}",
}
"""The texts that each directive of `strptime` matches, and `%s`: whole seconds since 1970 UTC."""
_ONE_OF = ("YyGs", "mbB", "HI", "UWV", "aAwu")
_NEEDS = {"M": "HI", "S": "M", "f": "Ss", "I": "p", "p": "I"}
"""Directives that need one of others; without it, the time would be wrong or unreadable."""
_ANY_MOMENT = datetime.datetime(2001, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)
_JOINER = "\x1f"


class NamedBy(NamedTuple):
    """The start of a file, naive unless the pattern has an offset, and its camera, read from its path.

    Attributes:
        source: The name matched by `{source}`, or empty if the pattern has none.
    """

    moment: datetime.datetime
    source: str


class TimePattern:
    """A pattern that matches the end of a file's path, without the file extension.

    It has the directives of `strptime`, `%s` for seconds since 1970, `{source}` for the camera, and `*` for
    any characters except `/`. All other characters match themselves, ignoring case.
    """

    def __init__(self, text: str) -> None:
        """Parse the pattern. Raises `ValueError`, with the remedy, if it is invalid or gives no day."""
        self._directives: list[str] = []
        self.names_source = False
        parts = unicodedata.normalize("NFC", text).split("/")
        self._parts = [re.compile(self._read(part), re.DOTALL | re.IGNORECASE) for part in parts]
        self._check()

    def match(self, path: Path) -> NamedBy | None:
        """Return the start and camera in the path, or None if it does not match."""
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - `..` goes, links stay
        names = [*absolute.parent.parts[1:], absolute.stem][-len(self._parts) :]
        if len(names) < len(self._parts):
            return None
        texts: dict[str, str] = {}
        for part, name in zip(self._parts, names, strict=True):
            match = part.fullmatch(unicodedata.normalize("NFC", name))
            if match is None:
                return None
            texts |= match.groupdict()
        try:
            return NamedBy(self._moment(texts), texts.get("source", ""))
        except (ValueError, OverflowError):  # such as the 31st of February
            return None

    def _read(self, part: str) -> str:
        """Return one part of the pattern as a regular expression, with its literal text escaped."""
        pieces, end, wildcards, after_wildcard = [], 0, 0, False
        for token in _TOKENS.finditer(part):
            literal = part[end : token.start()]
            pieces.append(_literal(literal))
            is_apart = after_wildcard and not literal
            after_wildcard, end = False, token.end()
            if (directive := token["directive"]) is not None:
                pieces.append(self._directive(directive, is_apart=is_apart, rest=part[end : end + 2]))
                continue
            wildcards, after_wildcard = wildcards + 1, True
            if token["any"]:
                if is_apart:
                    raise ValueError(f"nothing separates {SOURCE} from *; write the text between them")
                pieces.append(".*?")
                continue
            if token[0] != SOURCE:
                raise ValueError(
                    f"{token[0]} is not known: only {SOURCE} has braces; write * for braces in a name"
                )
            if self.names_source or is_apart:
                raise ValueError(
                    f"nothing separates * from {SOURCE}; write the text between them"
                    if is_apart
                    else f"it has {SOURCE} twice; write * for one of them"
                )
            self.names_source = True
            pieces.append(r"(?P<source>\S(?:.*?\S)?)")
        if wildcards > _MOST_WILDCARDS:
            raise ValueError(f"one part has {wildcards} of * and {SOURCE}; at most {_MOST_WILDCARDS} can be")
        return "".join([*pieces, _literal(part[end:])])

    def _directive(self, directive: str, *, is_apart: bool, rest: str) -> str:
        if directive == "%":
            return "%"
        if directive not in _DIRECTIVES:
            directives = " ".join(f"%{name}" for name in sorted(_DIRECTIVES, key=str.lower))
            raise ValueError(
                f"%{directive} is not known; write %% for a percent sign, or one of {directives}"
            )
        if directive in self._directives:
            raise ValueError(f"it has %{directive} twice; write * for one of them, as in gate_%Y%m%d%H%M%S_*")
        self._directives.append(directive)
        before, after = ("(?<![0-9])" if is_apart else "", "" if rest == "%f" else "(?![0-9])")
        bounds = (before, after) if directive == "s" else ("", "")
        return f"{bounds[0]}(?P<{directive}>{_DIRECTIVES[directive]}){bounds[1]}"

    def _check(self) -> None:
        has = set(self._directives)
        for group in _ONE_OF:
            if len(clash := [f"%{name}" for name in group if name in has]) > 1:
                raise ValueError(f"it has both {' and '.join(clash)}; leave out one, or write * for it")
        for name, needed in _NEEDS.items():
            if name in has and not has & set(needed):
                one_of = " or ".join(f"%{other}" for other in needed)
                raise ValueError(f"%{name} says nothing without {one_of}; add that, or write * for %{name}")
        if "s" in has:
            if extra := sorted(has - {"s", "f"}):
                raise ValueError(f"%s is the whole time already; write * for %{extra[0]}")
            return
        texts = {name: _ANY_MOMENT.strftime(f"%{name}") for name in has}
        try:
            probe = self._moment(texts)
        except ValueError:
            probe = None
        if probe is None or probe.date() != _ANY_MOMENT.date():
            raise ValueError(f"it does not contain a year, month and day; use one like {_EXAMPLE}")

    def _moment(self, texts: dict[str, str]) -> datetime.datetime:
        if "s" in texts:
            part = datetime.timedelta(microseconds=int(texts.get("f", "0").ljust(6, "0")))
            return EPOCH + datetime.timedelta(seconds=int(texts["s"])) + part
        text = _JOINER.join(texts[name] for name in self._directives)
        form = _JOINER.join(f"%{name}" for name in self._directives)
        if "Y" not in self._directives and "y" not in self._directives and "G" not in self._directives:
            raise ValueError("no year")
        return datetime.datetime.strptime(text, form)  # noqa: DTZ007 - naive unless it has %z


def _literal(text: str) -> str:
    return r"\s+".join(re.escape(word) for word in re.split(r"\s+", text))


@lru_cache(maxsize=16)
def time_pattern(text: str) -> TimePattern | None:
    """Return the pattern of a text, or None if it is empty. Raises as `TimePattern`."""
    return TimePattern(text) if text else None


def known_pattern(text: str) -> str:
    """Return a setting's pattern after checking it. Raises as `TimePattern`."""
    time_pattern(text)
    return text
