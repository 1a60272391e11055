"""Reads `.env` files in UTF-8, or in UTF-16 as PowerShell's `>` writes them."""

from __future__ import annotations

import codecs
import io
import logging
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from frametally.errors import Misconfigured
from frametally.files.replacing import replace_file

_LOG = logging.getLogger(__name__)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_env_file(path: Path, *, empty: Collection[str] = ()) -> dict[str, str]:
    """Return the names (in capitals) and values of a `.env` file, or {} if there is none.

    Empty values are left out, except those of the variables `empty`.

    Raises:
        Misconfigured: The file cannot be read, or is not text.
    """
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # most folders have no such file
    from dotenv.parser import parse_stream

    good = ""
    for binding in parse_stream(io.StringIO(env_text(path))):
        text = binding.original.string
        if binding.error:
            blank = text[: len(text) - len(text.lstrip())]
            _say_bad_line(path.absolute(), binding.original.line + blank.count("\n"))
        else:
            good += text
    values = dotenv_values(stream=io.StringIO(good))
    return {name.upper(): value or "" for name, value in values.items() if value or name.upper() in empty}


@cache
def _say_bad_line(path: Path, number: int) -> None:
    """Warn once per process, which reads the file several times."""
    _LOG.warning(
        "%s, line %d: frametally ignores this line; write it as NAME=value, or delete it", path, number
    )


def env_text(path: Path) -> str:
    """Return the text of a `.env` file. Raises as `read_env_file`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Misconfigured(
            f"{path.absolute()} cannot be read ({error.strerror}): give this user permission to read it, "
            "or delete it"
        ) from error
    try:
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
        if "\0" in text:
            raise ValueError("a NUL character")
    except ValueError as error:
        raise Misconfigured(
            f"{path.absolute()} is not UTF-8 text: save it in that encoding, or delete it"
        ) from error
    return text


def change_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Set variables in a `.env` file, creating it if needed; an empty value removes the line.

    All other lines stay unchanged. Values need no quotes.

    Raises:
        Misconfigured: As `read_env_file`.
        OSError: The file cannot be written.
    """
    lines, left = [], {name: value for name, value in values.items() if value}
    for line in env_text(path).splitlines() if path.is_file() else ():
        name = line.partition("=")[0].strip().removeprefix("export ").strip().upper()
        if name not in values:
            lines.append(line)
        elif name in left:
            lines.append(f"{name}={left.pop(name)}")
    lines += [f"{name}={value}" for name, value in left.items()]
    replace_file(path, "".join(f"{line}\n" for line in lines).encode(), durable=True)
