"""Reads what the documents tell people to type."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    name
    for name in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (name.endswith("README.md") or name.startswith("docs/"))
    and not name.startswith(("tests/", "benchmarks/"))
)
_FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^ *```\s*$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(frametally [a-z][^`]*)`")
_SHELL = ("sh", "bash", "console")
_TYPED = re.compile(
    r"(\$ |cd |pip |python |frametally |export |[A-Z][A-Z_]+=|airflow |hadoop |create(user|db) )"
)


class TypedCommand(NamedTuple):
    """A command of a fenced block, without its comment."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def fenced_commands(page: str) -> Iterator[TypedCommand]:
    """Yield the commands of a page's fenced blocks, in their order; one over several lines is one command."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for fence in _FENCE.finditer(text):
        language, body = fence[2], fence[3]
        if language not in _SHELL and (language or not _TYPED.match(body.lstrip())):
            continue
        number, command = text[: fence.start()].count("\n") + 2, ""
        for offset, line in enumerate(body.splitlines()):
            command += line if not command else f"\n{line}"
            if (words := _words(command)) is None or command.endswith("\\"):
                continue
            if words:
                yield TypedCommand(page, number + offset, command.strip().removeprefix("$ "))
            command = ""
        assert not command.strip(), f"{page}: a fenced block ends within a command: {command}"


def _words(text: str) -> list[str] | None:
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # a quotation that goes on
        return None


def calls(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each `frametally` that a command calls, however it is wrapped."""
    if re.match(r"kubectl |helm ", text):
        return  # there it is the name of a namespace
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    for position, word in enumerate(words):
        if word == "frametally" and (position + 1 < len(words)) and re.match(r"[a-z-]", words[position + 1]):
            arguments = words[position + 1 :]
            ends = [n for n, one in enumerate(arguments) if set(one) <= set("();<>|&")]
            yield arguments[: ends[0]] if ends else arguments


def inline_calls(page: str) -> Iterator[list[str]]:
    """Yield the arguments of each complete `frametally ...` within a page's sentences."""
    for text in _INLINE.findall((ROOT / page).read_text(encoding="utf-8").replace("\n", " ")):
        if not re.search(r"[|…]|\.\.\.|\[", text) and (words := _words(text)):
            yield words[1:]


def complaint(program: click.Group, arguments: list[str]) -> str:
    """Return why the program would refuse these arguments as a call; empty if it takes them."""
    group: click.Command = program
    context = click.Context(program, info_name="frametally")
    words = list(arguments)
    while isinstance(group, click.Group):
        if not words:
            return ""  # a group by itself is named in sentences
        if words[0] in ("--help", "--version"):
            return ""
        command = group.get_command(context, words[0])
        if command is None:
            return f"there is no command {words[0]!r}"
        group, context = command, click.Context(command, context, words.pop(0))
    try:
        group.make_parser(context).parse_args(words)
    except click.UsageError as error:
        return error.format_message()
    return ""
