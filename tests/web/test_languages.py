"""The language of a page: the browser's wish, the viewer's choice, and English where a text is missing."""

from __future__ import annotations

import pytest
from tests.web.conftest import Place
from tests.web.fixtures import SIMPLE_FRONTEND

from frametally_web import languages


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
def test_a_page_is_in_the_language_that_was_chosen_or_else_the_browsers(
    place: Place, wanted: str, chosen: str | None, language: str
) -> None:
    client = place.app().test_client()
    if chosen is not None:
        client.set_cookie("language", chosen)
    answer = client.get("/books", headers={"Accept-Language": wanted})
    assert f'<html lang="{language}">' in answer.text
    assert {"Accept-Language", "Cookie"} <= set(answer.vary)
    assert answer.headers["Content-Language"] == language


def test_the_api_speaks_english_and_does_not_depend_on_the_language(place: Place) -> None:
    answer = place.app().test_client().get("/api/v1/counts?metric=none", headers={"Accept-Language": "de"})
    assert "is not" in answer.json["detail"]
    assert "Accept-Language" not in answer.vary


def test_a_text_that_a_language_lacks_is_english(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "texts", lambda: {"en": {"web.x": "One {name}"}, "de": {}})
    with place.app().test_request_context(headers={"Accept-Language": "de"}):
        assert languages.t("web.x", name="text") == "One text"


def test_values_cannot_become_markup(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        languages, "texts", lambda: {"en": {"web.a": "<{name}>", "web.b_html": "<b>{name}</b>"}}
    )
    with place.app().test_request_context():
        assert languages.t("web.a", name="<i>") == "&lt;&lt;i&gt;&gt;"
        assert languages.t("web.b_html", name="<i>") == "<b>&lt;i&gt;</b>"


def test_a_script_with_an_unknown_key_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SIMPLE_FRONTEND))
    import fetch_assets

    texts = {"web.a": 'Say "hi"', "web.n.one": "{count} car", "web.n.other": "{count} cars"}
    assert fetch_assets.with_texts('t("web.a")', texts) == r't("Say \"hi\"")'
    several = fetch_assets.with_texts('t("web.n", { count })', texts)
    assert several == 't({"one": "{count} car", "other": "{count} cars"}, { count })'
    with pytest.raises(fetch_assets.CannotFetchError, match=r"no languages/en\.json has the text web\.b"):
        fetch_assets.with_texts('t("web.b")', texts)
