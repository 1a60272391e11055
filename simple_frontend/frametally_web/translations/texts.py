"""The language of a page: the available ones, the viewer's choice, and texts for templates.

A text has a key and is in `languages/en.json` of the dashboard or a capability; other languages are files
next to it. Scripts get theirs from `fetch_assets.py`. The sentences of problems are their own keys in
`languages/problems/`: the English sentence is where the problem is raised, with `{}` for each value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import msgspec

from frametally.plugins import folder_of, plugins

ENGLISH = "en"
COOKIE = "language"
"""The cookie for a viewer's choice of another language than the browser's; a page's script sets it."""

_finders: list[Callable[[], str]] = []
_BETWEEN_SENTENCES = re.compile(r"(?<=[.?!]) (?=\S)")


def _folders() -> Iterator[Path]:
    for folder in (Path(__file__).parents[1], *map(folder_of, plugins())):
        yield folder / "languages"


@cache
def texts() -> dict[str, dict[str, str]]:
    """Return the texts by language and key; a language may lack some."""
    found: dict[str, dict[str, str]] = {ENGLISH: {}}
    for folder in _folders():
        for path in folder.glob("*.json"):
            own = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
            found.setdefault(path.stem, {}).update(own)
    return found


def language() -> str:
    """Return the language of the reader whom a host answers now; English without one."""
    return next((find() for find in _finders), ENGLISH)


def find_language(find: Callable[[], str]) -> None:
    """Let a host `find` the language of its readers."""
    _finders[:] = [find]


def label_name(label: str) -> str:
    """Return a model's label as shown on pages in the viewer's language."""
    names = texts()[language()].get("web.label_names", "")
    return dict(entry.partition("=")[::2] for entry in names.split(";")).get(label, label).partition("|")[0]


@cache
def problem_texts(code: str) -> dict[str, str]:
    """Return the sentences of problems in a language, by the English ones; values are `{}` in both."""
    own: dict[str, str] = {}
    for path in (folder / "problems" / f"{code}.json" for folder in _folders()):
        if path.exists():
            own.update(msgspec.json.decode(path.read_bytes(), type=dict[str, str]))
    return own


@cache
def _patterns(code: str) -> list[tuple[int, re.Pattern[str], str]]:
    """Return patterns for these sentences, longest first, each with its number of sentences."""
    return [
        (
            len(_BETWEEN_SENTENCES.split(english)),
            re.compile("(.*?)".join(map(re.escape, english.split("{}")))),
            own,
        )
        for english, own in sorted(problem_texts(code).items(), key=lambda pair: -len(pair[0]))
    ]


def problem_text(text: str, code: str | None = None) -> str:
    """Return a problem's text in a language, by default the viewer's; missing sentences stay English."""
    sentences, translated = _BETWEEN_SENTENCES.split(text), list[str]()
    while sentences:
        matches = (
            (count, own.format(*match.groups()))
            for count, pattern, own in _patterns(code or language())
            if (match := pattern.fullmatch(" ".join(sentences[:count])))
        )
        count, own = next(matches, (1, sentences[0]))
        translated.append(own)
        del sentences[:count]
    return " ".join(translated)


def names() -> dict[str, str]:
    """Return the name of each language in that language."""
    return {code: own["web.language"] for code, own in sorted(texts().items())}
