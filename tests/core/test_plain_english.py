"""Texts for people avoid phrases that plain English does not have.

`python tests/core/test_plain_english.py FOLDER` lists those of a folder.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_WHO_STANDS = (
    "objects?|vehicles?|cars?|trucks?|bus(?:es)?|bicycles?|people|persons?|pedestrians?|someone"
    "|that|which|who"
)
"""What stands in a zone, as the footage shows it; and the words between it and the verb."""
INSTEAD = {
    r"\b(?:is|are|was|were|be|been|being) (?:told|said)\b": "show, report, notify, send, print",
    r"\bwhosoever\b|\bwhoever\b|\bof whom\b": "name the actor: you, an administrator, anyone who",
    r"\bsomebody\b": "someone; better: the actor",
    r"\banew\b": "again",
    r"\bwherein\b|\bthereby\b|\bhence\b": "where, so",
    r"\bgoes? without\b|\bhas it that\b|\b(?:is|are) (?:asked for|looked at|drawn over)\b": "the usual verb",
    r"(?<!there )\b(?:is|are|was|were) (?-i:none)\b(?! of\b)": "is not a ...",
    r"(?<!there )\b(?:is|are|was|were) no (?!(?:longer|more|better|worse|less|later)\b|\d)": "is not a ...",
    r"\bthat there (?:is|are)(?=[.,;:)])": "existing, all",
    rf"\b(?!(?:{_WHO_STANDS})\b)\w+(?: that| which| who)? stands? (?:in|on|at|below|beside|by)\b": (
        "is in, is shown in"
    ),
    r"\b(?:is|are|be|was) let (?:in|go|be|do|through)\b": "is allowed, can",
    r"\bbut for\b|\bas ever\b": "except, as usual",
    r"\bwhat (?:goes|lies|stands|waits|stays)\b": "name the thing",
    r"\b(?:does|do) not (?:speak TLS|answer for now)\b": "does not use TLS, is not responding",
    r"\bno such kind\b|\bno (?:file|medium) of\b": "is not supported, is not a valid ..., no footage of",
    r"\bcarr(?:y|ies) (?:a|the) (?:name|password)\b": "contains a user name, a password",
    r"\bgive this (?:user|key) the right\b": "give this user permission",
    r"\bname a (?:file|folder|server|port)\b": "give, choose, set it to",
    r"\bnor any other\b|\bin its middle\b|\bfrom its origin\b|\bhas it just now\b": "the usual words",
    r"(?:^|[.!?] )(?:What|Who) (?:cannot|must|may|has|have)\b(?![^.]*\?)": "name the actor first",
}
IN_PAGES = {
    r"\b(?:adds?|needs?|changes?|detects?) no (?!more\b|longer\b|\.)\w+": "does not add a ...",
    r"\bno \w+ twice\b": "not ... twice",
    r"\b(?:is|are) away\b": "is unavailable, does not respond",
    r"\bends? with (?:exit code )?\d": "exits with code",
    r"\bin place of\b": "instead of",
    r"\bfor ever\b": "permanently, forever",
    r"\bshall\b": "must, should; better: the imperative",
    r"\ball went well\b|\bnothing could be (?:done|looked at)\b": "success; the actor could not ...",
    r"\bsome (?:minutes|seconds|hundred|weeks)\b": "a few minutes, several hundred",
    r"\bby (?:Ctrl-C|finger|mouse|keyboard)\b": "with",
}
PHRASES = [(re.compile(phrase, re.IGNORECASE), instead) for phrase, instead in INSTEAD.items()]
PAGE_PHRASES = [(re.compile(phrase, re.IGNORECASE), instead) for phrase, instead in IN_PAGES.items()]
"""Only for Markdown pages."""

FOLDERS = (
    *("capabilities", "cli", "cloud-services", "consumer", "core", "docs", "elasticsearch"),
    *("hadoop", "models", "producer", "simple_frontend"),
)
PAGES = ("CHANGELOG.md", "README.md", "docs/CONTRIBUTING.md", "docs/SECURITY.md")
ELSEWHERE = re.compile(r"/vendor/|/built/|^docs/settings\.md$")
SCRIPTS = (".js", ".css", ".ts")
SCRIPT_TEXT = re.compile(
    r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`|(/\*[\s\S]*?\*/|(?:^|(?<=\s))//.*(?:\n[ \t]*//.*)*)',
    re.MULTILINE,
)
"""A string, a template or a comment of a script or a style sheet."""
COMMENT_MARK = re.compile(r"^[ \t]*(?:/\*+|\*(?!/)|//)|\*/|@\w+ \{.*?\}(?=\s|$)", re.MULTILINE)
"""Also a type, which is code."""
TAG = re.compile(r"\{%.*?%\}|<!--.*?-->|<[^>]*>", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", re.DOTALL)


@cache
def files() -> list[str]:
    """Return the files of git that may have texts for people."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [
        name
        for name in listed.stdout.splitlines()
        if name.endswith((".md", ".html", ".py", "languages/en.json", *SCRIPTS))
        and not ELSEWHERE.search(name)
    ]


