"""Pages show a source's name as typed, never the slug of its addresses."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing

import pytest
from tests.web.browser import Place, Visits
from tests.web.counted_footage import make_lines, publish_lines, put_manifest
from tests.web.test_pages_in_browser import paths_of_pages

from frametally import keys
from frametally_alerts.book import AlertBook
from frametally_alerts.rules import AlertRule

NAME = "Hauptstraße Nord"
SLUG = keys.slug(NAME)


@pytest.mark.thorough
def test_every_page_shows_a_sources_name_as_it_was_typed(
    place: Place, visit: Visits, serving: Callable[..., str]
) -> None:
    assert SLUG.startswith("hauptstrae-nord-")
    lines = make_lines(SLUG, frames=60)
    publish_lines(place, lines)
    put_manifest(place, lines[0], lines[-1], NAME)
    app = place.app()
    client = app.test_client()
    many = AlertRule(
        name="many", what="count", channels=(), threshold=9, interval_s=3600, sources=(SLUG,), made_at_ms=0
    )
    with closing(AlertBook(place.settings.catalogue_url)) as book:
        assert book.add(many)
    form = {"name": "checked", "sources": [SLUG], "planned_units": 30}
    started = client.post("/api/v1/accuracy", json=form)
    assert started.status_code == 201, started.text
    window = visit(None, url=serving(app))
    page = window.page
    checks = client.get("/api/v1/accuracy").json["checks"]
    views = [f"/accuracy?check={checks[0]['id']}&view={view}" for view in ("desk", "result", "certificate")]
    shown = set()
    for path in [
        *(path for path in paths_of_pages(app) if path != "/audit"),  # it repeats the sent text
        *views,
        f"/footage?source={SLUG}",
        f"/?source={SLUG}",
        "/alerts?edit=many",
    ]:
        page.goto(f"{window.url}{path}", wait_until="load")
        page.wait_for_timeout(1500)
        words = page.evaluate(
            """() => {
              for (const one of document.querySelectorAll("details")) one.open = true;
              const hidden = document.querySelectorAll("pre, code, script, [hidden]");
              for (const one of hidden) one.remove();
              const labels = [...document.querySelectorAll("[aria-label], [title]")];
              return document.body.innerText + labels.map((one) => one.ariaLabel + one.title).join();
            }"""
        )
        assert SLUG not in words, (path, re.findall(f".*{SLUG}.*", words))
        if NAME in words:
            shown.add(path)
    assert len(shown) > 6, shown
