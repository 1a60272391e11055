"""The language of a page: the available ones, the viewer's choice, and texts for templates.

A text has a key and is in `languages/en.json` of the dashboard or a capability; another language is a file
beside it. Scripts have theirs from `fetch_assets.py`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec
from flask import Flask, has_request_context, request
from markupsafe import Markup, escape

from frametally.plugins import folder_of, plugins

ENGLISH = "en"
COOKIE = "language"
"""The cookie by which a viewer chooses another language than the browser's; a page's script sets it."""


@cache
def texts() -> dict[str, dict[str, str]]:
    """Return the texts by language and key; a language may lack some."""
    found: dict[str, dict[str, str]] = {ENGLISH: {}}
    for folder in (Path(__file__).parent, *map(folder_of, plugins())):
        for path in (folder / "languages").glob("*.json"):
            own = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
            found.setdefault(path.stem, {}).update(own)
    return found


def language() -> str:
    """Return the language of a request's page: the viewer's choice, or else the browser's."""
    if not has_request_context():
        return ENGLISH
    chosen = request.cookies.get(COOKIE, "")
    if chosen in texts():
        return chosen
    return request.accept_languages.best_match(texts(), ENGLISH)


def t(key: str, **values: object) -> Markup:
    """Return a text in the viewer's language, in English if that has none, with values for its {names}.

    A key that ends in `_html` names markup; all else is escaped, values too. `count` chooses between the keys
    `<key>.one` and `<key>.other`, where there are such.

    Raises:
        KeyError: English has no such text.
    """
    own = texts()[ENGLISH] | texts()[language()]
    if f"{key}.other" in own:
        key += ".one" if values.get("count") == 1 else ".other"
    text = Markup(own[key]) if key.endswith("_html") else escape(own[key])  # noqa: S704 (our own file)
    return text.format(**values)


def names() -> dict[str, str]:
    """Return the name of each language in that language."""
    return {code: own["web.language"] for code, own in sorted(texts().items())}


def number(value: int) -> str:
    """Return a number with the separators of the viewer's language."""
    return f"{value:,}".replace(",", t("web.thousands_separator"))


def translate(app: Flask) -> None:
    """Give templates the texts."""
    app.add_template_global(t)
    app.add_template_global(language)
    app.add_template_filter(number)
    app.add_template_global(names, "languages")
