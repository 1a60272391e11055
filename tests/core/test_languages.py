"""The page's texts are in the language files: each is used, has a German version, and is in no source.

`python tests/core/test_languages.py FOLDER` lists the texts in a folder's sources.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.capabilities import PACKAGES
from tests.kit.processes import run_program

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = [path / "languages" for path in PACKAGES if (path / "languages/en.json").is_file()]
FOLDERS = {path.parent.name.removeprefix("frametally_"): path.parent for path in CATALOGUES}
OTHERS = sorted({path.stem for folder in CATALOGUES for path in folder.glob("*.json")} - {"en"})
FORM = re.compile(r"\.(?:zero|one|two|few|many|other)$")
"""The ending of keys whose text depends on a number."""

AT_MOST = {"accuracy": 7, "alerts": 1, "live": 1, "web": 47, "traffic": 19, "videos": 14}
"""The most texts that a folder's scripts and templates may have outside its catalogue: classes and names of
keys, which look like texts. The numbers may only fall."""

QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')
COMMENT = re.compile(r"/\*.*?\*/|(?<![:\w])//[^\n]*", re.DOTALL)
WORDS = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z]{2,}|^[A-Z][a-z]{2,}(?: |$|[.…!])")
"""Two words, or one that starts like a title."""
FOR_PROGRAMMERS = re.compile(r"new Error\(.*?\);")
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
MARKUP = re.compile(r"<pre.*?</pre>|<code.*?</code>|<!doctype[^>]*>|<[^>]*>", re.DOTALL)
SPOKEN = re.compile(r'(?<=\s)(?:aria-label|title|alt|placeholder)="([^"]*)"')
NAMES = {"frametally", "FHWA", "COBA", "SWISS10", "TLS", "TCP", "UDP", "UTDF", "OpenAPI", "UTC"}
"""Names that are the same in every language."""


OF_THE_DATA = {
    "en": re.compile(
        r"\b(?:medium|units?|base intervals?|dead letters?|the books|forg[eo]t(?:ten)?)\b", re.IGNORECASE
    ),
    "de": re.compile(
        r"\b(?:Medi(?:um|en)|Einheit(?:en)?|Grundintervall|Dead Letters?|B(?:ücher|ilanz)|[Vv]ergessen)\b"
    ),
}
"""Words of the data model, by language: pages use footage, frames to check, unreadable frames, delete."""


@cache
def texts(language: str) -> dict[str, str]:
    """Return the texts of all folders in a language, by key."""
    files = [folder / f"{language}.json" for folder in CATALOGUES]
    return {
        key: text
        for path in files
        if path.is_file()
        for key, text in json.loads(path.read_text("utf-8")).items()
    }


@cache
def sources(folder: str) -> list[Path]:
    """Return the scripts, templates and modules of a folder that git has."""
    listed = run_program(["git", "ls-files", "-co", "--exclude-standard", str(FOLDERS[folder])], cwd=ROOT)
    here = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in here if path.suffix in {".js", ".html", ".py"} and path.is_file()]


@cache
def used(*kinds: str) -> Counter[str]:
    """Return how often files with these endings (all if empty) name a possible key."""
    named = re.compile(rf'"((?:{"|".join(FOLDERS)})\.[a-z0-9_]+)"')
    paths = [path for folder in FOLDERS for path in sources(folder) if not kinds or path.suffix in kinds]
    return Counter(key for path in paths for key in named.findall(path.read_text("utf-8")))


def own_texts(path: Path) -> Iterator[str]:
    """Return the texts of a script or template that are not in a catalogue."""
    source = path.read_text("utf-8")
    if path.suffix == ".js":
        for match in QUOTED.finditer(FOR_PROGRAMMERS.sub("", COMMENT.sub("", source))):
            text = re.sub(r"\$\{[^}]*\}", "1", match[1] or match[2] or "")
            if WORDS.search(text):
                yield text
        return
    source = re.sub(r"<pre.*?</pre>", "", JINJA.sub(" ", source), flags=re.DOTALL)
    for text in [*MARKUP.split(source), *SPOKEN.findall(source)]:
        if set(re.findall(r"[A-Za-z]{3,}\w*", text)) - NAMES:
            yield " ".join(text.split())


def texts_in(folder: str) -> list[str]:
    """Return those of a folder, each with its file."""
    return [
        f"{path.relative_to(ROOT)}: {text}"
        for path in sources(folder)
        if path.suffix in {".js", ".html"} and path.name != "docs.js" and path.name != "api.html"
        for text in own_texts(path)
    ]


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}|<[^>]*>", text))


def test_every_text_in_use_exists_in_english() -> None:
    english = {FORM.sub("", key) for key in texts("en")} | texts("en").keys()
    assert sorted(used(".js", ".html").keys() - english) == []


def test_every_english_text_is_in_use() -> None:
    assert [key for key in texts("en") if not used()[key] and not used()[FORM.sub("", key)]] == []


@pytest.mark.parametrize("folder", CATALOGUES, ids=FOLDERS)
def test_a_folder_has_its_own_keys_in_order(folder: Path) -> None:
    name = folder.parent.name.removeprefix("frametally_")
    for path in folder.glob("*.json"):
        keys = list(json.loads(path.read_text("utf-8")))
        assert keys == sorted(keys), path
        assert [key for key in keys if not key.startswith(f"{name}.")] == [], path


def test_no_key_ends_with_a_number_since_that_says_nothing_about_its_text() -> None:
    assert [key for key in texts("en") if re.search(r"_\d+(?:_html)?$", FORM.sub("", key))] == []


@pytest.mark.parametrize("language", OTHERS)
def test_another_language_has_every_text(language: str) -> None:
    missing = [f"{key}: {text}" for key, text in texts("en").items() if key not in texts(language)]
    assert missing == [], (
        f"add these to the languages/{language}.json beside their en.json; until then they are English"
    )


@pytest.mark.parametrize("language", OTHERS)
def test_no_other_language_has_a_text_that_english_lacks(language: str) -> None:
    assert [key for key in texts(language) if key not in texts("en") and not FORM.search(key)] == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_text_has_the_same_names_and_markup_in_each_language(language: str) -> None:
    for key, text in texts(language).items():
        english = texts("en")[key if key in texts("en") else FORM.sub(".other", key)]
        assert placeholders(text) == placeholders(english), key
        assert (text[:1] == " ", text[-1:] == " ") == (
            english[:1] == " ",
            english[-1:] == " ",
        ) or "," in text[:1], key


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_pages_texts_are_in_its_catalogue(folder: str) -> None:
    left = texts_in(folder)
    assert len(left) <= AT_MOST.get(folder, 0), "give each a key in languages/en.json:\n" + "\n".join(left)


if __name__ == "__main__":
    for name in sys.argv[1:] or FOLDERS:
        listed = texts_in(name)
        print("\n".join(listed) if sys.argv[1:] else f'"{name}": {len(listed)},')


@pytest.mark.parametrize("language", sorted(OF_THE_DATA))
def test_pages_use_the_readers_words_and_not_those_of_the_data_model(language: str) -> None:
    shown = {key: re.sub(r"\{\w+\}", "", text) for key, text in texts(language).items()}
    if language == "en":
        shown |= {
            f"{path.relative_to(ROOT)}": MARKUP.sub(" ", JINJA.sub(" ", path.read_text("utf-8")))
            for folder in FOLDERS
            for path in sources(folder)
            if path.suffix == ".html" and path.name != "api.html"
        }
    shown.pop("web.label_names")  # "book" is one
    word = OF_THE_DATA[language]
    assert [key for key, text in shown.items() if word.search(MARKUP.sub(" ", text))] == []
