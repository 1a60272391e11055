"""The language of a request's reader, in both frameworks, and the texts for templates."""

from __future__ import annotations

from flask import Flask, has_request_context
from flask import request as flask_request
from markupsafe import Markup, escape
from starlette.requests import Request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from frametally_web.translations.texts import (
    COOKIE,
    ENGLISH,
    find_language,
    label_name,
    language,
    names,
    problem_text,
    texts,
)


def language_for(chosen: str, accepted: LanguageAccept) -> str:
    """Return the language that a viewer has chosen, or else the best one that the browser accepts."""
    return chosen if chosen in texts() else accepted.best_match(texts(), ENGLISH)


def request_language(request: Request) -> str:
    """Return the language of a native route's reader: the chosen one, or else the browser's."""
    accepted = parse_accept_header(request.headers.get("Accept-Language"), LanguageAccept)
    return language_for(request.cookies.get(COOKIE, ""), accepted)


def t(key: str, **values: object) -> Markup:
    """Return a text in the viewer's language, or in English without one, with values for its {names}.

    A key that ends in `_html` names markup; everything else is escaped, including values. `count` chooses
    between the keys `<key>.one` and `<key>.other`, if they exist.

    Raises:
        KeyError: English has no such text.
    """
    own = texts()[ENGLISH] | texts()[language()]
    if f"{key}.other" in own:
        key += ".one" if values.get("count") == 1 else ".other"
    text = Markup(own[key]) if key.endswith("_html") else escape(own[key])  # noqa: S704 (our own file)
    return text.format(**values)


def number(value: int) -> str:
    """Return a number with the separators of the viewer's language."""
    return f"{value:,}".replace(",", t("web.thousands_separator"))


def translate(app: Flask) -> None:
    """Provide templates with the texts, in the language of the request's reader."""
    find_language(_language_of_page)
    app.add_template_global(t)
    app.add_template_global(language)
    app.add_template_filter(problem_text)
    app.add_template_filter(label_name)
    app.add_template_filter(number)
    app.add_template_global(names, "languages")


def _language_of_page() -> str:
    if not has_request_context():
        return ENGLISH
    return language_for(flask_request.cookies.get(COOKIE, ""), flask_request.accept_languages)
