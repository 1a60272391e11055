"""The page of the chart includes what capabilities add to it, and names none of them."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from tests.capabilities import needs
from tests.web.conftest import Place

from frametally.plugins import plugins
from frametally_web.pages import added_parts

_TEMPLATE = (files("frametally_web") / "templates/index.html").read_text("utf-8")


def test_the_chart_s_page_names_the_page_of_no_capability_but_the_first_upload() -> None:
    pages = {entry.path for plugin in plugins() for entry in plugin.pages}
    assert pages.intersection(re.findall(r"/[a-z]+", _TEMPLATE)) <= {"/videos"}
    named = set(re.findall(r'may\("(.+?)"\)', _TEMPLATE))
    assert named == {"POST /api/uploads"}


@pytest.mark.parametrize(
    ("part", "link"),
    [
        pytest.param("alerts/chart_tools.html", "/alerts?new=1", marks=needs("alerts")),
        pytest.param("accuracy/how_sure.html", "/accuracy", marks=needs("accuracy")),
    ],
)
def test_a_button_of_a_capability_is_there_for_those_who_may_use_it(
    place: Place, part: str, link: str
) -> None:
    where = part.partition("/")[2].removesuffix(".html")
    assert part in added_parts(where) and f'added_parts("{where}")' in _TEMPLATE
    app = place.app()
    with app.test_request_context("/"):
        template = app.jinja_env.get_template(part)
        assert f'href="{link}"' in template.render(may=lambda _: True)
        assert "href" not in template.render(may=lambda _: False)
