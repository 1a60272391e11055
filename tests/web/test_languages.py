"""The language of a page: the browser's preference, the viewer's choice, and English for missing texts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.web.conftest import Place
from tests.web.fixtures import SIMPLE_FRONTEND

from frametally.plugins import folder_of, plugins
from frametally_web.translations import readers
from frametally_web.translations import texts as languages


@pytest.mark.parametrize(
    ("wanted", "chosen", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", None, "de"),
        ("fr,de;q=0.4", None, "de"),
        ("fr", None, "en"),
        ("", None, "en"),
        ("en", "de", "de"),
        ("de", "en", "en"),
        ("de", "../../etc", "de"),
    ],
)
def test_a_page_is_in_the_chosen_language_or_else_the_browsers(
    place: Place, wanted: str, chosen: str | None, language: str
) -> None:
    client = place.app().test_client()
    if chosen is not None:
        client.set_cookie("language", chosen)
    answer = client.get("/books", headers={"Accept-Language": wanted})
    assert f'<html lang="{language}">' in answer.text
    assert {"Accept-Language", "Cookie"} <= set(answer.vary)
    assert answer.headers["Content-Language"] == language


def test_the_api_names_a_problem_in_the_requested_language_and_by_default_in_english(
    place: Place,
) -> None:
    place.film({"car": 6})
    client = place.app().test_client()
    english = client.get("/api/v1/counts?label=cra")
    german = client.get("/api/v1/counts?label=cra", headers={"Accept-Language": "de"})
    assert english.json["detail"] == "There is no label named 'cra'."
    assert german.json["detail"] == "label 'cra' gibt es nicht."
    assert german.json["remedy"] == "Meinten Sie car?"
    assert (english.headers["Content-Language"], german.headers["Content-Language"]) == ("en", "de")
    assert [english.json[name] for name in ("type", "parameter", "instead")] == [
        german.json[name] for name in ("type", "parameter", "instead")
    ]
    numbers = client.get("/api/v1/counts", headers={"Accept-Language": "de"})
    assert "Accept-Language" not in numbers.vary


OF_PROGRAMS = {"upload_routes", "stored_bytes.py", "events.py", "proof_routes.py", "body.py"}
"""Modules that refuse errors of programs, which pages never cause."""


def _sentences(source: str) -> Iterator[str]:
    """Return the messages of the problems in a source, with `1` for each value; messages of others stay
    theirs."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("Problem", "bad_parameter"):
            for value in (*call.args, *(keyword.value for keyword in call.keywords)):
                parts = value.values if isinstance(value, ast.JoinedStr) else [value]
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in parts)
                if re.search("[a-z]{2} [a-z]", text) and "FRAMETALLY_" not in text:
                    yield re.sub(r"\.1$", ".", text)  # another sentence, or none


@pytest.mark.thorough
def test_each_problem_that_a_page_can_show_has_a_german_text() -> None:
    lacking = [
        text
        for folder in (Path(languages.__file__).parents[1], *map(folder_of, plugins()))
        for path in folder.rglob("*.py")
        if not OF_PROGRAMS & set(path.parts)
        for text in _sentences(path.read_text())
        if languages.problem_text(text, "de") == text
    ]
    assert lacking == []


def test_a_text_missing_in_a_language_is_shown_in_english(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "texts", lambda: {"en": {"web.x": "One {name}"}, "de": {}})
    with place.app().test_request_context(headers={"Accept-Language": "de"}):
        assert readers.t("web.x", name="text") == "One text"


def test_a_german_page_translates_the_models_labels_but_not_those_of_other_models(
    place: Place,
) -> None:
    with place.app().test_request_context(headers={"Accept-Language": "de"}):
        names = [languages.label_name(label) for label in ("car", "traffic light", "Gabelstapler")]
    assert names == ["Auto", "Ampel", "Gabelstapler"]
    with place.app().test_request_context():
        assert languages.label_name("car") == "car"
    entries = languages.texts()["de"]["web.label_names"].split(";")
    assert len({entry.partition("=")[2] for entry in entries}) >= 80
    assert all(len(entry.partition("=")[2].split("|")) == 2 for entry in entries)


def test_values_cannot_become_markup(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        readers, "texts", lambda: {"en": {"web.a": "<{name}>", "web.b_html": "<b>{name}</b>"}}
    )
    with place.app().test_request_context():
        assert readers.t("web.a", name="<i>") == "&lt;&lt;i&gt;&gt;"
        assert readers.t("web.b_html", name="<i>") == "<b>&lt;i&gt;</b>"


def test_a_script_with_an_unknown_key_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SIMPLE_FRONTEND))
    import fetch_assets

    texts = {"web.a": 'Say "hi"', "web.n.one": "{count} car", "web.n.other": "{count} cars"}
    assert fetch_assets.with_texts('t("web.a")', texts) == r't("Say \"hi\"")'
    several = fetch_assets.with_texts('t("web.n", { count })', texts)
    assert several == 't({"one": "{count} car", "other": "{count} cars"}, { count })'
    with pytest.raises(fetch_assets.CannotFetchError, match=r"no languages/en\.json has the text web\.b"):
        fetch_assets.with_texts('t("web.b")', texts)