def texts_of(name: str) -> Iterator[str]:
    """Return the texts of a file that people read: pages, templates, strings, comments of scripts."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".md"):
        yield CODE.sub("", text)
    elif name.endswith(".html"):
        yield TAG.sub("", text)
    elif name.endswith(".json"):
        yield from (TAG.sub("", one) for one in json.loads(text).values())
    elif name.endswith(SCRIPTS):
        yield from script_texts_of(text)
    else:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                yield node.value


def script_texts_of(script: str) -> Iterator[str]:
    """Return the strings and the comments of a script or a style sheet, without marks and types."""
    for match in SCRIPT_TEXT.finditer(script):
        text = match[1] or match[2] or COMMENT_MARK.sub("", match[3] or "")
        if " " in text:
            yield text


def phrases_of(name: str) -> Iterator[tuple[str, str, str]]:
    """Return each such phrase of a file, with the text around it and what to write instead."""
    for text in texts_of(name):
        line = " ".join(text.split())
        page = line.partition("## Code map")[0] if name.endswith(".md") else ""
        for (phrase, instead), line in [
            *((phrase, line) for phrase in PHRASES),
            *((phrase, page) for phrase in PAGE_PHRASES),
        ]:
            for match in phrase.finditer(line):
                yield match[0], line[max(0, match.start() - 40) : match.end() + 40], instead


def phrases_in(folder: str) -> list[str]:
    """Return all of a folder."""
    names = [name for name in files() if name == folder or name.startswith(f"{folder}/")]
    return [
        f"{name}: {phrase!r} in '{around}': {instead}"
        for name in names
        for phrase, around, instead in phrases_of(name)
    ]


@pytest.mark.parametrize("folder", [*FOLDERS, *PAGES])
def test_texts_are_in_plain_english(folder: str) -> None:
    assert phrases_in(folder) == []


def test_script_comments_are_checked_as_sentences() -> None:
    script = """// The page
// is told
f("a /* b"); // Who has it? @returns {name is Said}
/**
 * Counted
 * anew.
 */
const url = "http://a b";
"""
    assert [" ".join(text.split()) for text in script_texts_of(script)] == [
        "The page is told",
        "a /* b",
        "Who has it?",
        "Counted anew.",
        "http://a b",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "The change is told to viewers",
        "Whoever comes",
        "this is no video",
        "the line that is none",
        "What cannot be read stays. Next",
        "counted anew",
        "the number that stands in the chart",
        "It stands on the card",
        "the server does not speak TLS",
        "cannot be read; name a file that this user may read",
        "give this user the right to write there",
    ],
)
def test_a_forbidden_phrase_is_detected(text: str) -> None:
    assert any(phrase.search(text) for phrase, _ in PHRASES)


@pytest.mark.parametrize(
    "text",
    [
        "You need no key",
        "it adds no frame twice",
        "the log is away",
        "`aggregate` ends with 6",
        "after some minutes",
        "stop it by Ctrl-C",
    ],
)
def test_a_forbidden_phrase_on_a_page_is_detected(text: str) -> None:
    assert any(phrase.search(text) for phrase, _ in PAGE_PHRASES)


@pytest.mark.parametrize(
    "text",
    [
        "there is no footage",
        "A name is no longer used",
        "What is a run?",
        "None of these is open",
        "there are none",
        "objects stand in a zone",
        "the car that stands at the line",
        "two people stand by the gate",
    ],
)
def test_plain_english_is_not_reported(text: str) -> None:
    assert not any(phrase.search(text) for phrase, _ in [*PHRASES, *PAGE_PHRASES])


if __name__ == "__main__":
    for name in sys.argv[1:] or [*FOLDERS, *PAGES]:
        listed = phrases_in(name)
        print("\n".join(listed) if sys.argv[1:] else f'"{name}": {len(listed)},')
